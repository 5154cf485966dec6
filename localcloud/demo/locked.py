"""The locked copy of the audit trail: the events in the audit bucket, and whether an object can be deleted."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from localcloud.cloud import LocalCloud
from localcloud.demo.screen import Screen

PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class LockedTrail:
    """EventBridge's ids of the events in the audit bucket, counts of objects, and the result of deleting the first.

    `about` is a sentence about the first object's lock.
    """

    ids: frozenset[str]
    objects: int
    unlocked: int
    refused: bool
    about: str


def show_locked_copy(cloud: LocalCloud, screen: Screen, ids: Sequence[str]) -> Iterator[tuple[str, list[bool]]]:
    """Show whether the audit bucket has these events and protects them. Return the checks with their results."""
    cloud.wait_until_idle(PATIENCE_SECONDS)
    locked = read_trail(cloud)
    screen.say(f"The same events are in {cloud.outputs['AuditBucketName']}. {locked.about}")
    refused = "refused" if locked.refused else "NOT refused"
    screen.say(f"Deleting that version is {refused}: the emulator enforces Object Lock as S3 does.")
    yield "every audit event is in the locked bucket, too", [each in locked.ids for each in ids]
    yield "an object of the locked bucket cannot be deleted", [locked.refused and not locked.unlocked]


def read_trail(cloud: LocalCloud) -> LockedTrail:
    """Read every object version of the audit bucket, and try to delete the first, which must be refused."""
    s3, bucket = cloud.client("s3"), cloud.outputs["AuditBucketName"]
    versions = [version for page in _pages(s3, bucket) for version in page.get("Versions", [])]
    found = [s3.get_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"]) for each in versions]
    lines = [line for each in found for line in gzip.decompress(each["Body"].read()).splitlines()]
    return LockedTrail(
        ids=frozenset(json.loads(line)["id"] for line in lines),
        objects=len(found),
        unlocked=sum("ObjectLockRetainUntilDate" not in each for each in found),
        refused=bool(versions) and _is_refused(s3, bucket, versions[0]),
        about=_about(versions[0]["Key"], found[0]) if versions else "The audit bucket is empty.",
    )


def _pages(s3: Any, bucket: str) -> Iterator[Any]:
    return iter(s3.get_paginator("list_object_versions").paginate(Bucket=bucket))


def _is_refused(s3: Any, bucket: str, version: Any) -> bool:
    try:
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    except ClientError as exc:
        return exc.response["Error"]["Code"] == "AccessDenied"
    return False


def _about(key: str, found: Any) -> str:
    until = found.get("ObjectLockRetainUntilDate")
    return f"{key} is locked ({found['ObjectLockMode']}) until {until:%Y-%m-%d}." if until else f"{key} has no lock."
