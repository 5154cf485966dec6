"""The landing bucket: read what landed, mark it as held, and delete it once it is delivered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.errors import Reason, SourceGoneError
from callseal.landing import LandedObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STATE_TAG, REASON_TAG, HELD = "callseal-state", "callseal-reason", "held"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
MAX_TAGS = 10


class LandedBody:
    """A landed object's bytes as they stream in (`envelopes.Source`); what breaks raises TransientError."""

    def __init__(self, body: Any, size: int) -> None:
        """Wrap botocore's StreamingBody of a known size in bytes."""
        self._body = body
        self.size = size

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer as far as possible; 0 at the end."""
        with calling("Reading the landed file"):
            return int(self._body.readinto(buffer))

    def read(self, size: int) -> bytes:
        """Give up to `size` bytes; none at the end."""
        with calling("Reading the landed file"):
            return bytes(self._body.read(size))


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object of the landing bucket as a listing shows it, and when it landed."""

    landed: LandedObject
    landed_at: datetime


class LandingBucket:
    """Reads, tags and purges landed objects; each call touches the object of that etag, or raises SourceGoneError."""

    def __init__(self, s3: S3Client, name: str) -> None:
        """Take the client and the bucket's name."""
        self._s3 = s3
        self.name = name

    def find(self, landed: LandedObject) -> LandedObject:
        """Look whether the object is still there, and complete what its notification left out."""
        with calling("Looking at the landed file", on_404=SourceGoneError, on_412=SourceGoneError):
            head = self._s3.head_object(**self._address(landed), **self._if_match(landed))
        return replace(landed, etag=head["ETag"].strip('"'), size=head["ContentLength"])

    @contextmanager
    def open(self, landed: LandedObject) -> Iterator[LandedBody]:
        """Read the object as a stream."""
        with calling("Opening the landed file", on_404=SourceGoneError, on_412=SourceGoneError):
            answer = self._s3.get_object(**self._address(landed), **self._if_match(landed))
        try:
            yield LandedBody(answer["Body"], answer["ContentLength"])
        finally:
            answer["Body"].close()

    def purge(self, landed: LandedObject) -> None:
        """Delete the object, if it is still the one that was read."""
        with calling("Purging the landed file", on_404=SourceGoneError, on_412=SourceGoneError):
            self._s3.delete_object(**self._address(landed), **self._if_match(landed))

    def tag_held(self, landed: LandedObject, reason: Reason) -> None:
        """Tag the object as held; the platform's own tags stay as far as S3's limit of ten lets them."""
        others = [tag for tag in self._tags(landed).items() if tag[0] not in (STATE_TAG, REASON_TAG)]
        tags = {STATE_TAG: HELD, REASON_TAG: reason.value, **dict(others[: MAX_TAGS - 2])}
        with calling("Tagging the held file", on_404=SourceGoneError):
            self._s3.put_object_tagging(
                **self._address(landed),
                Tagging={"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]},
            )

    def held_reason(self, landed: LandedObject) -> str | None:
        """Tell the reason that the object is tagged with, or None where it is not held."""
        tags = self._tags(landed)
        return tags.get(REASON_TAG, "") if tags.get(STATE_TAG) == HELD else None

    def list(self, prefix: str = "") -> Iterator[ListedObject]:
        """List what lies in the bucket, page by page."""
        with calling("Listing the landing bucket"):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                for item in page.get("Contents", []):
                    landed = LandedObject(self.name, item["Key"], item["ETag"].strip('"'), item["Size"])
                    yield ListedObject(landed, item["LastModified"])

    def _tags(self, landed: LandedObject) -> dict[str, str]:
        with calling("Reading the landed file's tags", on_404=SourceGoneError):
            answer = self._s3.get_object_tagging(**self._address(landed))
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def _address(self, landed: LandedObject) -> Any:
        version = {"VersionId": landed.version_id} if landed.version_id else {}
        return {"Bucket": self.name, "Key": landed.key, **version}

    def _if_match(self, landed: LandedObject) -> Any:
        # A version never changes, and S3 takes no condition on deleting one.
        return {"IfMatch": f'"{landed.etag}"'} if landed.etag and not landed.version_id else {}
