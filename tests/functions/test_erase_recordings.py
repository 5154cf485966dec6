"""erase_recordings: a file that the policy forbids to keep is erased in time, and no other file ever is."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest

from callseal.delivery.erase_recordings import ErasureIncompleteError
from tests.functions.test_call_policy import BOTH, DENIED, PUZZEL, WAV, XML, metadata, policy
from tests.support.calls import TABLE
from tests.support.clock import Clock
from tests.support.flow import Flow
from tests.support.holds import HoldScene
from tests.support.keys import x509_tenant
from tests.support.metrics import emitted
from tests.support.network import Crash, Network, Request, refusal
from tests.support.stack import LANDING, STACK, Stack

REFUSED = metadata(deny_recording="true")
ALLOWED = policy({"rule": "law", "when": {"queue": ["invoice_no"]}, "record": "must"})


@pytest.fixture
def flow(cloud: Stack, encrypt_recording: ModuleType, read_metadata: ModuleType) -> Flow:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    return Flow(cloud, encrypt_recording, read_metadata)


def hold(flow: Flow, rules: dict[str, Any] = DENIED, data: bytes = REFUSED) -> None:
    """Land a call that a policy holds."""
    flow.policy(rules)
    flow.land(XML, data)
    flow.land(WAV)


def landing(cloud: Stack) -> set[str]:
    return set(cloud.objects(LANDING))


def erased(cloud: Stack) -> list[tuple[str, str]]:
    return [(detail["source"]["key"], detail["reason"]) for detail in cloud.audit_details("RecordingErased")]


@pytest.mark.parametrize(
    ("rules", "data", "reason"),
    [(DENIED, REFUSED, "RecordingDenied"), (policy(consent="required"), metadata(), "ConsentMissing"),
     (policy(record="never"), metadata(), "RecordingDenied")],
    ids=["a rule", "no consent", "the default"],
)  # fmt: skip
def test_recording_and_metadata_are_erased_when_they_are_old_enough(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock, rules: Any, data: bytes, reason: str
) -> None:
    hold(flow, rules, data)
    clock.pass_by(hours=71)
    assert erase_recordings.lambda_handler({}, None) == {}
    assert (landing(cloud), erased(cloud)) == ({WAV, XML}, [])

    clock.pass_by(hours=2)
    assert erase_recordings.lambda_handler({}, None) == {"erased": 2}

    assert landing(cloud) == set()
    assert sorted(erased(cloud)) == sorted([(WAV, reason), (XML, reason)])
    held = cloud.audit_details("RecordingHeld")[0]
    assert all(detail["policy"] == held["policy"] for detail in cloud.audit_details("RecordingErased"))
    assert erase_recordings.lambda_handler({}, None) == {}


def test_each_tenants_own_setting_decides(cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock) -> None:
    hold(flow)
    cloud.tenant("acme", settings=BOTH | {"denied_erase_after": "90d"})
    clock.pass_by(days=89)
    assert erase_recordings.lambda_handler({}, None) == {}
    cloud.tenant("acme", settings=BOTH | {"denied_erase_after": "0h"})
    assert erase_recordings.lambda_handler({}, None) == {"erased": 2}


def test_a_policy_that_changed_meanwhile_erases_nothing(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock
) -> None:
    hold(flow)
    clock.pass_by(days=4)
    flow.policy(ALLOWED)
    assert erase_recordings.lambda_handler({}, None) == {"kept": 2}
    assert (landing(cloud), erased(cloud)) == ({WAV, XML}, [])


def test_a_policy_that_changes_after_it_was_cached_erases_nothing(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock, network: Network
) -> None:
    """The run has the tenant's policy in its cache when the policy changes."""
    hold(flow)
    clock.pass_by(days=4)
    network.before("ListObjectsV2", lambda _: flow.policy(ALLOWED), skip=1)

    assert erase_recordings.lambda_handler({}, None) == {"kept": 2}

    assert len(network.asked("GetParameters")) > 1
    assert (landing(cloud), erased(cloud)) == ({WAV, XML}, [])


@pytest.mark.parametrize("change", ["policy", "settings", "no policy", "no settings"])
def test_without_a_readable_policy_nothing_is_erased(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock, change: str
) -> None:
    hold(flow)
    clock.pass_by(days=4)
    if change == "policy":
        flow.policy("{")
    elif change == "settings":
        cloud.tenant("acme", settings="{")
    else:
        cloud.ssm.delete_parameter(Name=f"/{STACK}/tenants/acme/{change.removeprefix('no ')}")

    erase_recordings.lambda_handler({}, None)

    assert (landing(cloud), erased(cloud)) == ({WAV, XML}, [])


