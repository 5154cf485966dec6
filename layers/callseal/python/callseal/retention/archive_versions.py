"""The versions of objects in the archive bucket, and their Object Lock.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from callseal.aws.calls import calling
from callseal.core.errors import SourceGoneError
from callseal.core.stored import ObjectLock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The id of the version that an object has if it was written before its bucket had versions.
FIRST_VERSION = "null"


class ArchiveVersions:
    """Reads and changes the lock of versions by key and version id. Thread-safe."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        """Take the client and the bucket's name."""
        self._s3, self._bucket = s3, bucket

    def lock_of(self, key: str, version: str) -> ObjectLock | None:
        """Return a version's retention, or None if it has none. Raise SourceGoneError if the version is gone.

        Without the permission s3:GetObjectRetention, S3 would leave the retention out of its answer.
        """
        with calling("Reading the lock of a recording", on_404=SourceGoneError):
            head = self._s3.head_object(Bucket=self._bucket, Key=key, VersionId=version)
        mode, until = head.get("ObjectLockMode"), head.get("ObjectLockRetainUntilDate")
        return ObjectLock(mode, until) if mode and until else None

    def lock(self, key: str, version: str, lock: ObjectLock) -> None:
        """Put a retention on a version. S3 refuses a shorter one and another mode."""
        with calling("Locking a recording", on_404=SourceGoneError):
            self._s3.put_object_retention(
                Bucket=self._bucket,
                Key=key,
                VersionId=version,
                Retention={"Mode": lock.mode, "RetainUntilDate": lock.until},
            )


def extended(present: ObjectLock | None, wanted: ObjectLock, now: datetime) -> ObjectLock | None:
    """Return the retention to put on a version so that it lasts as long as wanted, or None if nothing is to be done.

    A retention is made longer and never shorter. S3 changes the mode of a present one only for those who may bypass it,
    so the mode stays: https://github.com/ceph/ceph/pull/42505.
    """
    if wanted.until <= now:
        return None
    if present is None or present.until <= now:
        return wanted
    return ObjectLock(present.mode, wanted.until) if wanted.until > present.until else None
