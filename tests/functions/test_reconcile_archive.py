"""reconcile_archive: the archive and the cards say the same, or each difference is a finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest

from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_facts import blind_facts
from callseal.calls.facts import Facts
from callseal.core.audit import timestamp
from tests.functions.test_disposal_policy import policy
from tests.support.calls import blind_index, table
from tests.support.clock import Clock
from tests.support.disposal import (
    ARCHIVE,
    LANDED,
    LATER,
    card_of,
    outcome,
    put_call,
    put_cards,
    put_object,
    versions,
)
from tests.support.flow import Flow
from tests.support.metrics import emitted
from tests.support.network import Network
from tests.support.stack import Stack

FINDINGS = ("FileWithoutCard", "CardWithoutFile", "KeptTooLong", "LockedTooLong")
LATER_OUTCOME = outcome(LATER)
SCHEDULED = {"detail-type": "Scheduled Event", "source": "aws.events"}
FUTURE = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def acme(cloud: Stack) -> None:
    cloud.tenant("acme", settings={"deliver_to_archive": True})


def found(function: ModuleType, event: Any = None) -> dict[str, int]:
    counts: dict[str, int] = function.lambda_handler(event or {}, None)
    return {name: counts[name] for name in FINDINGS if counts[name]}


def test_an_archive_that_fits_its_cards_is_verified(
    cloud: Stack, reconcile_archive: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": FUTURE}
    put_call(cloud, "1", decided=LATER_OUTCOME)
    put_call(cloud, "2", ".wav", decided=outcome(LATER, keep_until="2099-01-01T00:00:00.000Z"), **lock)
    put_call(cloud, "3", ".wav", decided=outcome(), holds=["case"], ObjectLockLegalHoldStatus="ON")
    put_call(cloud, "4", ".wav", decided=LATER_OUTCOME, is_version_known=False)
    put_call(cloud, "1", tenant="beta", decided=LATER_OUTCOME)

    counts = reconcile_archive.lambda_handler({}, None)

    assert counts == {"calls": 5, "files": 7, "left": 0} | dict.fromkeys(FINDINGS, 0)
    events = {detail["tenant"]: detail["law"]["counts"] for detail in cloud.audit_details("RetentionVerified")}
    assert events == {"acme": {"calls": 4, "files": 5}, "beta": {"calls": 1, "files": 2}}
    (metrics,) = emitted(capsys)
    assert metrics["RetentionFindings"] == [0.0]
    assert metrics["RetentionReconcileAge"][0] < 60


def stray_file(cloud: Stack) -> None:
    put_object(cloud, "acme/2.wav")


def no_call(cloud: Stack) -> None:
    put_object(cloud, "acme/readme.txt")


def ended_call(cloud: Stack) -> None:
    put_cards(cloud, put_call(cloud, "2", ".wav").ended_by("disposed", "2026-01-01T00:00:00.000Z"))


def unknown_version(cloud: Stack) -> None:
    put_call(cloud, "2", ".wav", decided=LATER_OUTCOME)
    put_object(cloud, "acme/2.wav")


def unknown_file(cloud: Stack) -> None:
    card = put_call(cloud, "2", decided=LATER_OUTCOME)
    put_cards(cloud, replace(card, files=card.files[:2]))


def deleted_file(cloud: Stack) -> None:
    put_call(cloud, "2", ".wav", decided=LATER_OUTCOME)
    delete(cloud)


def deleted_file_of_an_unknown_version(cloud: Stack) -> None:
    put_call(cloud, "2", ".wav", decided=LATER_OUTCOME, is_version_known=False)
    delete(cloud)


def delete(cloud: Stack) -> None:
    for key, version in versions(cloud):
        if key.startswith("acme/2"):
            cloud.s3.delete_object(Bucket=ARCHIVE, Key=key, VersionId=version)


def due_call(cloud: Stack) -> None:
    put_call(cloud, "2")


def due_call_without_a_file(cloud: Stack) -> None:
    card = put_call(cloud, "2", ".wav")
    put_cards(cloud, replace(card, files=card.files[1:]))
    delete(cloud)


def locked_without_a_duty(cloud: Stack) -> None:
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": FUTURE}
    put_call(cloud, "2", ".wav", decided=LATER_OUTCOME, **lock)


def locked_longer_than_its_class(cloud: Stack) -> None:
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": FUTURE}
    put_call(cloud, "2", decided=outcome(LATER, keep_until="2098-12-31T00:00:00.000Z"), **lock)


def bit_without_a_hold(cloud: Stack) -> None:
    put_call(cloud, "2", ".wav", decided=LATER_OUTCOME, ObjectLockLegalHoldStatus="ON")


@pytest.mark.parametrize(
    ("prepare", "finding"),
    [(stray_file, "FileWithoutCard"), (no_call, "FileWithoutCard"), (ended_call, "FileWithoutCard"),
     (unknown_version, "FileWithoutCard"), (unknown_file, "FileWithoutCard"), (deleted_file, "CardWithoutFile"),
     (deleted_file_of_an_unknown_version, "CardWithoutFile"), (due_call, "KeptTooLong"),
     (due_call_without_a_file, "KeptTooLong"), (locked_without_a_duty, "LockedTooLong"),
     (locked_longer_than_its_class, "LockedTooLong"), (bit_without_a_hold, "LockedTooLong")],
    ids=lambda each: getattr(each, "__name__", ""),
)  # fmt: skip
def test_each_difference_is_a_finding(
    cloud: Stack, reconcile_archive: ModuleType, prepare: Any, finding: str, caplog: pytest.LogCaptureFixture
) -> None:
    put_call(cloud, "1", decided=LATER_OUTCOME)
    put_call(cloud, "1", tenant="beta", decided=LATER_OUTCOME)
    prepare(cloud)

    assert found(reconcile_archive) == {finding: 1}

    assert [detail["tenant"] for detail in cloud.audit_details("RetentionVerified")] == ["beta"]
    logged = [(record.finding, record.tenant) for record in caplog.records if record.message == "archive differs"]  # type: ignore[attr-defined]
    assert logged == [(finding, "acme")]


def test_lock_of_an_earlier_longer_class_is_no_finding(
    cloud: Stack, reconcile_archive: ModuleType, clock: Clock
) -> None:
    """`lock_recordings` had made it longer after the delivery, and no lock is made shorter."""
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": FUTURE}
    put_call(cloud, "1", decided=outcome(LATER, keep_until=timestamp(FUTURE)), **lock)
    cards, call = table(cloud, clock), CallName("acme", "1")
    shorter = outcome(LATER, keep_until="2098-12-31T00:00:00.000Z")
    for _ in range(2):
        cards.apply({call: [lambda card: card.with_outcome(shorter)]})

    assert found(reconcile_archive) == {}
    longer = outcome(LATER, keep_until="2099-12-31T00:00:00.000Z")
    cards.apply({call: [lambda card: card.with_outcome(longer)]})
    assert card_of(cloud, "1").outcome == longer


def test_a_call_is_not_late_for_the_first_hours(cloud: Stack, reconcile_archive: ModuleType, clock: Clock) -> None:
    put_call(cloud, "1", decided=outcome("2027-01-01T00:00:00.000Z"))
    clock.put_to(datetime(2027, 1, 1, 2, 59, tzinfo=UTC))
    assert found(reconcile_archive) == {}
    clock.pass_by(minutes=2)
    assert found(reconcile_archive) == {"KeptTooLong": 1}


def test_a_due_call_that_is_locked_or_that_the_present_policy_keeps_is_not_late(
    cloud: Stack, reconcile_archive: ModuleType, clock: Clock, encrypt_recording: ModuleType, read_metadata: ModuleType
) -> None:
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": FUTURE}
    put_call(cloud, "1", ".wav", decided=outcome(keep_until="2099-01-01T00:00:00.000Z"), **lock)
    blind = blind_index(cloud, clock)
    facts = blind_facts(Facts(queue="orders"), lambda _: False, lambda kind, text: blind.hashed("acme", kind, text))
    card = Card(CallName("acme", "2")).with_metadata("m", "read", facts, LANDED).with_outcome(outcome())
    put_cards(cloud, card)
    assert found(reconcile_archive) == {"KeptTooLong": 1}
    kept = policy("200y", queue=["orders"])
    kept["classes"]["default"] = {"delete_after": "1d"}
    Flow(cloud, encrypt_recording, read_metadata).policy(kept)
    clock.pass_by(minutes=2)
    assert found(reconcile_archive) == {}


def test_a_tenant_whose_calls_are_not_indexed_needs_no_cards(cloud: Stack, reconcile_archive: ModuleType) -> None:
    cloud.tenant("acme", settings={"deliver_to_archive": True, "call_index": "off"})
    put_object(cloud, "acme/1.wav")
    assert found(reconcile_archive) == {}


def test_a_file_whose_card_comes_a_moment_later_is_no_finding(
    cloud: Stack, reconcile_archive: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = put_call(cloud, "1", ".wav", decided=LATER_OUTCOME)
    cloud.dynamodb.delete_item(
        TableName="callseal-test-calls", Key={"tenant": {"S": "acme"}, "id": {"S": card.call.id}}
    )
    monkeypatch.setattr("callseal.wiring.disposal_container.sleep", lambda _: put_cards(cloud, card))
    assert found(reconcile_archive) == {}


def test_a_call_that_is_disposed_of_meanwhile_is_no_finding(
    cloud: Stack, reconcile_archive: ModuleType, network: Network
) -> None:
    put_call(cloud, "1", ".wav", decided=LATER_OUTCOME)

    def dispose(_: Any) -> None:
        for key, version in versions(cloud):
            cloud.s3.delete_object(Bucket=ARCHIVE, Key=key, VersionId=version)
        put_cards(cloud, card_of(cloud, "1").ended_by("disposed", "2099-01-01T00:00:00.000Z"))

    network.before("HeadObject", dispose)
    assert found(reconcile_archive) == {}


def test_a_comparison_begins_every_week_and_is_continued(
    cloud: Stack, reconcile_archive: ModuleType, clock: Clock, network: Network
) -> None:
    for tenant in ("acme", "beta"):
        put_call(cloud, "1", tenant=tenant, decided=LATER_OUTCOME)
    network.after("ListObjectVersions", lambda _: clock.pass_by(minutes=13))
    counts = reconcile_archive.lambda_handler(SCHEDULED, None)
    assert (counts["left"], counts["files"], counts["calls"]) == (2, 2, 0)
    counts = reconcile_archive.lambda_handler(SCHEDULED, None)
    assert (counts["left"], counts["files"], counts["calls"]) == (0, 4, 2)

    put_object(cloud, "acme/2.wav")
    clock.pass_by(days=6)
    assert found(reconcile_archive, SCHEDULED) == {}
    clock.pass_by(days=1)
    assert found(reconcile_archive, SCHEDULED) == {"FileWithoutCard": 1}
    assert len(cloud.audit_details("RetentionVerified")) == 3
    assert found(reconcile_archive) == {"FileWithoutCard": 1}, "a person begins one at any time"
