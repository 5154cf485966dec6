"""The audit trail's two copies, written as EventBridge and Firehose write them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.support.stack import AUDIT, AUDIT_LOG, REGION, STACK, Stack

Event = Mapping[str, Any]
FOREVER = datetime(2100, 1, 1, tzinfo=UTC)


def envelope(moment: datetime | None = None) -> dict[str, Any]:
    """Return an audit event as EventBridge delivers it, with its own id."""
    time = (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "version": "0", "id": str(uuid4()), "detail-type": "RecordingHeld", "source": "callseal",
        "account": "123456789012", "time": time, "region": REGION, "resources": [],
        "detail": {"id": uuid4().hex, "time": time},
    }  # fmt: skip


def log(cloud: Stack, events: Iterable[Event], moment: datetime | None = None) -> None:
    """Put events into the log group."""
    stamp = int((moment or datetime.now(UTC)).timestamp() * 1000)
    entries = [{"timestamp": stamp, "message": json.dumps(event)} for event in events]
    cloud.logs.put_log_events(logGroupName=AUDIT_LOG, logStreamName="events", logEvents=entries)


def deliver(cloud: Stack, events: Iterable[Event], *, locked: bool = True, data: bytes | None = None) -> str:
    """Write an object with events as Firehose does, locked or not, and return its key."""
    now = datetime.now(UTC)
    key = f"audit/{now:%Y/%m/%d/%H}/{STACK}-audit-1-{now:%Y-%m-%d-%H-%M-%S}-{uuid4()}.gz"
    body = gzip.compress("".join(f"{json.dumps(event)}\n" for event in events).encode()) if data is None else data
    cloud.s3.put_object(Bucket=AUDIT, Key=key, Body=body)
    if locked:
        lock(cloud, key, FOREVER)
    return key


def lock(cloud: Stack, key: str, until: datetime) -> None:
    """Set the retention of an object's latest version."""
    cloud.s3.put_object_retention(Bucket=AUDIT, Key=key, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})


def remove(cloud: Stack, key: str) -> None:
    """Remove all versions of an object, as a user with permission to bypass the lock can."""
    for version in versions(cloud, key):
        cloud.s3.delete_object(Bucket=AUDIT, Key=key, VersionId=version, BypassGovernanceRetention=True)


def versions(cloud: Stack, key: str) -> list[str]:
    """Return the version ids of an object."""
    found = cloud.s3.list_object_versions(Bucket=AUDIT, Prefix=key).get("Versions", [])
    return [each["VersionId"] for each in found]


def locked_for(cloud: Stack, key: str) -> tuple[str | None, timedelta | None]:
    """Return the mode of an object's lock, and its length from the time of writing."""
    found = cloud.s3.head_object(Bucket=AUDIT, Key=key)
    until = found.get("ObjectLockRetainUntilDate")
    return found.get("ObjectLockMode"), until - found["LastModified"] if until else None


def announced(cloud: Stack, key: str, **changes: Any) -> dict[str, Any]:
    """Return the notification in which S3 announces an object of the audit bucket."""
    (version,) = versions(cloud, key)
    s3_object = {"key": key, "size": 1, "eTag": "e", "versionId": version, "sequencer": "0055AED6DCD90281E5"} | changes
    bucket = s3_object.pop("bucket", AUDIT)
    record = {
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": REGION, "eventName": "ObjectCreated:Put",
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket}, "object": s3_object},
    }  # fmt: skip
    return {"Records": [record]}


def records(cloud: Stack, key: str) -> list[Any]:
    """Return the events in an object."""
    data = cloud.s3.get_object(Bucket=AUDIT, Key=key)["Body"].read()
    return [json.loads(line) for line in gzip.decompress(data).splitlines()]
