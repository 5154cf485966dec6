"""A delivery stream writes its records into its bucket, in Firehose's format; the real template's bucket locks them."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from callseal.trail.objects import prefixes, read_records
from localcloud import LocalCloud, TemplateError
from localcloud.moto_process import MotoProcess
from localcloud.properties import Properties
from localcloud.resources.context import Context
from localcloud.resources.firehose import make_delivery_stream
from localcloud.stack import DeliveryStream, Stack
from tests.e2e.localcloud.support import FAST, PROJECT
from tests.security.privacy.watch import WATCH

NAME = re.compile(r"callseal-local-audit-1-\d{4}(-\d\d){5}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.gz")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    on_line = lambda _, line: WATCH.log(line)  # noqa: E731
    with LocalCloud(state_dir=tmp_path_factory.mktemp("state"), pace=FAST, on_line=on_line) as cloud:
        yield cloud


def put_events(cloud: LocalCloud, number: int) -> None:
    detail = {"id": "0123", "time": "2026-11-29T12:00:00.000Z"}
    entry = {"EventBusName": cloud.outputs["AuditBusName"], "Source": "callseal", "DetailType": "RecordingHeld"}
    entries = [{**entry, "Detail": json.dumps(detail | {"number": each})} for each in range(number)]
    assert cloud.client("events").put_events(Entries=entries)["FailedEntryCount"] == 0


def stored(cloud: LocalCloud) -> list[dict[str, Any]]:
    """Return the answers of S3 for each object of the audit bucket, with its key, version and body."""
    s3, bucket = cloud.client("s3"), cloud.outputs["AuditBucketName"]
    named = [
        {"Bucket": bucket, "Key": each["Key"], "VersionId": each["VersionId"]}
        for each in s3.list_object_versions(Bucket=bucket).get("Versions", [])
    ]
    return [{**name, **(got := s3.get_object(**name)), "Body": got["Body"].read()} for name in named]


def logged(cloud: LocalCloud) -> list[dict[str, Any]]:
    found = cloud.client("logs").filter_log_events(logGroupName=cloud.outputs["AuditLogGroupName"])["events"]
    return [json.loads(each["message"]) for each in found]


def test_every_audit_event_is_in_the_bucket_as_in_the_log_group(cloud: LocalCloud) -> None:
    before = datetime.now(UTC)
    put_events(cloud, 7)
    cloud.wait_until_idle()
    objects = stored(cloud)
    lines = [line for each in objects for line in gzip.decompress(each["Body"]).decode().splitlines()]
    assert sorted(map(json.dumps, map(json.loads, lines))) == sorted(map(json.dumps, logged(cloud)))
    hours = tuple(prefixes(before, datetime.now(UTC)))
    for each in objects:
        assert each["Key"].startswith(hours)
        assert NAME.fullmatch(each["Key"].rpartition("/")[2])
        assert gzip.decompress(each["Body"]).endswith(b"}\n"), "a line each, the last one, too"
    ids = {record.id for each in objects for record in read_records(each["Body"])}
    assert ids == {event["id"] for event in logged(cloud)}, "one reader for what both clouds write"


def test_every_object_is_locked_and_only_the_lock_prevents_a_delete(cloud: LocalCloud) -> None:
    put_events(cloud, 1)
    cloud.wait_until_idle()
    s3, objects = cloud.client("s3"), stored(cloud)
    for each in objects:
        assert each["ObjectLockMode"] == "GOVERNANCE"
        assert each["ObjectLockRetainUntilDate"] - each["LastModified"] == timedelta(days=2557)
    name = {member: objects[0][member] for member in ("Bucket", "Key", "VersionId")}
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(**name)
    assert name["VersionId"] in [each["VersionId"] for each in stored(cloud)]

    cloud.pause()
    try:  # this object is not locked and can be deleted, so only the lock prevents a delete
        version = s3.put_object(Bucket=name["Bucket"], Key="unlocked", Body=b"x")["VersionId"]
        s3.delete_object(Bucket=name["Bucket"], Key="unlocked", VersionId=version)
        # Its announcement would be retried in vain for half an hour.
        cloud.client("sqs").purge_queue(QueueUrl=f"{cloud.endpoint_url}/123456789012/callseal-local-audit-lock")
    finally:
        cloud.resume()
    assert "unlocked" not in [each["Key"] for each in stored(cloud)]


def test_records_wait_while_the_pump_is_paused_and_are_outstanding(cloud: LocalCloud) -> None:
    cloud.wait_until_idle()
    before = len(stored(cloud))
    cloud.pause()
    try:
        put_events(cloud, 1)
        with pytest.raises(TimeoutError, match="1 messages in callseal-local-audit-stream"):
            cloud.wait_until_idle(0.2)
        assert len(stored(cloud)) == before
    finally:
        cloud.resume()
    cloud.wait_until_idle()
    assert len(stored(cloud)) == before + 1


def test_the_comparison_finds_no_gap(cloud: LocalCloud) -> None:
    counts = cloud.invoke("ReconcileAuditFunction", {})
    assert (counts["open"], counts["windows"] > 0) == (0, True)


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoProcess]:
    process = MotoProcess(0, "eu-north-1", lambda line: None)
    yield process
    process.close()


def make(moto: MotoProcess, **destination: Any) -> DeliveryStream:
    """Make a stream from a template's properties. `destination` changes those of its bucket."""
    stack = Stack("tested", "eu-north-1", "123456789012")
    values = {
        "DeliveryStreamName": "s",
        "DeliveryStreamType": "DirectPut",
        "ExtendedS3DestinationConfiguration": {"BucketARN": "arn:aws:s3:::b", "RoleARN": "r", **destination},
    }
    properties = Properties("Stream", "AWS::KinesisFirehose::DeliveryStream", values, stack.left_out)
    reference = make_delivery_stream(Context(stack, moto.client, PROJECT), properties)
    properties.done()
    return stack.streams[reference.attributes["Arn"]]


def appending(kind: str, delimiter: str = "\\n") -> dict[str, Any]:
    parameters = [{"ParameterName": "Delimiter", "ParameterValue": delimiter}]
    return {"Enabled": True, "Processors": [{"Type": kind, "Parameters": parameters}]}


def test_a_stream_is_as_declared(moto: MotoProcess) -> None:
    plain = make(moto)
    assert (plain.bucket, plain.prefix, plain.gzip, plain.delimiter) == ("b", "%Y/%m/%d/%H/", False, "")
    whole = make(
        moto,
        Prefix="a/!{timestamp:yyyy-MM}/!{timestamp:dd}/",
        CompressionFormat="GZIP",
        ProcessingConfiguration=appending("AppendDelimiterToRecord"),
    )
    assert (whole.prefix, whole.gzip, whole.delimiter) == ("a/%Y-%m/%d/", True, "\n")


@pytest.mark.parametrize(
    ("destination", "sentence"),
    [
        ({"Prefix": "!{timestamp:yyyy/ww}/"}, "does not know ww in the prefix"),
        ({"Prefix": "!{firehose:random-string}/"}, "does not know every expression of the prefix"),
        ({"CompressionFormat": "Snappy"}, "does not know the compression Snappy"),
        ({"ProcessingConfiguration": appending("Lambda")}, "does not know the processor Lambda"),
        ({"S3BackupMode": "Enabled"}, "property ExtendedS3DestinationConfiguration.S3BackupMode of Stream"),
    ],
)
def test_unsupported_stream_properties_fail(moto: MotoProcess, destination: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TemplateError, match=sentence):
        make(moto, **destination)
