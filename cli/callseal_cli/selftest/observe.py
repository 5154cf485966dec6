"""Read the state of a trial from outside: buckets, tags, the audit log group, the audit bucket."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from callseal.core.errors import SourceGoneError
from callseal.core.landing import LandedObject
from callseal_cli import landing
from callseal_cli.screen import Screen
from callseal_cli.selftest.trial import PREFIX, LockedCopy, Trial, started_at
from callseal_cli.stack import Stack

# How far AWS's clocks may differ from this machine's.
CLOCK_SKEW = timedelta(minutes=1)
BUCKETS = ("LandingBucketName", "SftpBucketName", "ArchiveBucketName")
_GZIP = b"\x1f\x8b"


def quiet() -> Screen:
    """Return a screen without progress, for look-ups inside a check."""
    return Screen(as_json=False, quiet=True)


def read(stack: Stack, bucket: str, key: str) -> bytes | None:
    """Return an object of the bucket in an output, or None if it does not exist."""
    try:
        return stack.s3.get_object(Bucket=stack.output(bucket), Key=key)["Body"].read()
    except ClientError as exc:
        if error_code(exc) != "NoSuchKey":
            raise
        return None


def keys(stack: Stack, bucket: str, prefix: str) -> list[str]:
    """Return the keys below a prefix in the bucket in an output."""
    pages = stack.s3.get_paginator("list_objects_v2").paginate(Bucket=stack.output(bucket), Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def held_for(stack: Stack, key: str) -> str | None:
    """Return the reason of a held file, "" if the file is in landing and not held, or None if it is not in landing."""
    bucket = landing.landing_bucket(stack)
    try:
        held = bucket.held(bucket.refresh(LandedObject(bucket.name, key)))
    except SourceGoneError:
        return None
    return (held.reason or "an unknown reason") if held else ""


def whereabouts(stack: Stack, key: str) -> str:
    """Return words for the state of a landed file that was not delivered."""
    reason = held_for(stack, key)
    if reason is None:
        return "it has left landing"
    return f"it is held {reason}" if reason else "it is in landing, neither delivered nor held"


def audit_events(stack: Stack, run: str, since: datetime) -> list[dict[str, Any]]:
    """Return the events of a run's canaries from the audit log group.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-json-log-events.html
    """
    pages = stack.client("logs").get_paginator("filter_log_events").paginate(
        logGroupName=stack.output("AuditLogGroupName"),
        startTime=int((since - CLOCK_SKEW).timestamp() * 1000),
        filterPattern=f'{{ $.detail.tenant = "{run}*" }}',
    )  # fmt: skip
    found = (json.loads(entry["message"]) for page in pages for entry in page["events"])
    # The emulator does not support JSON patterns, and returns all events.
    return [event for event in found if (event.get("detail", {}).get("tenant") or "").startswith(run)]


def locked_copy(trial: Trial, tenant: str, detail_type: str) -> LockedCopy | None:
    """Return the object of the audit bucket, written since the trial began, that has a tenant's event, or None."""
    stack, bucket = trial.stack, trial.stack.output("AuditBucketName")
    for key in _written_since(stack, bucket, trial.started - CLOCK_SKEW):
        found = stack.s3.get_object(Bucket=bucket, Key=key)
        for event in _events(found["Body"].read()):
            if (event.get("detail-type"), event.get("detail", {}).get("tenant")) == (detail_type, tenant):
                return LockedCopy(bucket, key, found["VersionId"])
    return None


def retained_until(stack: Stack, copy: LockedCopy) -> datetime | None:
    """Return until when Object Lock keeps a version, or None if it is not locked.

    Without the permission s3:GetObjectRetention, S3 omits the time and the result is None, too.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    """
    head = stack.s3.head_object(Bucket=copy.bucket, Key=copy.key, VersionId=copy.version)
    return head.get("ObjectLockRetainUntilDate")


def leftovers(stack: Stack, older_than: datetime) -> list[str]:
    """Return the canary tenants of runs that began before a time, from secrets, parameters and buckets."""
    found = {*_in_secrets(stack), *_in_parameters(stack)}
    for bucket in BUCKETS:
        found |= set(_in_bucket(stack, stack.output(bucket)))
    return sorted(tenant for tenant in found if (started := started_at(tenant)) and started < older_than)


def error_code(exc: ClientError) -> str:
    """Return AWS's code of an error, or "unknown"."""
    return exc.response.get("Error", {}).get("Code", "unknown")


def _written_since(stack: Stack, bucket: str, since: datetime) -> Iterator[str]:
    """Return the keys written since a time. Only the prefixes of the days since are listed: the bucket keeps years."""
    for day in sorted({since.date(), datetime.now(since.tzinfo).date()}):
        pages = stack.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"audit/{day:%Y/%m/%d}/")
        items = (item for page in pages for item in page.get("Contents", []))
        yield from (item["Key"] for item in items if item["LastModified"] >= since)


def _events(data: bytes) -> Iterator[dict[str, Any]]:
    """Return the events of an object, one JSON text a line, with gzip or without."""
    text = (gzip.decompress(data) if data.startswith(_GZIP) else data).decode()
    yield from (json.loads(line) for line in text.split("\n") if line.strip())


def _in_secrets(stack: Stack) -> Iterator[str]:
    prefix = f"{stack.tenants_prefix}/"
    # The filter matches the beginning of a name.
    filters: Any = [{"Key": "name", "Values": [f"{prefix}{PREFIX}"]}]
    pages = stack.secrets.get_paginator("list_secrets").paginate(Filters=filters)
    names = (secret["Name"] for page in pages for secret in page["SecretList"])
    return _tenants(prefix, names)


def _in_parameters(stack: Stack) -> Iterator[str]:
    prefix = f"/{stack.tenants_prefix}/"
    filters: Any = [{"Key": "Name", "Option": "BeginsWith", "Values": [f"{prefix}{PREFIX}"]}]
    pages = stack.ssm.get_paginator("describe_parameters").paginate(ParameterFilters=filters)
    names = (parameter["Name"] for page in pages for parameter in page["Parameters"])
    return _tenants(prefix, names)


def _in_bucket(stack: Stack, bucket: str) -> Iterator[str]:
    pages = stack.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX, Delimiter="/")
    return _tenants("", (item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])))


def _tenants(prefix: str, names: Iterator[str] | Sequence[str]) -> Iterator[str]:
    return (name.removeprefix(prefix).partition("/")[0] for name in names if name.startswith(prefix))
