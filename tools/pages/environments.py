"""Each function's environment for `sam local invoke --env-vars`, from template.yaml: events/env.json.

Names are those of the stack `callseal-local` on an emulator with moto's account id, like in the other files of events/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from localcloud.intrinsics import Resolver, creation_order
from localcloud.template import load_template

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
STACK, REGION, ACCOUNT, ENDPOINT = "callseal-local", "eu-north-1", "123456789012", "http://127.0.0.1:5000"
PSEUDO = {"AWS::StackName": STACK, "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws"}
# By type: the property that names a resource. Queues, keys, roles and servers have references of their own, below.
NAMES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::EventBus": "Name",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
}
FRONT = ("RegionalDomainName", "DomainName", "ApiEndpoint", "FunctionMetadata.FunctionARN", "Id")


@cache
def translated() -> dict[str, Any]:
    """Return template.yaml as CloudFormation sees it."""
    return load_template(TEMPLATE, REGION)


def env_json(_before: str) -> str:
    """Return events/env.json."""
    resources = translated()["Resources"]
    resolver = Resolver(translated(), PSEUDO, {})
    environments = {}
    for name in creation_order(resources):
        properties = resolver.resolve(resources[name].get("Properties", {}))
        resolver.learn(name, *_reference(name, resources[name]["Type"], properties))
        if resources[name]["Type"] == "AWS::Lambda::Function":
            variables = properties["Environment"]["Variables"] | {"AWS_ENDPOINT_URL": ENDPOINT}
            environments[name] = {variable: str(value) for variable, value in variables.items()}
    in_order = {name: environments[name] for name in resources if name in environments}
    return json.dumps(in_order, indent=2) + "\n"


def _reference(name: str, kind: str, properties: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return what Ref and Fn::GetAtt of a resource return."""
    named = properties.get(NAMES.get(kind, ""), f"{STACK}-{name}")
    arns = {
        "AWS::S3::Bucket": f"arn:aws:s3:::{named}",
        "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{named}",
        "AWS::KMS::Key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000",
    }
    attributes = {
        "Arn": arns.get(kind, f"arn:aws:local:{REGION}:{ACCOUNT}:{named}"),
        "QueueName": named,
        "ServerId": "s-0123456789abcdef0",
        # Of the archive's front, which no function's variable names.
        **dict.fromkeys(FRONT, named),
    }
    return f"{ENDPOINT}/{ACCOUNT}/{named}" if kind == "AWS::SQS::Queue" else named, attributes
