"""The stack that a command works on: its name, its outputs, and AWS clients.

A local cloud is found like any other stack: AWS_ENDPOINT_URL points to it, and its CloudFormation describes the stack.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from boto3.session import Session
from botocore.exceptions import ClientError

from callseal.aws.calls import client
from callseal.calls.classes import COMPLIANCE_YEARS
from callseal.tenants.names import tenants_prefix
from callseal_cli.errors import SIGN_IN, CannotError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

DEFAULT_NAME = "callseal"
OUTPUTS_FILE = Path(".local") / "outputs.json"


@dataclass(frozen=True)
class Stack:
    """A stack with its outputs by their names in the template. `is_local` means that a local cloud runs it."""

    name: str
    region: str
    outputs: Mapping[str, str]
    _session: Session = field(repr=False)
    is_local: bool = False
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def s3(self) -> S3Client:
        """A client for S3."""
        made: S3Client = self.client("s3")
        return made

    @property
    def sqs(self) -> SQSClient:
        """A client for SQS."""
        made: SQSClient = self.client("sqs")
        return made

    @property
    def ssm(self) -> SSMClient:
        """A client for SSM."""
        made: SSMClient = self.client("ssm")
        return made

    @property
    def secrets(self) -> SecretsManagerClient:
        """A client for Secrets Manager."""
        made: SecretsManagerClient = self.client("secretsmanager")
        return made

    @property
    def dynamodb(self) -> DynamoDBClient:
        """A client for DynamoDB."""
        made: DynamoDBClient = self.client("dynamodb")
        return made

    @property
    def tenants_prefix(self) -> str:
        """The prefix of the names of tenants' secrets and parameters."""
        return tenants_prefix(self.name)

    def table(self, name: str) -> str:
        """Return the full name of one of the stack's DynamoDB tables."""
        return f"{self.name}-{name}"

    def client(self, service: str) -> Any:
        """Return the client of a service, created at the first call."""
        if service not in self._clients:
            self._clients[service] = client(self._session, service)
        return self._clients[service]

    def output(self, name: str) -> str:
        """Return an output. Raise CannotError if the stack has none of that name."""
        if name not in self.outputs:
            raise CannotError(f"The stack {self.name} has no output {name}: it is not Callseal's, or is older.")
        return self.outputs[name]

    @property
    def compliance_years(self) -> int:
        """The longest lock `compliance` that a policy's class may ask for."""
        return int(self.outputs.get("MaximumComplianceYears", COMPLIANCE_YEARS))


def find_stack(name: str | None) -> Stack:
    """Return the stack of a name, or the local cloud's or `callseal` for None. Raise CannotError if there is none."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or ""
    local = _local_outputs(endpoint)
    is_local = _is_this_machine(endpoint)
    session = _session(is_local, local.get("Region"))
    name = name or local.get("StackName") or DEFAULT_NAME
    # The local cloud's SFTP front starts after the stack, so CloudFormation there does not know its address.
    front = {output: local[output] for output in ("SftpHost", "SftpPort") if output in local}
    return Stack(name, session.region_name, front | _outputs(session, name), session, is_local)


def _local_outputs(endpoint: str) -> Mapping[str, str]:
    """Return the outputs file of the local cloud at an endpoint, from the current directory or this checkout."""
    for folder in (Path.cwd(), Path(__file__).resolve().parents[2]):
        try:
            outputs = json.loads((folder / OUTPUTS_FILE).read_text())
        except (OSError, ValueError):
            continue
        if endpoint and isinstance(outputs, dict) and outputs.get("EndpointUrl") == endpoint.rstrip("/"):
            return outputs
    return {}


def _session(is_local: bool, region: str | None) -> Session:
    """Return a session. Raise CannotError without credentials or region."""
    # An emulator accepts any credentials, and a request to the instance metadata service would take seconds.
    wants_any = is_local and not {"AWS_ACCESS_KEY_ID", "AWS_PROFILE"} & set(os.environ)
    any_will_do = "local" if wants_any else None
    # boto3 itself reads AWS_DEFAULT_REGION and the profile's region.
    region = os.environ.get("AWS_REGION") or Session().region_name or region
    session = Session(any_will_do, any_will_do, region_name=region)
    if not session.region_name:
        raise CannotError("No AWS region is set. Set AWS_REGION, or a region in the profile.")
    if not session.get_credentials():
        raise CannotError(f"There are no AWS credentials. {SIGN_IN}")
    return session


def _is_this_machine(endpoint: str) -> bool:
    return urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1")


def _outputs(session: Session, name: str) -> dict[str, str]:
    try:
        (stack,) = client(session, "cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as exc:
        if exc.response.get("Error", {}).get("Code") != "ValidationError":
            raise
        raise CannotError(
            f"There is no stack {name!r} in {session.region_name}. Name it with --stack or CALLSEAL_STACK, and check "
            "AWS_REGION and AWS_PROFILE. For the local cloud, set AWS_ENDPOINT_URL to what `make local` shows."
        ) from exc
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
