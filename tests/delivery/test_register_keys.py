"""register_keys: the audit events of keys and deliveries become the register, each counted once."""

from __future__ import annotations

import copy
import json
from types import ModuleType

import pytest

from tests.delivery.scene import check, current
from tests.support.clock import Clock
from tests.support.keys import x509_tenant
from tests.support.network import Network, answer
from tests.support.register import TABLE, feed, items, rows
from tests.support.stack import Stack, failures, sqs_event


def deliver(cloud: Stack, encrypt_recording: ModuleType, *keys: str) -> None:
    event = sqs_event(*(cloud.land(key, b"said") for key in keys))
    assert failures(encrypt_recording.lambda_handler(event, None)) == []


def test_a_keys_life_stands_in_the_register(
    cloud: Stack, check_keys: ModuleType, encrypt_recording: ModuleType, register_keys: ModuleType, clock: Clock
) -> None:
    old, new = x509_tenant("rsa2048", "old"), x509_tenant("p256", "new")
    cloud.tenant("acme", old.public_text)
    check(check_keys)
    first = current(cloud)
    deliver(cloud, encrypt_recording, "acme/1.wav", "acme/2.wav")
    clock.pass_by(minutes=2)
    cloud.put_key("acme", new.public_text)
    check(check_keys)
    deliver(cloud, encrypt_recording, "acme/3.wav")

    feed(cloud, register_keys.lambda_handler)

    told = {event["detail"]["key_version"]: event["detail"] for event in cloud.audit()
            if event["detail-type"] == "KeyAccepted"}  # fmt: skip
    deliveries = cloud.audit_details("RecordingDelivered")
    found = {row["secret_version_id"]: row for row in rows(cloud.dynamodb).values()}
    retired, in_use = found[first], found[current(cloud)]
    assert (retired["kind"], retired["algorithm"], retired["strength"]) == ("x509", "RSA", 2048)
    assert retired["accepted"] == retired["first_seen"] == told[first]["time"]
    assert retired["retired"] == told[current(cloud)]["time"]
    assert retired["not_after"] == told[first]["recipients"][0]["not_after"]
    assert (retired["use_count"], in_use["use_count"]) == (2, 1)
    assert retired["last_used"] == max(detail["time"] for detail in deliveries[:2])
    assert in_use["last_used"] == deliveries[2]["time"]
    assert "retired" not in in_use
    assert "proven" not in in_use


def test_events_that_come_twice_are_counted_once(
    cloud: Stack, check_keys: ModuleType, encrypt_recording: ModuleType, register_keys: ModuleType
) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    check(check_keys)
    deliver(cloud, encrypt_recording, *(f"acme/{number}.wav" for number in range(5)))
    events = cloud.audit()

    feed(cloud, register_keys.lambda_handler, events[:4])
    before = rows(cloud.dynamodb)
    for batch in (events, events[2:] + events[:3], [*events, *events]):
        feed(cloud, register_keys.lambda_handler, batch)

    (row,) = rows(cloud.dynamodb).values()
    assert row["use_count"] == 5
    assert {name: value for name, value in row.items() if name not in ("use_count", "last_used")} == {
        name: value for name, value in next(iter(before.values())).items() if name not in ("use_count", "last_used")
    }


