"""The stack in moto's CloudFormation, so that DescribeStacks returns its outputs as on AWS."""

import json

from localcloud.resources.context import Context


def register_stack(context: Context) -> None:
    """Create a stack on moto with the name and the resolved outputs, but without resources."""
    outputs = {name: {"Value": value} for name, value in context.stack.outputs.items()}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {}, "Outputs": outputs}
    context.client("cloudformation").create_stack(StackName=context.stack.name, TemplateBody=json.dumps(template))
