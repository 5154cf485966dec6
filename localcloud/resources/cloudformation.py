"""The stack as CloudFormation tells of it: who finds the outputs in AWS by DescribeStacks finds them here too."""

import json

from localcloud.resources.context import Context


def register_stack(context: Context) -> None:
    """Make a stack on moto that has the name and the outputs, as they are, and no resources of its own."""
    outputs = {name: {"Value": value} for name, value in context.stack.outputs.items()}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {}, "Outputs": outputs}
    context.client("cloudformation").create_stack(StackName=context.stack.name, TemplateBody=json.dumps(template))
