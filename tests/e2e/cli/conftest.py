"""A stack in moto, in this process, as the command sees it: with its CloudFormation outputs and an audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.e2e.cli.command import Answer, call
from tests.support.stack import ARCHIVE, LANDING, REGION, SFTP, STACK, Stack, stack

LOG_GROUP, REGISTER = f"/{STACK}/audit", f"{STACK}-key-register"


@dataclass
class Operator:
    """An operator with the command, and the stack that it works on."""

    stack: Stack
    dead_letters: str

    def __call__(self, *arguments: str | Path, data: bytes | None = None) -> Answer:
        """Call the command; `data` is standard input."""
        return call(*arguments, data=data)

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """Call the command for JSON, and return the parsed output."""
        answer = self(*arguments, "--json")
        assert answer.code == code, answer
        assert not answer.err
        return json.loads(answer.out)

    def refused(self, *arguments: str | Path) -> str:
        """Call the command for an impossible action, and return its sentence, which is the same in both forms."""
        plain, formed = self(*arguments), self(*arguments, "--json")
        assert (plain.code, plain.out, formed.code, formed.out) == (2, "", 2, "")
        sentence = str(json.loads(formed.err)["error"])
        assert plain.err == f"callseal: {sentence}\n"
        return sentence


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Operator]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALLSEAL_STACK", STACK)
    monkeypatch.setenv("COLUMNS", "80")
    with stack() as made:
        dead_letters = made.sqs.create_queue(QueueName=f"{STACK}-encrypt-dead-letters")["QueueUrl"]
        _register(made, dead_letters)
        yield Operator(made, dead_letters)


def _register(made: Stack, dead_letters: str) -> None:
    """Register the stack with CloudFormation, and send the audit events to a log group."""
    outputs = {
        "LandingBucketName": LANDING, "SftpBucketName": SFTP, "ArchiveBucketName": ARCHIVE,
        "AuditBusName": f"{STACK}-audit", "AuditLogGroupName": LOG_GROUP, "EncryptQueueUrl": made.queue_url,
        "EncryptDeadLetterQueueUrl": dead_letters,
    }  # fmt: skip
    template = {"Resources": {}, "Outputs": {name: {"Value": value} for name, value in outputs.items()}}
    boto3.client("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps(template))
    arn = f"arn:aws:logs:{REGION}:123456789012:log-group:{LOG_GROUP}"
    made.events.put_targets(Rule="audit", EventBusName=f"{STACK}-audit", Targets=[{"Id": "log", "Arn": arn}])


@pytest.fixture
def key_register(operator: Operator) -> Any:
    """Return a function that puts an item into the key register."""
    table = boto3.resource("dynamodb").Table(REGISTER)
    return lambda **item: table.put_item(Item=item)
