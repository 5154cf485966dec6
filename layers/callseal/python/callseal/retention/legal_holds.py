"""S3's legal-hold bits of archived files. Each version of an object has one, and while it is set S3 deletes it not."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from callseal.aws.calls import calling
from callseal.calls.card import Card
from callseal.core.errors import SourceGoneError
from callseal.retention.archive_versions import FIRST_VERSION

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ARCHIVE = "archive"
AT_ONCE = 16


# What S3 answers for a version that is deleted, for a key without versions, and for a delete marker.
GONE = dict.fromkeys(
    ("on_NoSuchVersion", "on_NoSuchKey", f"on_{HTTPStatus.NOT_FOUND}", f"on_{HTTPStatus.METHOD_NOT_ALLOWED}"),
    SourceGoneError,
)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an archived object."""

    bucket: str
    key: str
    version: str


def archived(card: Card) -> set[Version]:
    """Return the versions of a call's files in the archive."""
    return {
        Version(file.bucket, file.key, delivery.version or FIRST_VERSION)
        for file in card.files
        if file.destination == ARCHIVE
        for delivery in file.deliveries
    }


class LegalHolds:
    """Sets and clears legal holds."""

    def __init__(self, client: S3Client) -> None:
        """Take the client."""
        self._client = client

    def set(self, versions: Collection[tuple[Version, bool]]) -> set[Version]:
        """Set (True) or clear the legal hold of versions. Return those that exist no more. Raise TransientError."""
        with ThreadPoolExecutor(AT_ONCE, "legal-hold") as executor:
            exist = executor.map(self._set, versions)
            return {version for (version, _), exists in zip(versions, exist, strict=True) if not exists}

    def _set(self, wanted: tuple[Version, bool]) -> bool:
        version, is_held = wanted
        try:
            with calling("Setting a legal hold", **GONE):
                self._client.put_object_legal_hold(
                    Bucket=version.bucket,
                    Key=version.key,
                    VersionId=version.version,
                    LegalHold={"Status": "ON" if is_held else "OFF"},
                )
        except SourceGoneError:
            return False
        return True
