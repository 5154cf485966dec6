"""Plain outputs: server-side copies, byte for byte, without the landed object's tags or metadata."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tests.support.families import FAMILIES
from tests.support.network import Network
from tests.support.recordings import MIB, land_large, recording
from tests.support.stack import ARCHIVE, LANDING, SFTP, Stack, failures, notification, sqs_event

PLAIN = {"encrypt": False, "deliver_to_archive": True, "archive_formats": ["wav", "mp3"]}
PART = 5 * MIB  # the smallest part that S3 accepts
# What the bucket's lifecycle goes by. No other tag is written.
TAGS: dict[str, Any] = {ARCHIVE: [], SFTP: [{"Key": "callseal-expires", "Value": "files"}]}


@pytest.fixture
def _copies_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apply from 5 MiB on what normally applies above 5 GiB."""
    monkeypatch.setattr("callseal.delivery.output_buckets.MAX_COPY_BYTES", PART)
    monkeypatch.setattr("callseal.delivery.output_buckets.COPY_PART_BYTES", PART)


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("1.wav", "audio/wav"),
        ("1.WAV", "audio/wav"),
        ("1.mp3", "audio/mpeg"),
        ("1.xml", "application/xml"),
        ("1.json", "application/json"),
        ("1.JSON", "application/json"),
    ],
)
def test_copy_has_only_our_metadata(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, name: str, content_type: str
) -> None:
    """The platform's metadata may name a caller, and its content type is not trusted either."""
    cloud.tenant("acme", None, {**PLAIN, "call_index": "off"})
    key = f"acme/{name}"
    etag = cloud.s3.put_object(
        Bucket=LANDING, Key=key, Body=b"said", ContentType="text/html", ContentDisposition="inline",
        Metadata={"caller": "46701234567", "callseal-sealed": "cms"}, Tagging="callseal-state=held&platform=x",
    )["ETag"].strip('"')  # fmt: skip

    assert failures(encrypt_recording.lambda_handler(sqs_event(notification(key, etag, 4)), None)) == []

    for bucket in (ARCHIVE, SFTP):
        head = cloud.s3.head_object(Bucket=bucket, Key=key)
        assert head["ContentType"] == content_type
        assert head["Metadata"] == {"callseal-source-etag": etag, "callseal-sealed": "none"}
        assert "ContentDisposition" not in head
        assert cloud.s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == TAGS[bucket]
        assert cloud.objects(bucket) == {key: b"said"}
    assert not network.asked("GetObject")  # no byte passes through the function


@pytest.mark.parametrize("settings", [PLAIN, {"deliver_to_archive": True, "archive_formats": ["wav"]}])
@pytest.mark.parametrize("in_parts", [False, True])
def test_hold_tags_are_not_copied(
    cloud: Stack,
    encrypt_recording: ModuleType,
    request: pytest.FixtureRequest,
    settings: dict[str, object],
    in_parts: bool,
) -> None:
    if in_parts:
        request.getfixturevalue("_copies_in_parts")
    landed = land_large(cloud, "acme/1.wav", recording(6 * MIB))
    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == []
    assert cloud.tags("acme/1.wav")["callseal-state"] == "held"
    cloud.tenant("acme", FAMILIES["x509"].make("tenant").public_text, settings)

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == []

    for bucket in (ARCHIVE, SFTP):
        (key,) = cloud.objects(bucket)
        assert cloud.s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == TAGS[bucket]


@pytest.mark.parametrize("size", [0, 1, 8 * MIB + 1])
def test_sizes(cloud: Stack, network: Network, encrypt_recording: ModuleType, size: int) -> None:
    cloud.tenant("acme", None, PLAIN)
    landed = cloud.land("acme/1.wav", recording(size))

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == []

    assert cloud.objects(SFTP) == cloud.objects(ARCHIVE) == {"acme/1.wav": recording(size)}
    (detail,) = cloud.audit_details("RecordingDelivered")
    assert [(one["size"], one["sha256"], one["sealed"]) for one in detail["outputs"]] == [(size, None, "none")] * 2
    assert len(network.asked("CopyObject")) == 2


