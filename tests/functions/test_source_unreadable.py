"""A landed file that S3 does not let the functions read is held, and is delivered once they can read it."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from tests.functions.scene import told
from tests.functions.test_events import load
from tests.support.clock import Clock
from tests.support.families import FAMILIES
from tests.support.metrics import emitted
from tests.support.network import Network, Request, refusal
from tests.support.queueing import pump, waiting
from tests.support.stack import ARCHIVE, LANDING, REGION, SFTP, Stack, failures, notification, sqs_event

KEY, DATA = "acme/4711_1.wav", b"RIFF what was said"
OTHER_KEY = f"arn:aws:kms:{REGION}:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PLAIN = {"encrypt": False}
SEALED: dict[str, Any] = {}
# S3's answers to a GET, and the sentence for each.
REFUSALS = {
    "no permission": (403, "AccessDenied", "Allow the role of encrypt_recording to read it"),
    "no permission to the key": (400, "KMS.AccessDeniedException", "Allow the role of encrypt_recording to read it"),
    "the key is disabled": (400, "KMS.DisabledException", "Enable the key"),
    "the key will be deleted": (400, "KMS.KMSInvalidStateException", "Enable the key"),
    "the key is gone": (400, "KMS.NotFoundException", "Enable the key"),
    "a key of the uploader's own": (400, "InvalidRequest", "the uploader's own key (SSE-C)"),
    "an archive": (403, "InvalidObjectState", "Restore it in S3"),
}
PASSING = {
    "expired token": (400, "ExpiredToken"),
    "clock": (403, "RequestTimeTooSkewed"),
    "unknown access key": (403, "InvalidAccessKeyId"),
    "signature": (403, "SignatureDoesNotMatch"),
    "KMS throttles": (400, "KMS.ThrottlingException"),
    "S3 throttles": (503, "SlowDown"),
}


def good_key() -> str:
    return FAMILIES["x509"].make("tenant").public_text


def refuse_reading(network: Network, status: int, code: str, times: int | None = None) -> None:
    """Refuse all reads of the landed file. S3's answer to a HEAD has a status and no code."""
    network.fail("GetObject", status, code, bucket=LANDING, times=times)
    network.fail("CopyObject", status, code, times=times)
    network.before("HeadObject", lambda head: refuse_checksum(head, status), bucket=LANDING, times=times)


def refuse_checksum(head: Request, status: int) -> AWSResponse | None:
    """Refuse a HEAD that asks for the checksum, for which S3 needs the object's KMS key."""
    return refusal(head, status, "Forbidden") if "x-amz-checksum-mode" in head.headers else None


def deliver(module: ModuleType, landed: dict[str, Any]) -> list[str]:
    return failures(module.lambda_handler(sqs_event(landed), None))


def sweep(module: ModuleType) -> dict[str, int]:
    return dict(module.lambda_handler(load("schedule"), None))


def assert_held(cloud: Stack, *, reason: str = "SourceUnreadable") -> dict[str, Any]:
    """Check that the file is held once, with its bytes, and that nothing was delivered. Return its event's detail."""
    assert cloud.s3.get_object(Bucket=LANDING, Key=KEY)["Body"].read() == DATA
    assert cloud.tags(KEY) == {"callseal-state": "held", "callseal-reason": reason}
    assert cloud.objects(SFTP) == cloud.objects(ARCHIVE) == {}
    ((kind, detail),) = told(cloud)
    assert (kind, detail["reason"]) == ("RecordingHeld", reason)
    etag = cloud.s3.head_object(Bucket=LANDING, Key=KEY)["ETag"].strip('"')
    assert detail["source"] == {"bucket": LANDING, "key": KEY, "etag": etag, "size": len(DATA)}
    return detail


@pytest.mark.parametrize("settings", [SEALED, PLAIN], ids=["sealed", "plain"])
@pytest.mark.parametrize("why", REFUSALS)
def test_a_file_is_held_when_s3_refuses_to_read_it(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, why: str, settings: dict[str, Any]
) -> None:
    status, code, what = REFUSALS[why]
    cloud.tenant("acme", good_key(), settings)
    refuse_reading(network, status, code)

    assert deliver(encrypt_recording, cloud.land(KEY, DATA)) == []

    message = assert_held(cloud)["message"]
    assert code in message
    assert what in message
    assert "upload it again" in message


