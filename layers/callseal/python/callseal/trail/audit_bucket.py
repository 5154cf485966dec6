"""The audit bucket: the copy of the audit trail under Object Lock.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectRetention.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.core.errors import SourceGoneError
from callseal.trail.objects import prefixes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class AuditObject:
    """One version of an object, and S3's time of its writing."""

    key: str
    version: str
    written: datetime


class AuditBucket:
    """Reads, writes and locks objects of the audit bucket."""

    def __init__(self, s3: S3Client, bucket: str, mode: str, days: int) -> None:
        """Take the client, the bucket's name, the lock's mode, and its length in days from an object's writing."""
        self._s3: Any = s3
        self._bucket, self._mode, self._days = bucket, mode, timedelta(days=days)

    def objects(self, hours: tuple[datetime, datetime], written: tuple[datetime, datetime]) -> Iterator[AuditObject]:
        """Return the versions under the prefixes of `hours` (inclusive) that were written in `written` (end excluded).

        Versions, because a delete marker or a later object with the same key hides the locked version.
        """
        for prefix in prefixes(*hours):
            for item in self._versions(prefix):
                if written[0] <= item["LastModified"] < written[1]:
                    yield AuditObject(item["Key"], item["VersionId"], item["LastModified"])

    def read(self, stored: AuditObject) -> tuple[bytes, bool]:
        """Return an object's bytes, and whether it is locked for the configured number of days."""
        with calling("Reading an audit object"):
            found = self._s3.get_object(Bucket=self._bucket, Key=stored.key, VersionId=stored.version)
            return found["Body"].read(), self._is_locked(found)

    def lock(self, key: str, version: str) -> bool:
        """Lock a version for the configured days from its writing. Return False if it already was."""
        with calling("Reading the lock of an audit object"):
            found = self._s3.head_object(Bucket=self._bucket, Key=key, VersionId=version)
        if self._is_locked(found):
            return False
        retention = {"Mode": self._mode, "RetainUntilDate": found["LastModified"] + self._days}
        with calling("Locking an audit object"):
            self._s3.put_object_retention(Bucket=self._bucket, Key=key, VersionId=version, Retention=retention)
        return True

    def put_locked(self, key: str, data: bytes, now: datetime) -> None:
        """Write an object with its lock, which counts from `now`."""
        with calling("Writing an audit object"):
            self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=data, ContentType="application/octet-stream",
                ObjectLockMode=self._mode, ObjectLockRetainUntilDate=now + self._days,
            )  # fmt: skip

    def find(self, key: str) -> bytes | None:
        """Return the bytes of the object with a key, or None if there is none."""
        try:
            with calling("Reading an audit object", on_404=SourceGoneError):
                return bytes(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        except SourceGoneError:
            return None

    def _is_locked(self, found: Any) -> bool:
        until = found.get("ObjectLockRetainUntilDate")
        return bool(until) and until >= found["LastModified"] + self._days

    def _versions(self, prefix: str) -> Iterator[Any]:
        markers: dict[str, str] = {}
        while True:
            with calling("Listing audit objects"):
                page = self._s3.list_object_versions(Bucket=self._bucket, Prefix=prefix, **markers)
            yield from page.get("Versions", [])
            if not page.get("IsTruncated"):
                return
            markers = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
