"""The versions of files in the archive bucket, and the copies in the SFTP bucket: found and deleted in few requests.

A delete names the version. Without one, S3 would put a marker on a recording that stays.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.core.errors import SourceGoneError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_KEYS = 1000
# S3's code for a version under a lock or a hold. A role without the permission gets the same one.
REFUSED = "AccessDenied"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a key, or a delete marker. `size` and `written` are None if it was not listed."""

    key: str
    id: str
    size: int | None = None
    written: datetime | None = None
    is_marker: bool = False


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock of a version: until when, and whether it has a legal hold."""

    until: datetime | None
    is_held: bool


class VersionStore:
    """Finds and deletes objects in the output buckets. Thread-safe."""

    def __init__(self, s3: S3Client, archive: str, sftp: str) -> None:
        """Take the client and the names of the buckets."""
        self._s3: Any = s3
        self._archive, self._sftp = archive, sftp

    def tenants(self) -> set[str]:
        """Return the first folders of the archive's keys."""
        with calling("Listing the archive's tenants"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._archive, Delimiter="/")
            return {found["Prefix"].rstrip("/") for page in pages for found in page.get("CommonPrefixes", [])}

    def find(self, key: str) -> list[Version]:
        """Return all versions of a key, delete markers too. A listing by prefix also has keys that are longer."""
        found, mark = list[Version](), None
        while True:
            page, mark = self.page(key, mark)
            found += [version for version in page if version.key == key]
            if mark is None or (page and page[-1].key > key):
                return found

    def page(self, prefix: str, mark: str | None) -> tuple[list[Version], str | None]:
        """Return the next versions under a prefix, by key, and the mark at which the listing continues, if it does."""
        markers = dict(zip(("KeyMarker", "VersionIdMarker"), json.loads(mark), strict=True)) if mark else {}
        with calling("Listing versions in the archive"):
            page = self._s3.list_object_versions(Bucket=self._archive, Prefix=prefix, **markers)
        found = [_version(each) for each in (*page.get("Versions", []), *page.get("DeleteMarkers", []))]
        mark = json.dumps([page["NextKeyMarker"], page["NextVersionIdMarker"]]) if page.get("IsTruncated") else None
        return sorted(found, key=lambda version: version.key), mark

    def delete(self, versions: Sequence[Version]) -> dict[Version, str]:
        """Delete versions, 1,000 in a request. Return S3's code for each that is still there.

        A version that was gone before counts as deleted.
        """
        named = {(version.key, version.id): version for version in versions}
        refused = self._delete(self._archive, [{"Key": key, "VersionId": id_} for key, id_ in named])
        return {named[key, str(id_)]: code for (key, id_), code in refused.items()}

    def delete_copies(self, keys: Iterable[str]) -> dict[str, str]:
        """Delete files of the SFTP bucket, if they are there. Return S3's code for each that could not be deleted."""
        refused = self._delete(self._sftp, [{"Key": key} for key in keys])
        return {key: code for (key, _), code in refused.items()}

    def lock(self, version: Version) -> Lock | None:
        """Return the lock of a version, or None if the version is gone."""
        try:
            with calling("Reading a lock in the archive", on_404=SourceGoneError):
                head = self._s3.head_object(Bucket=self._archive, Key=version.key, VersionId=version.id)
        except SourceGoneError:
            return None
        return Lock(head.get("ObjectLockRetainUntilDate"), head.get("ObjectLockLegalHoldStatus") == "ON")

    def _delete(self, bucket: str, objects: Sequence[dict[str, str]]) -> dict[tuple[str, str | None], str]:
        refused = dict[tuple[str, str | None], str]()
        for first in range(0, len(objects), MAX_KEYS):
            wanted = {"Objects": objects[first : first + MAX_KEYS], "Quiet": True}
            with calling("Deleting recordings"):
                answer = self._s3.delete_objects(Bucket=bucket, Delete=wanted)
            refused |= {(each["Key"], each.get("VersionId")): each["Code"] for each in answer.get("Errors", [])}
        return refused


def _version(found: Any) -> Version:
    return Version(found["Key"], found["VersionId"], found.get("Size"), found["LastModified"], "Size" not in found)