@pytest.mark.usefixtures("_copies_in_parts")
@pytest.mark.parametrize(("size", "parts"), [(PART, 0), (PART + 1, 2), (2 * PART, 2), (2 * PART + 1, 3)])
def test_huge_file_is_copied_in_parts(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, size: int, parts: int
) -> None:
    cloud.tenant("acme", None, PLAIN)
    landed = land_large(cloud, "acme/1.wav", recording(size))

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == []

    assert cloud.objects(SFTP) == cloud.objects(ARCHIVE) == {"acme/1.wav": recording(size)}
    assert len(network.asked("UploadPartCopy", SFTP)) == parts
    assert len(network.asked("CopyObject", SFTP)) == (0 if parts else 1)
    head = cloud.s3.head_object(Bucket=SFTP, Key="acme/1.wav")
    assert head["ContentType"] == "audio/wav"
    assert set(head["Metadata"]) == {"callseal-source-etag", "callseal-sealed"}
    assert cloud.unfinished_uploads(SFTP) == cloud.unfinished_uploads(ARCHIVE) == []
    assert cloud.objects(LANDING) == {}


@pytest.mark.usefixtures("_copies_in_parts")
@pytest.mark.parametrize(
    ("operation", "skip", "status"),
    [("UploadPartCopy", 1, 500), ("CompleteMultipartUpload", 0, 500), ("CompleteMultipartUpload", 0, 409)],
)
def test_failed_copy_in_parts_leaves_no_output(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, operation: str, skip: int, status: int
) -> None:
    cloud.tenant("acme", None, PLAIN)
    landed = land_large(cloud, "acme/1.wav", recording(PART + 1))
    network.fail(operation, status, "Trouble", bucket=ARCHIVE, skip=skip)

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == ["m0"]
    assert cloud.objects(SFTP) == cloud.objects(ARCHIVE) == {}
    assert cloud.unfinished_uploads(ARCHIVE) == []

    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == []
    assert cloud.objects(SFTP) == cloud.objects(ARCHIVE) == {"acme/1.wav": recording(PART + 1)}


@pytest.mark.usefixtures("_copies_in_parts")
@pytest.mark.parametrize("ours", [True, False])
def test_copy_in_parts_when_the_output_appears_before_the_complete(
    cloud: Stack, network: Network, encrypt_recording: ModuleType, ours: bool
) -> None:
    """The output appears right before the Complete, written by another worker or by an unrelated program."""
    cloud.tenant("acme", None, {"encrypt": False})
    landed = land_large(cloud, "acme/1.wav", recording(PART + 1))
    etag = landed["Records"][0]["s3"]["object"]["eTag"] if ours else "0" * 32
    metadata = {"callseal-source-etag": etag, "callseal-sealed": "none"}

    def intrude(_: object) -> None:
        cloud.s3.put_object(Bucket=SFTP, Key="acme/1.wav", Body=b"first", Metadata=metadata)

    network.before("CompleteMultipartUpload", intrude)
    assert failures(encrypt_recording.lambda_handler(sqs_event(landed), None)) == []

    assert cloud.objects(SFTP) == {"acme/1.wav": b"first"}
    assert cloud.unfinished_uploads(SFTP) == []
    assert [event["detail-type"] for event in cloud.audit()] == ["RecordingDelivered" if ours else "RecordingHeld"]


@pytest.mark.usefixtures("_copies_in_parts")
def test_source_replaced_between_two_parts(cloud: Stack, network: Network, encrypt_recording: ModuleType) -> None:
    """Parts of two versions must never become one file."""
    cloud.tenant("acme", None, {"encrypt": False})
    landed = land_large(cloud, "acme/1.wav", recording(PART + 1))
    network.before("UploadPartCopy", lambda _: cloud.land("acme/1.wav", bytes(PART + 1)) and None, skip=1)

    encrypt_recording.lambda_handler(sqs_event(landed), None)

    assert cloud.objects(SFTP) == {}
    assert cloud.unfinished_uploads(SFTP) == []
    assert cloud.objects(LANDING) == {"acme/1.wav": bytes(PART + 1)}
