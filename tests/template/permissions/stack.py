"""The translated template's roles and policies with every name resolved, by the names in tests/support/stack.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID

from localcloud.intrinsics import Resolver, creation_order
from localcloud.template import load_template
from tests.support.stack import ARCHIVE, AUDIT, LANDING, MAIL_FROM, REGION, SFTP, STACK
from tests.template.permissions.calls import Call
from tests.template.permissions.needs import OF_EVENT_SOURCES, OF_LOGS, Need, Place, needs_of
from tests.template.permissions.policy import Role, permissions_of

TEMPLATE = Path(__file__).resolve().parents[3] / "template.yaml"
# The test stack has its own bucket names. All other names are the template's.
BUCKETS = {"LandingBucket": LANDING, "SftpBucket": SFTP, "ArchiveBucket": ARCHIVE, "AuditBucket": AUDIT}
# By type: the property that names a resource, and its ARN.
_ARNS = {
    "AWS::DynamoDB::Table": ("TableName", "dynamodb", "table/{}"),
    "AWS::Events::EventBus": ("Name", "events", "event-bus/{}"),
    "AWS::Events::Rule": ("Name", "events", "rule/{}"),
    "AWS::IAM::Role": ("RoleName", "iam", "role/{}"),
    "AWS::KMS::Key": ("", "kms", "key/{}"),
    "AWS::KinesisFirehose::DeliveryStream": ("DeliveryStreamName", "firehose", "deliverystream/{}"),
    "AWS::Lambda::Function": ("FunctionName", "lambda", "function:{}"),
    "AWS::Logs::LogGroup": ("LogGroupName", "logs", "log-group:{}:*"),
    "AWS::SQS::Queue": ("QueueName", "sqs", "{}"),
    "AWS::Transfer::Server": ("", "transfer", "server/{}"),
}


def functions_of(template: Mapping[str, Any]) -> dict[str, str]:
    """Return the logical ids of a translated template's functions by the names of their folders."""
    resources = template["Resources"].items()
    functions = [(name, one["Properties"]) for name, one in resources if one["Type"] == "AWS::Lambda::Function"]
    return {each["Code"]["S3Key"].rpartition("/")[2]: name for name, each in functions}


FUNCTIONS = functions_of(load_template(TEMPLATE, REGION))


@dataclass(frozen=True)
class Deployed:
    """The template's resources, resolved."""

    place: Place
    resources: Mapping[str, Mapping[str, Any]]

    def role(self, function: str) -> Role:
        """Return the role of a function, by its folder's name."""
        # Fn::GetAtt of a role, which has no other attribute.
        name = self._properties(FUNCTIONS[function])["Role"].rpartition("/")[2]
        statements = [
            statement
            for each in self._properties(name)["Policies"]
            for statement in each["PolicyDocument"]["Statement"]
        ]
        return self.identity(name, self.role_arn(name), statements)

    def identity(self, name: str, arn: str, statements: Iterable[Mapping[str, Any]]) -> Role:
        """Return an identity of the account with these statements, to which the audit bus's policy also applies."""
        policies = self._of_type("AWS::Events::EventBusPolicy").values()
        of_bus = [{**policy["Properties"]["Statement"]} for policy in policies]
        if any(statement.pop("Principal") != "*" for statement in of_bus):
            raise ValueError("This evaluation knows policies of a bus that speak of everyone.")
        return Role(name, tuple(one for each in (*statements, *of_bus) for one in permissions_of(each)), arn)

    def role_arn(self, role: str) -> str:
        """Return the ARN of a role by its logical id."""
        return self.place.arn("iam", f"role/{role}")

    def needs_of_lambda(self, function: str) -> set[Need]:
        """List what Lambda itself needs of the function's role."""
        mine = FUNCTIONS[function]
        mappings = [one["Properties"] for one in self._of_type("AWS::Lambda::EventSourceMapping").values()]
        name = self._properties(mine)["FunctionName"]
        queues = [one["EventSourceArn"] for one in mappings if one["FunctionName"] == name]
        taking = {Need(action, queue) for action in OF_EVENT_SOURCES for queue in queues}
        if "DeadLetterConfig" in self._properties(mine):
            taking.add(Need("sqs:SendMessage", self._properties(mine)["DeadLetterConfig"]["TargetArn"]))
        group = self._properties(mine)["LoggingConfig"]["LogGroup"]
        stream = self.place.arn("logs", f"log-group:{group}:log-stream:2026/11/24/[$LATEST]0123")
        return taking | {Need(action, stream) for action in OF_LOGS}

    def policies(self) -> Iterator[tuple[str, Any]]:
        """Yield every policy document of the template, with its path."""
        for name, resource in self.resources.items():
            yield from _documents(name, resource.get("Properties", {}))

    def is_versioned(self, bucket: str) -> bool:
        """Return whether a bucket, by its name in the tests, is versioned."""
        (name,) = (logical for logical, ours in BUCKETS.items() if ours == bucket)
        return "VersioningConfiguration" in self._properties(name)

    def needs_of(self, call: Call) -> list[Need]:
        """List what a call needs. The list is empty if the call names a version in an unversioned bucket.

        Notifications with a version id are accepted, but this template's landing bucket sends none. The permissions for
        versions become necessary when the bucket is versioned.
        """
        source = call["source"].partition("/")[0]
        named = [(call["bucket"], call["version"]), (source, call["source_version"])]
        if any(version and not self.is_versioned(bucket) for bucket, version in named):
            return []
        return needs_of(call, self.place)

    def _of_type(self, kind: str) -> dict[str, Mapping[str, Any]]:
        return {name: one for name, one in self.resources.items() if one["Type"] == kind}

    def _properties(self, name: str) -> Any:
        return self.resources[name]["Properties"]