def test_many_uses_are_counted_in_few_writes(
    cloud: Stack, register_keys: ModuleType, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    deliver(cloud, encrypt_recording, "acme/1.wav")
    (event,) = cloud.audit()
    events = []
    for number in range(150):
        events.append(copy.deepcopy(event))
        events[-1]["detail"]["id"] = f"{number:032x}"

    feed(cloud, register_keys.lambda_handler, events)

    (row,) = rows(cloud.dynamodb).values()
    assert row["use_count"] == 150
    assert len(network.asked("TransactWriteItems")) == 2


def test_a_count_whose_answer_is_lost_is_not_made_again(
    cloud: Stack, encrypt_recording: ModuleType, register_keys: ModuleType, network: Network
) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    deliver(cloud, encrypt_recording, "acme/1.wav", "acme/2.wav")
    network.cut("TransactWriteItems", after=True)
    events = cloud.audit()

    assert failures(register_keys.lambda_handler(sqs_event(*events), None)) == ["m0", "m1"]
    assert failures(register_keys.lambda_handler(sqs_event(*events), None)) == []

    assert [row["use_count"] for row in rows(cloud.dynamodb).values()] == [2]


@pytest.mark.parametrize(("conflicts", "failed"), [(7, []), (8, ["m0"])])
def test_a_count_that_meets_another_is_made_again(
    cloud: Stack, encrypt_recording: ModuleType, register_keys: ModuleType, network: Network, conflicts: int,
    failed: list[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Two batches add to the same key's row at once; DynamoDB cancels one of the two."""
    monkeypatch.setattr("callseal.aws.key_uses.PAUSE_SECONDS", 0.001)
    cloud.tenant("acme", x509_tenant().public_text)
    deliver(cloud, encrypt_recording, "acme/1.wav")
    reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]
    body = json.dumps({"__type": "TransactionCanceledException", "message": "x", "CancellationReasons": reasons})
    network.before("TransactWriteItems", lambda request: answer(request, 400, body.encode()), times=conflicts)

    assert failures(register_keys.lambda_handler(sqs_event(*cloud.audit()), None)) == failed

    assert [row["use_count"] for row in rows(cloud.dynamodb).values()] == ([] if failed else [1])


def test_a_row_that_a_count_is_writing_to_is_written_again(
    cloud: Stack, check_keys: ModuleType, register_keys: ModuleType, network: Network
) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    check(check_keys)
    network.fail("UpdateItem", 400, "TransactionConflictException")
    feed(cloud, register_keys.lambda_handler)
    assert len(rows(cloud.dynamodb)) == 1


@pytest.mark.parametrize(
    "body", ["no JSON", "{}", '{"detail-type": "KeyAccepted"}', '{"detail-type": "KeyAccepted", "detail": {"id": "x"}}']
)
def test_what_is_no_audit_event_fails_alone(
    cloud: Stack, check_keys: ModuleType, register_keys: ModuleType, body: str
) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    check(check_keys)
    good = next(event for event in cloud.audit() if event["detail-type"] == "KeyAccepted")

    assert failures(register_keys.lambda_handler(sqs_event(body, good), None)) == ["m0"]

    assert len(rows(cloud.dynamodb)) == 1


def test_two_writers_at_once_lose_nothing(
    cloud: Stack, check_keys: ModuleType, register_keys: ModuleType, network: Network
) -> None:
    """A proof arrives while the acceptance is written: the second of them reads again what it wants to write."""
    cloud.tenant("acme", x509_tenant().public_text)
    check(check_keys)
    accepted = next(event for event in cloud.audit() if event["detail-type"] == "KeyAccepted")
    proven = copy.deepcopy(accepted) | {"detail-type": "KeyProven"}
    network.before("UpdateItem", lambda _: feed(cloud, register_keys.lambda_handler, [proven]))  # type: ignore[func-returns-value]

    feed(cloud, register_keys.lambda_handler, [accepted])

    (row,) = rows(cloud.dynamodb).values()
    assert row["accepted"] == row["proven"] == accepted["detail"]["time"]


def test_plain_recordings_and_odd_tenants_are_no_uses(
    cloud: Stack, encrypt_recording: ModuleType, register_keys: ModuleType
) -> None:
    cloud.tenant("acme", None, {"encrypt": False})
    deliver(cloud, encrypt_recording, "acme/1.wav")
    feed(cloud, register_keys.lambda_handler)
    assert cloud.dynamodb.scan(TableName=TABLE)["Items"] == []


def test_nothing_stands_in_the_register_but_keys(
    cloud: Stack, check_keys: ModuleType, register_keys: ModuleType
) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    check(check_keys)
    feed(cloud, register_keys.lambda_handler)
    assert len(items(cloud.dynamodb)) == 1