@pytest.mark.parametrize("settings", [SEALED, PLAIN], ids=["sealed", "plain"])
@pytest.mark.parametrize("status", [400, 403])
def test_a_file_is_held_when_s3_refuses_a_head_of_it(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, status: int, settings: dict[str, Any]
) -> None:
    """Under SSE-C a HEAD answers 400, and without s3:GetObject 403. A notification made by hand may have no size."""
    cloud.tenant("acme", good_key(), settings)
    landed = cloud.land(KEY, DATA)
    del landed["Records"][0]["s3"]["object"]["size"]
    network.fail("HeadObject", status, "Forbidden", bucket=LANDING, times=None)
    refuse_reading(network, status, "InvalidRequest" if status == 400 else "AccessDenied")

    assert deliver(encrypt_recording, landed) == []

    assert_held(cloud)


def test_sentence_names_the_key_when_s3_reports_it(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", good_key())
    put = cloud.s3.put_object(Bucket=LANDING, Key=KEY, Body=DATA, ServerSideEncryption="aws:kms", SSEKMSKeyId=OTHER_KEY)
    refuse_reading(network, 403, "AccessDenied")

    assert deliver(encrypt_recording, notification(KEY, put["ETag"].strip('"'), len(DATA))) == []

    assert f"It is encrypted with the KMS key {OTHER_KEY}." in assert_held(cloud)["message"]


@pytest.mark.parametrize("settings", [SEALED, PLAIN], ids=["sealed", "plain"])
@pytest.mark.parametrize("why", PASSING)
def test_file_is_retried_when_the_refusal_is_not_about_the_file(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, why: str, settings: dict[str, Any]
) -> None:
    status, code = PASSING[why]
    cloud.tenant("acme", good_key(), settings)
    landed = cloud.land(KEY, DATA)
    network.fail("HeadObject", status, code, bucket=LANDING, times=None)
    refuse_reading(network, status, code)

    assert deliver(encrypt_recording, landed) == ["m0"]

    assert cloud.tags(KEY) == {}
    assert cloud.audit() == []


@pytest.mark.parametrize("settings", [SEALED, PLAIN], ids=["sealed", "plain"])
def test_single_refusal_is_retried(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, settings: dict[str, Any]
) -> None:
    """For some seconds after a change, AWS may refuse what is allowed."""
    cloud.tenant("acme", good_key(), settings)
    landed = cloud.land(KEY, DATA)
    network.fail("CopyObject" if settings else "GetObject", 403, "AccessDenied")

    assert deliver(encrypt_recording, landed) == ["m0"]
    assert deliver(encrypt_recording, landed) == []

    assert [kind for kind, _ in told(cloud)] == ["RecordingDelivered"]


@pytest.mark.parametrize("operation", ["CopyObject", "PutObject", "HeadObject"])
def test_refusal_by_an_output_bucket_is_retried(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, operation: str
) -> None:
    both = {"deliver_to_archive": True, "archive_formats": ["wav"], "only_encrypt_sftp": True}
    cloud.tenant("acme", good_key(), both)
    landed = cloud.land(KEY, DATA)
    bucket = SFTP if operation == "PutObject" else ARCHIVE
    network.fail(operation, 403, "AccessDenied", bucket=bucket, times=None)

    assert deliver(encrypt_recording, landed) == ["m0"]

    assert cloud.tags(KEY) == {}
    assert cloud.audit() == []


REASONS_BEHIND: dict[str, Callable[[Stack], object]] = {
    "SettingsMissing": lambda _: None,
    "SettingsInvalid": lambda cloud: cloud.tenant("acme", good_key(), "{"),
    "NothingToDeliver": lambda cloud: cloud.tenant("acme", good_key(), {"deliver_to_sftp": False}),
    "KeyMissing": lambda cloud: cloud.tenant("acme"),
}


@pytest.mark.parametrize("other", REASONS_BEHIND)
def test_source_unreadable_precedes_reasons_of_settings_and_key(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, other: str
) -> None:
    REASONS_BEHIND[other](cloud)
    landed = cloud.land(KEY, DATA)
    refuse_reading(network, 403, "AccessDenied")

    assert deliver(encrypt_recording, landed) == []

    assert_held(cloud)
    assert len(network.asked("GetObject")) == 1  # refused; a file that may not be sealed is not read


def test_unreadable_file_with_an_unsupported_name_is_unsupported(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    network.fail("HeadObject", 403, "Forbidden", bucket=LANDING, times=None)
    refuse_reading(network, 403, "AccessDenied")

    assert deliver(encrypt_recording, cloud.land("acme/call.flac", DATA)) == []

    ((_, detail),) = told(cloud)
    assert (detail["reason"], detail["source"]["size"]) == ("UnsupportedFile", len(DATA))


def test_sweep_releases_the_file_once_it_can_be_read(
    cloud: Stack,
    network: Network,
    clock: Clock,
    encrypt_recording: ModuleType,
    sweep_landing: ModuleType,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The sweep has no permission to check. The function that has it is silent as long as nothing has changed."""
    cloud.tenant("acme", good_key())
    refuse_reading(network, 403, "AccessDenied")
    assert deliver(encrypt_recording, cloud.land(KEY, DATA)) == []
    capsys.readouterr()
    for _ in range(3):
        clock.pass_by(seconds=300)
        assert sweep(sweep_landing) == {"unreadable": 1}
        (line,) = (one for one in emitted(capsys) if "HeldFiles" in one)
        assert (line["HeldFiles"], line["PendingFiles"]) == ([1], [0])
        assert pump(cloud, encrypt_recording.lambda_handler) == 1
        assert waiting(cloud) == 0
        assert not [one for one in emitted(capsys) if "RecordingsHeld" in one]
    assert_held(cloud)
    network.mend()
    clock.pass_by(seconds=300)

    assert sweep(sweep_landing) == {"unreadable": 1}
    pump(cloud, encrypt_recording.lambda_handler)

    assert [kind for kind, _ in told(cloud)] == ["RecordingHeld", "RecordingReleased", "RecordingDelivered"]
    (released,) = cloud.audit_details("RecordingReleased")
    assert (released["reason"], released["source"]["key"]) == ("SourceUnreadable", KEY)
    assert cloud.objects(LANDING) == {}
    (sealed,) = cloud.objects(SFTP).values()
    assert FAMILIES["x509"].make("tenant").open(sealed) == DATA


def test_file_is_held_for_the_remaining_reason_once_it_can_be_read(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, sweep_landing: ModuleType
) -> None:
    cloud.tenant("acme", "no key")
    refuse_reading(network, 403, "AccessDenied")
    assert deliver(encrypt_recording, cloud.land(KEY, DATA)) == []
    network.mend()

    assert sweep(sweep_landing) == {"unreadable": 1}
    pump(cloud, encrypt_recording.lambda_handler)

    assert cloud.tags(KEY)["callseal-reason"] == "KeyUnreadable"
    assert [detail["reason"] for _, detail in told(cloud)] == ["SourceUnreadable", "KeyUnreadable"]
    assert sweep(sweep_landing) == {"held": 1}


def test_file_with_complete_outputs_is_finished_only_when_head_is_allowed(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    """Its key broke after the delivery and before the purge."""
    cloud.tenant("acme", good_key())
    landed = cloud.land(KEY, DATA)
    network.fail("PutEvents", 400, "ThrottlingException", times=None)
    assert deliver(encrypt_recording, landed) == ["m0"]
    network.mend()
    cloud.put_key("acme", "no key")
    network.fail("HeadObject", 403, "Forbidden", bucket=LANDING, times=None)
    refuse_reading(network, 403, "AccessDenied")

    assert deliver(encrypt_recording, landed) == []

    assert cloud.tags(KEY)["callseal-reason"] == "SourceUnreadable"
    assert [detail["reason"] for _, detail in told(cloud)] == ["SourceUnreadable"]


def test_recheck_skips_a_file_when_head_is_refused(
    cloud: Stack, network: Network, recheck_delivery: ModuleType
) -> None:
    cloud.tenant("acme", good_key())
    landed = cloud.land(KEY, DATA)
    network.fail("HeadObject", 400, "Bad Request", bucket=LANDING, times=None)
    refuse_reading(network, 403, "AccessDenied")

    assert deliver(recheck_delivery, landed) == []

    assert cloud.audit() == []
    assert cloud.tags(KEY) == {}