@cache
def deployed(template: Path = TEMPLATE) -> Deployed:
    """Resolve the template."""
    return resolve(load_template(template, REGION))


def resolve(translated: Mapping[str, Any]) -> Deployed:
    """Resolve the names of a translated template."""
    place = Place(REGION, DEFAULT_ACCOUNT_ID, {})
    pseudo = {"StackName": STACK, "Region": REGION, "AccountId": place.account, "Partition": "aws"}
    # A permission to send from no address would be tested against nothing.
    given = {name: MAIL_FROM for name in translated.get("Parameters", {}) if name == "ShareMailFrom"}
    resolver = Resolver(translated, {f"AWS::{name}": value for name, value in pseudo.items()}, given)
    declared, resources = translated["Resources"], {}
    for name in creation_order(declared):
        resources[name] = declared[name] | {"Properties": resolver.resolve(declared[name].get("Properties", {}))}
        resolver.learn(name, *_reference(name, resources[name], place))
    keys = {BUCKETS[name]: _key(resources[name]) for name in BUCKETS}
    tables = (each["Properties"] for each in resources.values() if each["Type"] == "AWS::DynamoDB::Table")
    keys |= {table["TableName"]: table["SSESpecification"].get("KMSMasterKeyId", "") for table in tables}
    return Deployed(Place(place.region, place.account, keys), resources)


def _reference(name: str, resource: Mapping[str, Any], place: Place) -> tuple[str, dict[str, str]]:
    """Return the values of Ref and Fn::GetAtt for a resource."""
    kind = resource["Type"]
    if kind == "AWS::S3::Bucket":
        # CloudFormation names the bucket of the archive's page.
        bucket = BUCKETS.get(name) or resource["Properties"].get("BucketName", "web")
        return bucket, {"Arn": f"arn:aws:s3:::{bucket}", "RegionalDomainName": f"{bucket}.s3.amazonaws.com"}
    naming, service, form = _ARNS.get(kind, ("", "other", "{}"))
    own = resource["Properties"].get(naming, name)
    names = dict.fromkeys(("QueueName", "ServerId", "DomainName", "ApiEndpoint", "FunctionMetadata.FunctionARN"), own)
    return own, {"Arn": place.arn(service, form.format(own)), **names}


def _key(bucket: Mapping[str, Any]) -> str:
    (rule,) = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    return str(rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID", ""))


def _documents(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the policy documents in a value at any depth. CloudWatch Logs has its document as text."""
    if isinstance(value, str) and value.startswith("{") and '"Statement"' in value:
        value = json.loads(value)
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from _documents(f"{path}[{number}]", each)
    elif isinstance(value, dict) and "Statement" in value:
        # A bus's policy has each statement separately.
        alone = isinstance(value["Statement"], dict)
        yield path, {"Version": "2012-10-17", "Statement": [value["Statement"]]} if alone else value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _documents(f"{path}.{name}", each)