@pytest.mark.parametrize("operation", ["GetParameters", "GetItem", "GetObjectTagging"])
def test_what_cannot_be_read_fails_the_run_and_erases_nothing(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock, network: Network, operation: str
) -> None:
    hold(flow)
    clock.pass_by(days=4)
    network.fail(operation, 400, "ThrottlingException", times=None)
    with pytest.raises(ErasureIncompleteError):
        erase_recordings.lambda_handler({}, None)
    assert (landing(cloud), erased(cloud)) == ({WAV, XML}, [])

    network.mend()
    assert erase_recordings.lambda_handler({}, None) == {"erased": 2}


@pytest.mark.parametrize(
    "tags",
    [{"team": "x"}, {"callseal-state": "held", "callseal-reason": "KeyMissing"},
     {"callseal-state": "held", "callseal-reason": "ConsentMissing"},
     {"callseal-reason": "RecordingDenied"},
     {"callseal-state": "held", "callseal-reason": "RecordingDenied", "callseal-hold": "0 - released"}],
    ids=["none of our tags", "another reason", "the policy's other reason", "not held", "released"],
)  # fmt: skip
def test_a_file_without_the_tags_of_its_present_hold_stays(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock, tags: dict[str, str]
) -> None:
    hold(flow)
    tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
    cloud.s3.put_object_tagging(Bucket=LANDING, Key=WAV, Tagging={"TagSet": tag_set})
    clock.pass_by(days=4)
    assert erase_recordings.lambda_handler({}, None) == {"erased": 1, "kept": 1}
    assert landing(cloud) == {WAV}


def test_a_tag_alone_erases_nothing(cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock) -> None:
    """Other writers can set the tags of a file that the policy allows."""
    flow.policy(policy())
    cloud.land(WAV, b"said")
    tags = {"callseal-state": "held", "callseal-reason": "RecordingDenied"}
    tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
    cloud.s3.put_object_tagging(Bucket=LANDING, Key=WAV, Tagging={"TagSet": tag_set})
    clock.pass_by(days=4)
    assert erase_recordings.lambda_handler({}, None) == {"kept": 1}
    assert landing(cloud) == {WAV}


