"""register_keys: the audit events of keys and deliveries become the register, each counted once."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest

from callseal.core.audit import AuditEvent, event
from tests.functions.scene import check, current
from tests.support.clock import Clock
from tests.support.keys import x509_tenant
from tests.support.network import Network, answer, cancelling, refusing
from tests.support.register import TABLE, feed, items, rows
from tests.support.stack import Stack, failures, sqs_event

A, B, C = (letter * 64 for letter in "ABC")


def deliver(cloud: Stack, encrypt_recording: ModuleType, *keys: str) -> None:
    event = sqs_event(*(cloud.land(key, b"said") for key in keys))
    assert failures(encrypt_recording.lambda_handler(event, None)) == []


def accepted(clock: Clock, tenant: str, fingerprint: str) -> dict[str, Any]:
    """Return the audit event of an accepted key, as check_keys puts it on the bus."""
    clock.pass_by(seconds=1)
    key = {"fingerprint": fingerprint, "kind": "x509", "not_after": None, "algorithm": "RSA", "strength": 3072}
    members = {"tenant": tenant, "recipients": [key], "key_version": f"version-{fingerprint[0]}"}
    return as_sent(event("KeyAccepted", clock(), members, ["KeyAccepted", tenant, fingerprint]))


def used(clock: Clock, tenant: str, number: int, fingerprint: str) -> dict[str, Any]:
    """Return the audit event of a recording that was sealed to a key, as encrypt_recording puts it on the bus."""
    key = {"fingerprint": fingerprint, "kind": "x509", "not_after": None}
    members = {"tenant": tenant, "recipients": [key], "key_version": "v"}
    sent = as_sent(event("RecordingDelivered", clock(), members, [number]))
    sent["detail"]["id"] = f"event-{number}"
    return sent


def as_sent(audit_event: AuditEvent) -> dict[str, Any]:
    return {"detail-type": audit_event.detail_type, "detail": json.loads(json.dumps(audit_event.detail))}


def changed_event(sent: dict[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """Change members of an event at either level. `recipient` is its first recipient."""
    for name, value in changed.items():
        if name == "recipient":
            sent["detail"]["recipients"][0] |= value
        else:
            (sent if name in sent else sent["detail"])[name] = value
    return sent


def test_register_records_the_life_of_a_key(
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

    verdicts = {event["detail"]["key_version"]: event["detail"] for event in cloud.audit()
            if event["detail-type"] == "KeyAccepted"}  # fmt: skip
    deliveries = cloud.audit_details("RecordingDelivered")
    found = {row["secret_version_id"]: row for row in rows(cloud.dynamodb).values()}
    retired, in_use = found[first], found[current(cloud)]
    assert (retired["kind"], retired["algorithm"], retired["strength"]) == ("x509", "RSA", 2048)
    assert retired["accepted"] == retired["first_seen"] == verdicts[first]["time"]
    assert retired["retired"] == verdicts[current(cloud)]["time"]
    assert retired["not_after"] == verdicts[first]["recipients"][0]["not_after"]
    assert (retired["use_count"], in_use["use_count"]) == (2, 1)
    assert retired["last_used"] == max(detail["time"] for detail in deliveries[:2])
    assert in_use["last_used"] == deliveries[2]["time"]
    assert "retired" not in in_use
    assert "proven" not in in_use


def test_repeated_events_are_counted_once(
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


def test_last_use_is_the_latest_use_in_any_order_of_batches(
    cloud: Stack, register_keys: ModuleType, clock: Clock
) -> None:
    early, middle, late = (used(clock, "acme", number, A) for number in range(3))
    for number, each in enumerate((early, middle, late)):
        each["detail"]["time"] = f"2026-01-01T00:00:0{number}.000Z"

    feed(cloud, register_keys.lambda_handler, [late])
    feed(cloud, register_keys.lambda_handler, [middle, early])
    feed(cloud, register_keys.lambda_handler, [late, early])

    (row,) = rows(cloud.dynamodb).values()
    assert (row["last_used"], row["use_count"]) == (late["detail"]["time"], 3)


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


def test_count_is_not_repeated_when_its_answer_is_lost(
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
def test_conflicting_count_is_retried(
    cloud: Stack, encrypt_recording: ModuleType, register_keys: ModuleType, network: Network, conflicts: int,
    failed: list[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Two batches add to the same key's row at once, and DynamoDB cancels one of them."""
    monkeypatch.setattr("callseal.keys.usage_table.PAUSE_SECONDS", 0.001)
    cloud.tenant("acme", x509_tenant().public_text)
    deliver(cloud, encrypt_recording, "acme/1.wav")
    reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]
    body = json.dumps({"__type": "TransactionCanceledException", "message": "x", "CancellationReasons": reasons})
    network.before("TransactWriteItems", lambda request: answer(request, 400, body.encode()), times=conflicts)

    assert failures(register_keys.lambda_handler(sqs_event(*cloud.audit()), None)) == failed

    assert [row["use_count"] for row in rows(cloud.dynamodb).values()] == ([] if failed else [1])


