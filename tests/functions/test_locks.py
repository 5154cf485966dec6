"""The archive's outputs are written with the retention of their call's class, and their events have the versions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from callseal.aws.upload import PART_BYTES
from callseal.calls.card_changes import card_changes
from tests.functions.scene import Scene
from tests.functions.test_call_policy import PUZZEL, metadata
from tests.support.calls import cards
from tests.support.clock import Clock
from tests.support.flow import Flow
from tests.support.keys import x509_tenant
from tests.support.network import Network
from tests.support.stack import ARCHIVE, LANDING, SFTP, Stack, sqs_event

WAV, XML = "acme/2026/4711_1.wav", "acme/2026/4711_1.xml"
BOTH = {"deliver_to_archive": True, "archive_formats": ["wav"]} | PUZZEL
ARCHIVE_ONLY = BOTH | {"deliver_to_sftp": False}
# The metadata's call ended on 2026-11-23.
KEPT = {"keep": "5y", "delete_after": "7y", "lock": "governance"}
UNTIL = datetime(2031, 11, 24, tzinfo=UTC)
SEALED = {"encrypt": True}
PLAIN = {"encrypt": False}


def policy(class_: dict[str, Any] = KEPT, *, queue: str = "invoice_no") -> dict[str, Any]:
    """Return a policy in which the metadata's queue decides the class."""
    rule = {"rule": "orders", "when": {"queue": [queue]}, "class": "orders"}
    return {"schema": 1, "classes": {"orders": class_}, "rules": [rule], "default": {"class": "default"}}


def all_calls(class_: dict[str, Any] = KEPT) -> dict[str, Any]:
    """Return a policy without rules, so that no recording waits for its metadata."""
    return {"schema": 1, "classes": {"default": class_}, "rules": [], "default": {"class": "default"}}


@pytest.fixture
def flow(cloud: Stack, encrypt_recording: ModuleType, read_metadata: ModuleType) -> Flow:
    return Flow(cloud, encrypt_recording, read_metadata)


def lock_of(cloud: Stack, key: str, bucket: str = ARCHIVE) -> tuple[Any, Any]:
    head = cloud.s3.head_object(Bucket=bucket, Key=key)
    return head.get("ObjectLockMode"), head.get("ObjectLockRetainUntilDate")


def tags(cloud: Stack, key: str, bucket: str = SFTP) -> list[dict[str, str]]:
    found: list[dict[str, str]] = cloud.s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    return found


def delivered(cloud: Stack, key: str) -> dict[str, Any]:
    return next(each for each in cloud.audit_details("RecordingDelivered") if each["source"]["key"] == key)


def midnight_after(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


WAYS = {
    "one put": (ARCHIVE_ONLY | SEALED, 10),
    "parts": (BOTH | SEALED, PART_BYTES + 1),
    "copy of the landed file": (BOTH | PLAIN, 10),
}


@pytest.mark.parametrize("mode", ["governance", "compliance"])
@pytest.mark.parametrize(("settings", "size"), WAYS.values(), ids=WAYS)
def test_output_is_locked_by_its_write(
    cloud: Stack, flow: Flow, network: Network, settings: dict[str, Any], size: int, mode: str
) -> None:
    cloud.tenant("acme", x509_tenant().public_text, settings)
    flow.policy(policy(KEPT | {"lock": mode}))
    flow.land(XML, metadata())
    flow.land(WAV, b"s" * size)
    suffix = ".p7m" if settings["encrypt"] else ""
    assert flow.failed == []
    for key in (WAV, XML):
        assert lock_of(cloud, key + suffix) == (mode.upper(), UNTIL)
        assert tags(cloud, key + suffix, ARCHIVE) == []
        if settings.get("deliver_to_sftp", True):
            assert lock_of(cloud, key + suffix, SFTP) == (None, None)
            assert tags(cloud, key + suffix) == [{"Key": "callseal-expires", "Value": "files"}]
            assert "callseal-locked-until" not in cloud.metadata(SFTP, key + suffix)
        event = delivered(cloud, key)
        assert event["law"]["until"] == "2031-11-24T00:00:00.000Z"
        version = cloud.s3.head_object(Bucket=ARCHIVE, Key=key + suffix)["VersionId"]
        assert [each["version"] for each in event["outputs"]] == [version, None][: len(event["outputs"])]
    assert not network.asked("PutObjectRetention")


def test_copy_of_an_earlier_sealed_output_is_locked(cloud: Stack, flow: Flow) -> None:
    """The archive is turned on after the SFTP copy was made: the archive's copy gets the lock."""
    cloud.tenant("acme", x509_tenant().public_text, BOTH | {"deliver_to_archive": False})
    event = cloud.land(WAV, b"said")
    event["Records"][0]["eventTime"] = datetime.now(UTC).isoformat()
    copied = cloud.s3.get_object(Bucket=LANDING, Key=WAV)
    flow.process(json.dumps(event))
    cloud.tenant("acme", None, BOTH)
    flow.policy(all_calls())
    etag = cloud.s3.put_object(Bucket=LANDING, Key=WAV, Body=copied["Body"].read())["ETag"].strip('"')
    event["Records"][0]["s3"]["object"]["eTag"] = etag
    flow.encrypt_recording.batch.cache_clear()
    flow.process(json.dumps(event))
    assert lock_of(cloud, WAV + ".p7m")[0] == "GOVERNANCE"
    assert lock_of(cloud, WAV + ".p7m", SFTP) == (None, None)


NOT_LOCKED = {
    "no lock": {"keep": "5y", "lock": "none"},
    "no duty": {"delete_after": "5y"},
    "duty that has ended": {"keep": "0h", "lock": "governance"},
}


@pytest.mark.parametrize("class_", NOT_LOCKED.values(), ids=NOT_LOCKED)
def test_output_without_a_present_duty_is_not_locked(
    cloud: Stack, flow: Flow, clock: Clock, class_: dict[str, Any]
) -> None:
    clock.put_to(datetime(2026, 12, 1, tzinfo=UTC))
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy(policy(class_))
    flow.land(XML, metadata())
    flow.land(WAV)
    assert lock_of(cloud, WAV + ".p7m") == (None, None)
    assert delivered(cloud, WAV)["law"] is None


def test_challenge_expires_like_a_file(cloud: Stack, scene: Scene) -> None:
    scene.paste(x509_tenant())
    (key,) = (key for key in cloud.objects(SFTP) if "/key-check/" in key)
    assert tags(cloud, key) == [{"Key": "callseal-expires", "Value": "files"}]


def test_recording_that_does_not_wait_is_kept_from_its_landing(cloud: Stack, flow: Flow, clock: Clock) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH | {"call_index": "plain"})
    flow.policy(all_calls({"keep": "10d", "lock": "compliance"}))
    landed = cloud.land(WAV, b"said")
    landed["Records"][0]["eventTime"] = (clock() - timedelta(days=3)).isoformat()
    flow.process(json.dumps(landed))
    assert lock_of(cloud, WAV + ".p7m") == ("COMPLIANCE", midnight_after(clock() + timedelta(days=7)))


