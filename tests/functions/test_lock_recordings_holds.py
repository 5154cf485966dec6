"""lock_recordings places and releases holds, and puts each delivered recording under those of its call."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from callseal.calls.call_name import CallName
from callseal.retention import lock_recordings as module
from callseal.retention import scope_walk
from tests.functions.test_call_policy import metadata
from tests.functions.test_locks import BOTH, KEPT, WAV, XML, policy
from tests.support.calls import cards
from tests.support.clock import Clock
from tests.support.flow import Flow
from tests.support.holds import APPROVES, ASKS, CALLER, HoldScene
from tests.support.network import Network
from tests.support.stack import ARCHIVE, Stack, failures, sqs_event

CALL = CallName("acme", "2026/4711_1")
QUEUE = "invoice_no"
Handle = Callable[..., list[str]]


@pytest.fixture
def holds(cloud: Stack, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> HoldScene:
    monkeypatch.setattr("callseal.retention.hold_messages.SETTLE_SECONDS", 0)
    return HoldScene(cloud, clock)


@pytest.fixture
def flow(cloud: Stack, encrypt_recording: ModuleType, read_metadata: ModuleType) -> Flow:
    cloud.tenant("acme", None, BOTH | {"encrypt": False})
    return Flow(cloud, encrypt_recording, read_metadata)


@pytest.fixture
def lock(cloud: Stack, lock_recordings: ModuleType) -> Handle:
    """Return a function that hands messages to lock_recordings, and returns those that failed."""

    def handle(*bodies: Any, receives: int = 1) -> list[str]:
        return failures(lock_recordings.lambda_handler(sqs_event(*bodies, receives=receives), None))

    return handle


def events(cloud: Stack) -> list[Any]:
    return [event for event in cloud.audit() if event["detail-type"] == "RecordingDelivered"]


def work(cloud: Stack, lock: Handle) -> int:
    """Pass the messages of holds to the function until there are none. Return how many there were."""
    number = 0
    while bodies := cloud.take(cloud.environment["LOCK_QUEUE_URL"]):
        assert lock(*bodies) == []
        number += len(bodies)
    return number


def test_calls_are_held_and_freed(cloud: Stack, holds: HoldScene, lock: Handle) -> None:
    plain, blind = holds.deliver("1", caller=CALLER), holds.deliver("2", caller=CALLER, blind=True)
    other = holds.deliver("3", caller="+4733445566")
    holds.create("case-1", party=CALLER)
    assert work(cloud, lock) == 1
    assert holds.held([plain, blind, other]) == [("case-1",), ("case-1",), ()]
    holds.people.ask_release("acme", "case-1", ASKS)
    holds.people.approve_release("acme", "case-1", APPROVES)
    assert work(cloud, lock) == 1
    assert holds.held([plain, blind, other]) == [()] * 3
    kinds = [event["detail-type"] for event in cloud.audit() if event["detail-type"].startswith("Hold")]
    assert kinds == ["HoldPlaced", "HoldReleaseAsked", "HoldReleased"]


def test_long_work_is_done_by_several_messages(
    cloud: Stack, holds: HoldScene, lock: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RUN_TIME", timedelta(seconds=-1))
    monkeypatch.setattr(scope_walk, "BATCH", 2)
    calls = [holds.deliver(str(number), caller=CALLER) for number in range(4)]
    holds.create("case-1", party=CALLER)
    assert work(cloud, lock) > 2
    assert holds.held(calls) == [("case-1",)] * 4


def test_a_call_that_is_gone_is_listed(cloud: Stack, holds: HoldScene, lock: Handle) -> None:
    call = holds.deliver("1", caller=CALLER)
    file = holds.card(call).files[0]
    cloud.s3.delete_object(Bucket=ARCHIVE, Key=file.key, VersionId=file.deliveries[0].version)
    holds.create("case-1", party=CALLER)
    work(cloud, lock)
    assert holds.table.count(holds.find("case-1")).gone == (call,)


@pytest.mark.parametrize("first", ["event", "hold"])
def test_an_event_and_a_hold_in_both_orders(
    cloud: Stack, flow: Flow, holds: HoldScene, lock: Handle, first: str
) -> None:
    """The function indexes the call itself, so the hold finds it whatever index_calls has done."""
    if first == "hold":
        holds.create("case-1", queue=QUEUE)
    flow.land(XML, metadata())
    flow.land(WAV)
    assert lock(*events(cloud)) == []
    assert holds.card(CALL.id).holds == (("case-1",) if first == "hold" else ())
    if first == "event":
        holds.create("case-1", queue=QUEUE)
    work(cloud, lock)
    assert holds.card(CALL.id).holds == ("case-1",)
    assert archived_bits(cloud) == {True}


def test_a_later_call_is_held_as_it_lands(cloud: Stack, flow: Flow, holds: HoldScene, lock: Handle) -> None:
    holds.create("case-1", queue=QUEUE, future=True)
    holds.create("past", queue=QUEUE)
    work(cloud, lock)
    flow.land(WAV)
    assert lock(*events(cloud)) == []
    assert archived_bits(cloud) == {False}, "nothing says yet whose call it is"
    flow.land(XML, metadata())
    assert lock(*events(cloud)) == []
    assert archived_bits(cloud) == {True}
    assert holds.card(CALL.id).holds == ("case-1",)


def test_a_held_call_is_locked_longer_all_the_same(cloud: Stack, flow: Flow, holds: HoldScene, lock: Handle) -> None:
    """A lock and a hold are independent of each other."""
    flow.policy(policy(KEPT))
    flow.land(XML, metadata())
    flow.land(WAV)
    assert lock(*events(cloud)) == []
    holds.create("case-1", calls=(CALL.id,))
    work(cloud, lock)
    assert lock({"tenant": "acme", "call": CALL.id}) == []
    head = cloud.s3.head_object(Bucket=ARCHIVE, Key=WAV)
    assert (head["ObjectLockMode"], head["ObjectLockLegalHoldStatus"]) == ("GOVERNANCE", "ON")


@pytest.mark.parametrize("body", [{"tenant": "acme", "hold": 1}, {"hold": "case-1"}, {
    "tenant": "acme", "hold": "case-1", "cursor": []
}])  # fmt: skip
def test_a_malformed_message_fails_alone(cloud: Stack, holds: HoldScene, lock: Handle, body: dict[str, Any]) -> None:
    call = holds.deliver("1", caller=CALLER)
    holds.create("case-1", party=CALLER)
    assert lock(json.dumps(body), *cloud.take(cloud.environment["LOCK_QUEUE_URL"])) == ["m0"]
    assert holds.held([call]) == [("case-1",)]


def test_a_refused_legal_hold_fails_the_messages_of_its_tenant(
    cloud: Stack, flow: Flow, holds: HoldScene, lock: Handle, network: Network
) -> None:
    holds.create("case-1", queue="*", future=True)
    work(cloud, lock)
    flow.land(XML, metadata())
    network.fail("PutObjectLegalHold", 503, "SlowDown", bucket=ARCHIVE)
    assert lock(*events(cloud)) == ["m0"]
    assert archived_bits(cloud) == {False}
    assert lock(*events(cloud), receives=2) == []
    assert archived_bits(cloud) == {True}


def test_the_facts_of_a_held_call_do_not_change(
    cloud: Stack, flow: Flow, holds: HoldScene, lock: Handle, clock: Clock
) -> None:
    """Its files are delivered all the same, also after a change of the policy."""
    flow.policy(policy())
    flow.land(XML, metadata())
    flow.land(WAV)
    assert lock(*events(cloud)) == []
    holds.create("case-1", calls=(CALL.id,))
    work(cloud, lock)
    before = cards(cloud)
    flow.policy(policy(KEPT | {"keep": "6y"}))
    clock.pass_by(minutes=2)
    again = metadata().replace(QUEUE.encode(), b"other")
    assert again != metadata()
    flow.land(XML.replace("4711_1.xml", "4711_1.json"), b"{}")
    flow.land("acme/2026/4711_1.XML", again)
    after = cards(cloud)
    for member in ("queue", "caller", "callee", "agent", "started", "ended", "flags", "metadata", "holds"):
        assert after[0][member] == before[0][member], member
    assert flow.failed == []


def archived_bits(cloud: Stack) -> set[bool]:
    """Return the legal-hold bits of all versions in the archive."""
    versions = cloud.s3.list_object_versions(Bucket=ARCHIVE)["Versions"]
    heads = [cloud.s3.head_object(Bucket=ARCHIVE, Key=each["Key"], VersionId=each["VersionId"]) for each in versions]
    return {head.get("ObjectLockLegalHoldStatus") == "ON" for head in heads}