def test_row_is_written_again_when_a_count_conflicts(
    cloud: Stack, check_keys: ModuleType, register_keys: ModuleType, network: Network
) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    check(check_keys)
    network.requests.clear()
    network.before("TransactWriteItems", cancelling("TransactionConflict", "fingerprint"))
    feed(cloud, register_keys.lambda_handler)
    assert len(rows(cloud.dynamodb)) == 1
    assert len(network.asked("Query")) == 2, "it is read again first"


def test_lasting_conflict_returns_the_message_to_the_queue(
    cloud: Stack, register_keys: ModuleType, network: Network, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callseal.aws.item_batches.PAUSE_SECONDS", 0.0001)
    network.before("TransactWriteItems", cancelling("ConditionalCheckFailed", A), times=None)
    events = [accepted(clock, "acme", A), accepted(clock, "acme", B), accepted(clock, "other", C)]
    assert failures(register_keys.lambda_handler(sqs_event(*events), None)) == ["m0", "m1"]
    assert list(rows(cloud.dynamodb, "other")) == [C]
    network.mend()
    feed(cloud, register_keys.lambda_handler, events)
    assert set(rows(cloud.dynamodb)) == {A, B}


@pytest.mark.parametrize("changed", [
    {"detail-type": "FileFetched"}, {"detail-type": None}, {"detail": None}, {"id": ""}, {"time": "t"},
    {"tenant": "nobody's"}, {"tenant": 5}, {"recipients": 5}, {"recipients": ["x"]}, {"recipients": [{}]},
    *({"recipient": {"fingerprint": odd}} for odd in (None, "", 5, "challenge#" + "A" * 40, ["A" * 40])),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("kind", ["KeyAccepted", "RecordingDelivered"])
def test_malformed_event_fails_alone(
    cloud: Stack, register_keys: ModuleType, network: Network, kind: str, changed: dict[str, Any], clock: Clock
) -> None:
    odd = changed_event(accepted(clock, "acme", A) | {"detail-type": kind}, changed)
    uses = [used(clock, "acme", number, B) for number in range(90)]
    others = [*uses, *(accepted(clock, f"tenant-{number}", C) for number in range(9))]

    assert failures(register_keys.lambda_handler(sqs_event(*others[:50], odd, *others[50:]), None)) == ["m50"]

    assert rows(cloud.dynamodb)[B]["use_count"] == 90
    assert list(rows(cloud.dynamodb)) == [B]
    assert all(C in rows(cloud.dynamodb, f"tenant-{number}") for number in range(9))
    # 9 tenants' rows, their keys, and 90 uses. The malformed event causes no request.
    assert Counter(one.operation for one in network.requests) == {"Query": 9, "TransactWriteItems": 2}


@pytest.mark.parametrize("changed", [
    {"tenant": None}, {"key_version": 5}, {"recipient": {"kind": None, "strength": "3072"}},
    {"recipient": {"not_after": 5}}, {"recipient": {"strength": True}}, {"recipient": {"algorithm": {}}},
], ids=str)  # fmt: skip
def test_malformed_key_fails_alone(
    cloud: Stack, register_keys: ModuleType, changed: dict[str, Any], clock: Clock
) -> None:
    odd, good = changed_event(accepted(clock, "acme", A), changed), accepted(clock, "acme", B)
    assert failures(register_keys.lambda_handler(sqs_event(odd, good), None)) == ["m0"]
    assert list(rows(cloud.dynamodb)) == [B]


@pytest.mark.parametrize("missing", ["reason", "key_version", "recipients"])
def test_a_verdict_without_a_member_fails_alone(
    cloud: Stack, register_keys: ModuleType, missing: str, clock: Clock
) -> None:
    odd = accepted(clock, "acme", A) | {"detail-type": "KeyRejected"}
    del odd["detail"][missing]
    assert failures(register_keys.lambda_handler(sqs_event(odd, accepted(clock, "acme", B)), None)) == ["m0"]
    assert list(rows(cloud.dynamodb)) == [B]


@pytest.mark.parametrize(
    "body", ["no JSON", "{}", '{"detail-type": "KeyAccepted"}', '{"detail-type": "KeyAccepted", "detail": {"id": "x"}}']
)
def test_message_that_is_no_audit_event_fails_alone(
    cloud: Stack, check_keys: ModuleType, register_keys: ModuleType, body: str
) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    check(check_keys)
    good = next(event for event in cloud.audit() if event["detail-type"] == "KeyAccepted")

    assert failures(register_keys.lambda_handler(sqs_event(body, good), None)) == ["m0"]

    assert len(rows(cloud.dynamodb)) == 1


@pytest.mark.parametrize("refused", ["event-63", C])
def test_item_that_dynamodb_rejects_fails_alone(
    cloud: Stack, register_keys: ModuleType, network: Network, refused: str, clock: Clock
) -> None:
    """A use's id, or a key's row: DynamoDB rejects each request that contains it."""
    events = [used(clock, "acme", number, C if number == 63 else A) for number in range(99)]
    events.append(accepted(clock, "other", B))
    network.before("TransactWriteItems", refusing("ValidationException", refused), times=None)

    assert failures(register_keys.lambda_handler(sqs_event(*events), None)) == ["m63"]

    assert rows(cloud.dynamodb)[A]["use_count"] == 98
    assert list(rows(cloud.dynamodb, "other")) == [B]


def test_use_that_cancels_a_transaction_fails_alone(
    cloud: Stack, register_keys: ModuleType, network: Network, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One tenant's row is written to all the time. The other tenants' events do not wait for it."""
    monkeypatch.setattr("callseal.keys.usage_table.PAUSE_SECONDS", 0.0001)
    events = [used(clock, "busy" if number in (3, 7) else "acme", number, A) for number in range(40)]
    network.before("TransactWriteItems", cancelling("TransactionConflict", "busy"), times=None)

    assert failures(register_keys.lambda_handler(sqs_event(*events), None)) == ["m3", "m7"]

    assert rows(cloud.dynamodb)[A]["use_count"] == 38
    assert rows(cloud.dynamodb, "busy") == {}
    network.mend()
    feed(cloud, register_keys.lambda_handler, events)
    assert (rows(cloud.dynamodb)[A]["use_count"], rows(cloud.dynamodb, "busy")[A]["use_count"]) == (38, 2)


def test_use_of_more_keys_than_a_transaction_allows_fails_alone(
    cloud: Stack, register_keys: ModuleType, clock: Clock
) -> None:
    many = used(clock, "acme", 0, A)
    many["detail"]["recipients"] = [{"fingerprint": f"{number:064X}"} for number in range(100)]
    others = [used(clock, "acme", number, A) for number in (1, 2)]
    assert failures(register_keys.lambda_handler(sqs_event(others[0], many, others[1]), None)) == ["m1"]
    assert {name: row["use_count"] for name, row in rows(cloud.dynamodb).items()} == {A: 2}


def test_a_tenant_whose_rows_cannot_be_read_fails_alone(
    cloud: Stack, register_keys: ModuleType, network: Network, clock: Clock
) -> None:
    network.before("Query", refusing("ThrottlingException", "busy"), times=None)
    events = [accepted(clock, "busy", A), accepted(clock, "acme", A), used(clock, "busy", 1, A)]
    assert failures(register_keys.lambda_handler(sqs_event(*events), None)) == ["m0"]
    assert list(rows(cloud.dynamodb)) == [A]
    assert rows(cloud.dynamodb, "busy")[A]["use_count"] == 1


def test_a_use_that_comes_twice_in_a_batch_fails_twice(
    cloud: Stack, register_keys: ModuleType, network: Network, clock: Clock
) -> None:
    use = used(clock, "acme", 1, A)
    network.fail("TransactWriteItems", 400, "ThrottlingException")
    assert failures(register_keys.lambda_handler(sqs_event(use, use), None)) == ["m0", "m1"]
    feed(cloud, register_keys.lambda_handler, [use, use])
    assert rows(cloud.dynamodb)[A]["use_count"] == 1


def test_a_full_batch_is_few_requests(cloud: Stack, register_keys: ModuleType, network: Network, clock: Clock) -> None:
    """80 uses of 10 tenants' keys and 20 events of the keys need a read for each tenant, and two writes.

    One write is for all keys, the other for the uses.
    """
    tenants = [f"tenant-{number}" for number in range(10)]
    events = [used(clock, tenants[number % 10], number, A) for number in range(80)]
    events += [accepted(clock, name, fingerprint) for name in tenants for fingerprint in (A, B)]
    feed(cloud, register_keys.lambda_handler, events)
    assert Counter(one.operation for one in network.requests) == {"Query": 10, "TransactWriteItems": 2}
    for name in tenants:
        first, second = (rows(cloud.dynamodb, name)[one] for one in (A, B))
        assert (first["use_count"], first["retired"]) == (8, second["accepted"])


def test_two_concurrent_writers_lose_no_update(
    cloud: Stack, check_keys: ModuleType, register_keys: ModuleType, network: Network
) -> None:
    """A proof arrives while the acceptance is being written. The second writer reads the row again."""
    cloud.tenant("acme", x509_tenant().public_text)
    check(check_keys)
    accepted = next(event for event in cloud.audit() if event["detail-type"] == "KeyAccepted")
    proven = copy.deepcopy(accepted) | {"detail-type": "KeyProven"}
    network.before("TransactWriteItems", lambda _: feed(cloud, register_keys.lambda_handler, [proven]))  # type: ignore[func-returns-value]

    feed(cloud, register_keys.lambda_handler, [accepted])

    (row,) = rows(cloud.dynamodb).values()
    assert row["accepted"] == row["proven"] == accepted["detail"]["time"]


def test_plain_recordings_and_invalid_tenants_are_no_uses(
    cloud: Stack, encrypt_recording: ModuleType, register_keys: ModuleType
) -> None:
    cloud.tenant("acme", None, {"encrypt": False})
    deliver(cloud, encrypt_recording, "acme/1.wav")
    feed(cloud, register_keys.lambda_handler)
    assert cloud.dynamodb.scan(TableName=TABLE)["Items"] == []


def test_register_contains_only_keys(cloud: Stack, check_keys: ModuleType, register_keys: ModuleType) -> None:
    cloud.tenant("acme", x509_tenant().public_text)
    check(check_keys)
    feed(cloud, register_keys.lambda_handler)
    assert len(items(cloud.dynamodb)) == 1
