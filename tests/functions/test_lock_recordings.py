"""lock_recordings: the locks of delivered recordings last as long as their call's class, and are never made shorter."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from callseal.calls.call_name import CallName
from callseal.core.audit import timestamp
from callseal.core.stored import ObjectLock
from callseal.retention.archive_versions import extended
from tests.functions.test_call_policy import metadata
from tests.functions.test_locks import BOTH, WAV, XML, all_calls, lock_of, midnight_after, policy
from tests.support.calls import cards, index, table
from tests.support.clock import Clock
from tests.support.flow import Flow
from tests.support.keys import x509_tenant
from tests.support.network import Network
from tests.support.stack import ARCHIVE, Stack, failures, sqs_event

CALL = CallName("acme", "2026/4711_1")
SEALED = WAV + ".p7m"
NOW = datetime(2026, 12, 1, tzinfo=UTC)
LATE = {"metadata_missing": "deliver", "metadata_wait_minutes": 1}


@pytest.fixture
def flow(cloud: Stack, encrypt_recording: ModuleType, read_metadata: ModuleType) -> Flow:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    return Flow(cloud, encrypt_recording, read_metadata)


@pytest.fixture
def lock(cloud: Stack, lock_recordings: ModuleType) -> Any:
    """Return a function that hands all deliveries so far, or other messages, to lock_recordings."""

    def handle(*bodies: dict[str, Any]) -> list[str]:
        delivered = [each for each in cloud.audit() if each["detail-type"] == "RecordingDelivered"]
        return failures(lock_recordings.lambda_handler(sqs_event(*(bodies or delivered)), None))

    return handle


def message(call: CallName = CALL) -> dict[str, Any]:
    return {"tenant": call.tenant, "call": call.id}


def outcome(cloud: Stack, clock: Clock) -> dict[str, Any]:
    card = table(cloud, clock).get(CALL)
    assert card and card.outcome
    return dict(card.outcome)


def land_late(flow: Flow, cloud: Stack, clock: Clock) -> datetime:
    """Land a recording whose metadata has not come in time, and return when it landed."""
    landed = clock() - timedelta(minutes=2)
    event = cloud.land(WAV, b"said")
    event["Records"][0]["eventTime"] = timestamp(landed)
    flow.process(json.dumps(event))
    return landed


def test_recording_that_came_before_its_metadata_is_locked_when_the_class_is_known(
    cloud: Stack, flow: Flow, clock: Clock, lock: Any
) -> None:
    cloud.tenant("acme", None, BOTH | LATE)
    flow.policy(policy())
    land_late(flow, cloud, clock)
    assert lock_of(cloud, SEALED) == (None, None)
    assert lock() == []
    assert lock_of(cloud, SEALED) == (None, None), "the default class has no duty"
    flow.land(XML, metadata())
    assert lock() == []
    assert lock_of(cloud, SEALED) == ("GOVERNANCE", datetime(2031, 11, 24, tzinfo=UTC))


def test_card_without_metadata_gets_the_default_class(
    cloud: Stack, flow: Flow, clock: Clock, lock: Any, index_calls: ModuleType
) -> None:
    flow.policy(all_calls({"keep": "1y", "delete_after": "2y", "lock": "compliance"}))
    flow.land(WAV)
    index(cloud, index_calls.lambda_handler)
    (card,) = cards(cloud)
    assert (card["class"], card["keep_until"]) == (None, None)
    assert lock() == []
    (card,) = cards(cloud)
    landed = clock()
    kept = midnight_after(landed.replace(year=landed.year + 1))
    assert (card["class"], card["keep_until"]) == ("default", timestamp(kept))
    assert card["dispose_on"] == timestamp(kept.replace(year=kept.year + 1))
    stored = outcome(cloud, clock)
    assert lock() == []
    assert outcome(cloud, clock) == stored, "a repeat changes nothing"


def test_outcome_of_metadata_is_not_replaced(cloud: Stack, flow: Flow, clock: Clock, lock: Any) -> None:
    flow.policy(policy())
    flow.land(XML, metadata())
    flow.land(WAV)
    before = outcome(cloud, clock)
    assert lock() == []
    assert outcome(cloud, clock) == before
    assert before["class"] == "orders"


def test_unreadable_metadata_leaves_the_default_class(cloud: Stack, flow: Flow, clock: Clock, lock: Any) -> None:
    flow.policy(all_calls())
    flow.land(XML, b"<recording")
    assert lock() == []
    assert outcome(cloud, clock)["class"] == "default"


def test_lock_of_its_own_write_needs_no_further_request(cloud: Stack, flow: Flow, lock: Any, network: Network) -> None:
    flow.policy(policy())
    flow.land(XML, metadata())
    flow.land(WAV)
    network.requests.clear()
    assert lock() == []
    assert not [each for each in network.requests if each.bucket == ARCHIVE]


def test_lock_is_made_longer_and_never_shorter(cloud: Stack, flow: Flow, clock: Clock, lock: Any) -> None:
    flow.policy(policy())
    flow.land(XML, metadata())
    flow.land(WAV)
    lock()
    stored = outcome(cloud, clock)
    for until, expected in (("2033-01-01", "2033-01-01"), ("2030-01-01", "2033-01-01"), ("2032-06-01", "2033-01-01")):
        changed = stored | {"keep_until": f"{until}T00:00:00.000Z"}
        table(cloud, clock).apply({CALL: [lambda card, changed=changed: card.with_outcome(changed)]})
        assert lock(message()) == []
        for key in (SEALED, XML + ".p7m"):
            assert lock_of(cloud, key) == ("GOVERNANCE", datetime.fromisoformat(f"{expected}T00:00:00Z"))


def test_mode_of_a_present_lock_stays(cloud: Stack, flow: Flow, clock: Clock, lock: Any) -> None:
    flow.policy(policy())
    flow.land(XML, metadata())
    flow.land(WAV)
    lock()
    changed = outcome(cloud, clock) | {"lock": "compliance", "keep_until": "2033-01-01T00:00:00.000Z"}
    table(cloud, clock).apply({CALL: [lambda card: card.with_outcome(changed)]})
    assert lock(message()) == []
    assert lock_of(cloud, SEALED) == ("GOVERNANCE", datetime(2033, 1, 1, tzinfo=UTC))


def test_outcome_of_before_the_locks_takes_the_lock_of_its_class(
    cloud: Stack, flow: Flow, clock: Clock, lock: Any
) -> None:
    flow.policy(policy({"keep": "5y", "lock": "none"}))
    flow.land(XML, metadata())
    flow.land(WAV)
    lock()
    assert lock_of(cloud, SEALED) == (None, None)
    changed = {name: value for name, value in outcome(cloud, clock).items() if name != "lock"}
    table(cloud, clock).apply({CALL: [lambda card: card.with_outcome(changed)]})
    flow.policy(policy())
    clock.pass_by(minutes=2)
    assert lock(message()) == []
    assert lock_of(cloud, SEALED) == ("GOVERNANCE", datetime(2031, 11, 24, tzinfo=UTC))


def test_version_that_is_gone_is_no_failure(cloud: Stack, flow: Flow, clock: Clock, lock: Any) -> None:
    cloud.tenant("acme", None, BOTH | LATE)
    flow.policy(policy())
    land_late(flow, cloud, clock)
    lock()
    version = cloud.s3.head_object(Bucket=ARCHIVE, Key=SEALED)["VersionId"]
    cloud.s3.delete_object(Bucket=ARCHIVE, Key=SEALED, VersionId=version)
    flow.land(XML, metadata())
    assert lock() == []


def test_hidden_version_is_locked(cloud: Stack, flow: Flow, clock: Clock, lock: Any) -> None:
    """A delete without a version id leaves a marker. The recording is still there, and its duty, too."""
    cloud.tenant("acme", None, BOTH | LATE)
    flow.policy(policy())
    land_late(flow, cloud, clock)
    lock()
    version = cloud.s3.head_object(Bucket=ARCHIVE, Key=SEALED)["VersionId"]
    cloud.s3.delete_object(Bucket=ARCHIVE, Key=SEALED)
    flow.land(XML, metadata())
    assert lock() == []
    assert cloud.s3.head_object(Bucket=ARCHIVE, Key=SEALED, VersionId=version)["ObjectLockMode"] == "GOVERNANCE"


def test_call_that_fails_fails_its_messages_alone(
    cloud: Stack, flow: Flow, clock: Clock, lock: Any, network: Network
) -> None:
    cloud.tenant("acme", None, BOTH | LATE)
    flow.policy(policy())
    land_late(flow, cloud, clock)
    flow.land("acme/2026/4712_1.xml", metadata())
    flow.land("acme/2026/4712_1.wav")
    lock()
    flow.land(XML, metadata())
    network.fail("PutObjectRetention", 503, "SlowDown")
    # The first three events are of the recording, of the other call's metadata and recording.
    assert lock() == ["m0", "m3"]
    assert lock() == []
    assert lock_of(cloud, SEALED)[0] == "GOVERNANCE"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["recording first", "metadata first"])
def test_events_in_any_order_see_each_other(
    cloud: Stack, flow: Flow, clock: Clock, lock: Any, order: tuple[int, int]
) -> None:
    cloud.tenant("acme", None, BOTH | LATE)
    flow.policy(policy())
    land_late(flow, cloud, clock)
    flow.land(XML, metadata())
    events = cloud.audit()
    delivered = [each for each in events if each["detail-type"] == "RecordingDelivered"]
    for n in order:
        assert lock(delivered[n]) == []
    for key in (SEALED, XML + ".p7m"):
        assert lock_of(cloud, key) == ("GOVERNANCE", datetime(2031, 11, 24, tzinfo=UTC))


NOT_OURS: dict[str, dict[str, Any]] = {
    "no index": {"deliver_to_archive": True, "call_index": "off"},
    "no policy": BOTH,
}


@pytest.mark.parametrize("settings", NOT_OURS.values(), ids=NOT_OURS)
def test_tenant_without_a_policy_has_no_locks(
    cloud: Stack, flow: Flow, lock: Any, network: Network, settings: dict[str, Any]
) -> None:
    cloud.tenant("acme", None, settings)
    flow.land(WAV)
    network.requests.clear()
    assert lock() == []
    assert not [each for each in network.requests if each.bucket]


def test_tenant_that_is_gone_and_unknown_calls_are_passed_over(cloud: Stack, flow: Flow, lock: Any) -> None:
    flow.land(WAV)
    events = cloud.audit()
    cloud.ssm.delete_parameter(Name="/callseal-test/tenants/acme/settings")
    assert lock(*(each for each in events if each["detail-type"] == "RecordingDelivered")) == []
    assert lock(message()) == []


@pytest.mark.parametrize(
    "body",
    ["no JSON", {"tenant": "acme"}, {"tenant": "acme", "call": "x"}, {"tenant": 1, "call": CALL.id},
     {"tenant": "../x", "call": CALL.id}, {"tenant": "acme", "call": CALL.id, "more": 1}],
    ids=str,
)  # fmt: skip
def test_malformed_message_fails(lock: Any, body: dict[str, Any]) -> None:
    assert lock(body) == ["m0"]


def test_malformed_policy_fails_until_it_is_corrected(cloud: Stack, flow: Flow, lock: Any, clock: Clock) -> None:
    flow.policy(all_calls())
    flow.land(WAV)
    flow.policy("{")
    assert lock() == ["m0"]
    flow.policy(all_calls())
    clock.pass_by(minutes=2)
    assert lock() == []


GOVERNANCE, LONGER = ObjectLock("GOVERNANCE", NOW), ObjectLock("GOVERNANCE", NOW + timedelta(days=1))
COMPLIANCE = ObjectLock("COMPLIANCE", NOW)
EXTENSIONS = {
    "none yet": (None, GOVERNANCE, GOVERNANCE),
    "longer": (GOVERNANCE, LONGER, LONGER),
    "as long": (GOVERNANCE, COMPLIANCE, None),
    "shorter": (LONGER, GOVERNANCE, None),
    "another mode": (COMPLIANCE, LONGER, ObjectLock("COMPLIANCE", LONGER.until)),
}


@pytest.mark.parametrize(("present", "wanted", "expected"), EXTENSIONS.values(), ids=EXTENSIONS)
def test_extension(present: ObjectLock | None, wanted: ObjectLock, expected: ObjectLock | None) -> None:
    assert extended(present, wanted, NOW - timedelta(days=1)) == expected


def test_end_in_the_past_is_no_lock_and_a_lock_that_has_ended_is_replaced() -> None:
    assert extended(None, GOVERNANCE, NOW) is None
    assert extended(COMPLIANCE, LONGER, NOW) == LONGER
