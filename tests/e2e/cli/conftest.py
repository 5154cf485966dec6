"""A stack in moto, in this process, as the command sees it: with its CloudFormation outputs and an audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from callseal.calls.call_file import Delivery
from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_facts import blind_facts, plain_facts
from callseal.calls.facts import Facts
from callseal.calls.outcome_member import stored_outcome
from callseal.calls.policy import Policy, judge
from callseal.core.audit import timestamp
from tests.e2e.cli.command import Answer, call
from tests.support import calls
from tests.support.clock import Clock
from tests.support.stack import ARCHIVE, AUDIT, LANDING, REGION, SFTP, STACK, Stack, stack

NOW = datetime.now(UTC)
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
        "AuditBusName": f"{STACK}-audit", "AuditBucketName": AUDIT,
        "AuditLogGroupName": LOG_GROUP, "EncryptQueueUrl": made.queue_url, "EncryptDeadLetterQueueUrl": dead_letters,
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


@pytest.fixture
def put(operator: Operator) -> Any:
    """Return a function that puts a call into the table, so many days before now, as the functions do."""
    cloud, clock = operator.stack, Clock()
    table, index = calls.table(cloud, clock), calls.blind_index(cloud, clock)

    def put(
        name: str,
        days: float,
        *,
        tenant: str = "acme",
        blind: bool = False,
        policy: Policy | None = None,
        **members: Any,
    ) -> str:
        started = NOW - timedelta(days=days)
        facts = Facts(started=started, seconds=61.0, **members)
        known = plain_facts(facts, lambda _: False)
        if blind:
            known = blind_facts(facts, lambda _: False, lambda kind, text: index.hashed(tenant, kind, text))
        call, moment = CallName(tenant, name), timestamp(started)
        delivery = Delivery("d" * 32, moment, 454_300, "ab" * 32, "cms", ("AB" * 32,))
        place = ("sftp", "sftp", f"{tenant}/{name}.wav.p7m")

        def judged(card: Card) -> Card:
            if policy is None:
                return card
            outcome = judge(policy, facts, lambda _: None)
            class_ = policy.classes[outcome.class_]
            return card.with_outcome(stored_outcome(outcome, policy.version, "judged", class_, started))

        assert table.apply({call: [
            lambda card: card.with_metadata(f"{tenant}/{name}.xml", "read", known, moment),
            lambda card: Card.with_delivery(card, place, delivery),
            judged,
        ]}) == {}  # fmt: skip
        return call.id

    return put