def test_a_call_in_the_scope_of_a_legal_hold_stays(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was never delivered, so no event of its delivery puts it under the hold."""
    monkeypatch.setattr("callseal.retention.hold_messages.SETTLE_SECONDS", 0)
    scene = HoldScene(cloud, clock)
    scene.hold("case-1", queue="*", future=True)
    hold(flow)
    clock.pass_by(days=4)
    assert erase_recordings.lambda_handler({}, None) == {"kept": 2}
    scene.release("case-1")
    assert erase_recordings.lambda_handler({}, None) == {"erased": 2}


def test_a_call_under_a_legal_hold_stays(cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock) -> None:
    hold(flow)
    (item,) = cloud.dynamodb.scan(TableName=TABLE)["Items"]
    cloud.dynamodb.put_item(TableName=TABLE, Item=item | {"holds": {"S": json.dumps(["case-7"])}})
    clock.pass_by(days=4)
    assert erase_recordings.lambda_handler({}, None) == {"kept": 2}
    assert (landing(cloud), erased(cloud)) == ({WAV, XML}, [])


def test_unreadable_metadata_stays_as_long_as_its_recording_waits(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock
) -> None:
    hold(flow, policy(consent="required"), b"<x>")
    clock.pass_by(days=4)
    erase_recordings.lambda_handler({}, None)
    assert landing(cloud) == {WAV, XML}


def test_nothing_is_deleted_without_an_accepted_event(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock, network: Network
) -> None:
    hold(flow)
    clock.pass_by(days=4)
    network.fail("PutEvents", 500, "InternalFailure", times=None)
    with pytest.raises(ErasureIncompleteError, match="2 files"):
        erase_recordings.lambda_handler({}, None)
    assert (landing(cloud), erased(cloud)) == ({WAV, XML}, [])
    assert network.asked("DeleteObject") == network.asked("DeleteObjects") == []


def fail_purges(network: Network) -> None:
    for operation in ("DeleteObject", "DeleteObjects"):
        network.fail(operation, 500, "InternalError", times=None)


def test_a_failed_delete_is_repeated_under_the_same_event_id(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock, network: Network
) -> None:
    hold(flow)
    clock.pass_by(days=4)
    fail_purges(network)
    with pytest.raises(ErasureIncompleteError):
        erase_recordings.lambda_handler({}, None)
    assert landing(cloud) == {WAV, XML}

    network.mend()
    clock.pass_by(hours=1)
    assert erase_recordings.lambda_handler({}, None) == {"erased": 2}

    assert landing(cloud) == set()
    assert len(erased(cloud)) == 4
    assert len({detail["id"] for detail in cloud.audit_details("RecordingErased")}) == 2


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["PutEvents", "DeleteObject"])
def test_a_crash_is_followed_by_the_same_event(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock, network: Network, operation: str, when: str
) -> None:
    hold(flow)
    cloud.s3.delete_object(Bucket=LANDING, Key=XML)
    clock.pass_by(days=4)
    network.crash(when, operation)
    with pytest.raises(Crash):
        erase_recordings.lambda_handler({}, None)

    erase_recordings.lambda_handler({}, None)

    assert landing(cloud) == set()
    assert len({detail["id"] for detail in cloud.audit_details("RecordingErased")}) == 1


@pytest.mark.parametrize("operation", ["GetObjectTagging", "PutEvents", "DeleteObject"])
def test_a_file_that_lands_again_meanwhile_stays(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock, network: Network, operation: str
) -> None:
    hold(flow)
    cloud.s3.delete_object(Bucket=LANDING, Key=XML)
    clock.pass_by(days=4)

    def land_again(_: Request) -> None:
        cloud.land(WAV, b"said anew")

    network.before(operation, land_again)
    erase_recordings.lambda_handler({}, None)

    assert cloud.objects(LANDING) == {WAV: b"said anew"}


def test_a_failing_tenant_does_not_keep_the_others_files(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock, network: Network
) -> None:
    hold(flow)
    cloud.tenant("beta", settings=PUZZEL)
    flow.policy(policy(record="never"), "beta")
    flow.land("beta/1.wav")
    clock.pass_by(days=4)

    def refuse(request: Request) -> Any:
        return refusal(request, 400, "ThrottlingException") if b"/acme/" in request.body else None

    network.before("GetParameters", refuse, times=None)
    with pytest.raises(ErasureIncompleteError):
        erase_recordings.lambda_handler({}, None)
    assert landing(cloud) == {WAV, XML}


def test_a_run_without_time_left_is_continued_by_the_next_run(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock, monkeypatch: pytest.MonkeyPatch,
    network: Network,
) -> None:  # fmt: skip
    monkeypatch.setattr("callseal.delivery.erase_recordings.FILES_IN_A_BATCH", 1)
    hold(flow)
    clock.pass_by(days=4)
    network.after("PutEvents", lambda _: clock.pass_by(minutes=4), times=None)

    assert erase_recordings.lambda_handler({}, None) == {"erased": 1, "cut_short": 1}
    assert len(landing(cloud)) == 1
    assert erase_recordings.lambda_handler({}, None)["erased"] == 1
    assert landing(cloud) == set()


def test_metrics(
    cloud: Stack, flow: Flow, erase_recordings: ModuleType, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(flow)
    assert sum(sum(one.get("RecordingsDenied", [])) for one in emitted(capsys)) == 2
    clock.pass_by(days=4)
    for count in (2.0, 0.0):
        erase_recordings.lambda_handler({}, None)
        (metrics,) = emitted(capsys)
        assert (metrics["RecordingsErased"], metrics["Stack"]) == ([count], STACK)


def test_overdue_metadata_is_counted(
    cloud: Stack, flow: Flow, sweep_landing: ModuleType, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.tenant("acme", settings=PUZZEL | {"metadata_required": True, "call_index": "plain"})
    flow.land(WAV, receives=3)
    seen = []
    for minutes in (14, 2):
        clock.pass_by(minutes=minutes)
        capsys.readouterr()
        counts = sweep_landing.lambda_handler({}, None)
        (metrics,) = emitted(capsys)
        seen.append((counts, metrics["MetadataOverdue"], metrics["HeldFiles"]))
    assert seen == [({"held": 1}, [0.0], [1.0]), ({"overdue": 1}, [1.0], [1.0])]
