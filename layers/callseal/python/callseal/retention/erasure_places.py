"""Where the files of a call are: in the archive with all versions, in the tenant's SFTP area, and in landing.

All places of a call begin with its name. A listing by that prefix also finds files of calls with a longer name, which
are left out. The card adds what a listing does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from callseal.aws.calls import calling
from callseal.calls.call_name import REQUESTS, CallName, call_of, original_key
from callseal.core.audit import timestamp
from callseal.core.errors import AccessRefusedError, SourceGoneError
from callseal.core.formats import MEDIA_TYPES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# What a copy on request has beside its files: their names and hashes.
MANIFEST = "manifest.sha256"
DELETING = "Erasing a file"


@dataclass(frozen=True, slots=True)
class Stored:
    """An object: `version` is None outside the archive. `is_marker` is a delete marker, which has no bytes."""

    place: Literal["archive", "sftp", "landing"]
    bucket: str
    key: str
    etag: str
    size: int
    version: str | None = None
    is_marker: bool = False


@dataclass(frozen=True, slots=True)
class Lock:
    """What stops a delete: a legal hold, or a lock in mode COMPLIANCE until a time."""

    held: bool
    until: str | None = None


class CallPlaces:
    """Finds and deletes the files of calls."""

    def __init__(self, s3: S3Client, archive: str, sftp: str, landing: str) -> None:
        """Take the client and the buckets' names."""
        self._s3, self._archive, self._sftp, self._landing = s3, archive, sftp, landing

    def find(self, call: CallName) -> list[Stored]:
        """Return all objects of a call, those in landing last."""
        prefix = f"{call.tenant}/{call.name}."
        return [
            *self.delivered(call),
            *(stored for stored in self._listed("landing", self._landing, prefix) if _is_ending(stored.key, prefix)),
        ]

    def delivered(self, call: CallName) -> list[Stored]:
        """Return all delivered objects of a call, and copies of them that were made on request."""
        prefix = f"{call.tenant}/{call.name}."
        return [
            *self._versions(prefix, call),
            *self._objects("sftp", self._sftp, prefix, call),
            *self._copies(call),
        ]

    def lock(self, stored: Stored, now: datetime) -> Lock | None:
        """Return what stops the delete of an archived version now, or None. Raise SourceGoneError."""
        if stored.version is None or stored.is_marker:
            return None
        with calling("Reading the lock of a recording", on_404=SourceGoneError):
            found: Any = self._s3.head_object(Bucket=stored.bucket, Key=stored.key, VersionId=stored.version)
        if found.get("ObjectLockLegalHoldStatus") == "ON":
            return Lock(held=True)
        until = found.get("ObjectLockRetainUntilDate")
        if found.get("ObjectLockMode") == "COMPLIANCE" and until and until > now:
            return Lock(held=False, until=timestamp(until))
        return None

    def delete(self, stored: Stored) -> None:
        """Delete an object, past a lock in mode GOVERNANCE. Raise AccessRefusedError if S3 refuses it.

        A landed file is deleted only if it is still the one that was found. Raise SourceGoneError if not.
        """
        address: Any = {"Bucket": stored.bucket, "Key": stored.key}
        if stored.version is not None:
            address |= {"VersionId": stored.version, "BypassGovernanceRetention": True}
        elif stored.place == "landing":
            address["IfMatch"] = f'"{stored.etag}"'
        outcomes = {"on_403": AccessRefusedError, "on_404": SourceGoneError, "on_412": SourceGoneError}
        with calling(DELETING, **outcomes):
            self._s3.delete_object(**address)

    def _objects(self, place: Literal["sftp", "landing"], bucket: str, prefix: str, call: CallName) -> Iterator[Stored]:
        return (stored for stored in self._listed(place, bucket, prefix) if call_of(stored.key) == call)

    def _copies(self, call: CallName) -> list[Stored]:
        """Return the copies of a call that were made on request, after the manifests that name them."""
        listed = list(self._listed("sftp", self._sftp, f"{call.tenant}/{REQUESTS}/"))
        copies = [stored for stored in listed if call_of(original_key(stored.key)) == call]
        manifests = {manifest_of(stored.key) for stored in copies}
        return [*(stored for stored in listed if stored.key in manifests), *copies]

    def _listed(self, place: Literal["sftp", "landing"], bucket: str, prefix: str) -> Iterator[Stored]:
        with calling("Listing a call's files"):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for found in page.get("Contents", []):
                    yield Stored(place, bucket, found["Key"], found["ETag"].strip('"'), found["Size"])

    def _versions(self, prefix: str, call: CallName) -> Iterator[Stored]:
        with calling("Listing a call's versions"):
            pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._archive, Prefix=prefix)
            for page in pages:
                for found in page.get("Versions", []):
                    if call_of(found["Key"]) == call:
                        yield Stored(
                            "archive", self._archive, found["Key"], found["ETag"].strip('"'), found["Size"],
                            found["VersionId"],
                        )  # fmt: skip
                for marker in page.get("DeleteMarkers", []):
                    if call_of(marker["Key"]) == call:
                        yield Stored("archive", self._archive, marker["Key"], "", 0, marker["VersionId"], True)


def manifest_of(key: str) -> str:
    """Return the key of the manifest that names a copy on request, by the key of the copy."""
    tenant, folder, request = f"{key}//".split("/")[:3]
    return f"{tenant}/{folder}/{request}/{MANIFEST}"


def _is_ending(key: str, prefix: str) -> bool:
    """Return whether a landing key with a call's prefix is of the call, whatever its extension is.

    A file with another extension is never delivered, but it is held in landing (`4711_1.flac`, `4711_1.wav.gz`).
    """
    first, dot, _ = key.removeprefix(prefix).partition(".")
    return "/" not in first and (not dot or first.lower() in MEDIA_TYPES)