def test_repeat_reports_the_same_version_and_lock(cloud: Stack, flow: Flow, network: Network) -> None:
    cloud.tenant("acme", x509_tenant().public_text, ARCHIVE_ONLY)
    flow.policy(policy())
    flow.land(XML, metadata())
    network.cut("DeleteObject", bucket=LANDING)
    body = json.dumps(cloud.land(WAV, b"said"))
    flow.process(body)
    flow.process(body)
    first, again = (each for each in cloud.audit_details("RecordingDelivered") if each["source"]["key"] == WAV)
    assert first | {"time": None} == again | {"time": None}
    assert again["law"]["until"] == "2031-11-24T00:00:00.000Z"


def test_card_has_the_version_and_the_end_of_the_first_lock(cloud: Stack, flow: Flow, index_calls: ModuleType) -> None:
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy(policy())
    flow.land(XML, metadata())
    flow.land(WAV)
    events = [each for each in cloud.audit() if each["detail-type"] == "RecordingDelivered"]
    changes = [change for event in events for change in card_changes(json.dumps(event))]
    assert len(changes) == 4
    index_calls.lambda_handler(sqs_event(*events), None)
    (card,) = cards(cloud)
    versions = {each["destination"]: each["version"] for each in card["files"] if each["key"].startswith(WAV)}
    assert versions == {
        "archive": cloud.s3.head_object(Bucket=ARCHIVE, Key=WAV + ".p7m")["VersionId"],
        "sftp": None,
    }


def test_call_that_ends_too_far_in_the_future_is_held(cloud: Stack, flow: Flow, clock: Clock) -> None:
    """The archive bucket's policy would deny such a lock at each try."""
    clock.put_to(datetime(2026, 1, 1, tzinfo=UTC))
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy(policy({"keep": "10y", "lock": "compliance"}))
    flow.land(XML, metadata())
    assert cloud.objects(ARCHIVE) == {}
    (event,) = cloud.audit_details("RecordingHeld")
    assert event["reason"] == "PolicyInvalid"
    assert "in the future" in event["message"]


def test_longer_compliance_than_the_stack_takes_is_refused(
    cloud: Stack, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAXIMUM_COMPLIANCE_YEARS", "4")
    for function in (flow.encrypt_recording, flow.read_metadata):
        function.batch.cache_clear()
    cloud.tenant("acme", x509_tenant().public_text, BOTH)
    flow.policy(policy(KEPT | {"lock": "compliance"}))
    flow.land(WAV)
    (event,) = cloud.audit_details("RecordingHeld")
    assert event["reason"] == "PolicyInvalid"
    assert "keep is over 4 years" in event["message"]


REQUESTS = {
    "sealed to SFTP": ({}, ["GetSecretValue", "DescribeSecret", "GetParameters", "GetObject", "PutObject",
                            "PutEvents", "DeleteObject"]),
    "sealed to both": ({"deliver_to_archive": True, "archive_formats": ["wav"]},
                       ["GetSecretValue", "DescribeSecret", "GetParameters", *["HeadObject"] * 3, "GetObject",
                        "PutObject", "CopyObject", "PutEvents", "DeleteObject"]),
    "plain to both": ({"encrypt": False, "deliver_to_archive": True, "archive_formats": ["wav"]},
                      ["GetParameters", *["HeadObject"] * 6, "CopyObject", "CopyObject", "PutEvents",
                       "DeleteObject"]),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "operations"), REQUESTS.values(), ids=REQUESTS)
def test_tenant_without_a_policy_sends_the_same_requests_as_before(
    cloud: Stack, flow: Flow, network: Network, settings: dict[str, Any], operations: list[str]
) -> None:
    # For a tenant with an index, the card says whether the call was erased.
    cloud.tenant("acme", x509_tenant().public_text, settings | {"call_index": "off"})
    flow.land(WAV)
    assert flow.failed == []
    assert sorted(each.operation for each in network.requests) == sorted(operations)
    assert not [each for each in network.requests if "x-amz-object-lock-mode" in each.headers]
