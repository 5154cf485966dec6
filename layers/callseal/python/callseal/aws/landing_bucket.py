"""The landing bucket: read what landed, mark it as held, and delete it once it is delivered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.errors import Reason, SourceGoneError
from callseal.landing import LandedObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STATE_TAG, REASON_TAG, DAYS_TAG, HELD = "callseal-state", "callseal-reason", "callseal-held-days", "held"
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
class Held:
    """What the tags of a held object say: its reason, and the age in days that was last complained of."""

    reason: str
    days: int


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
        landed_at = landed.landed_at or head["LastModified"]
        return replace(landed, etag=head["ETag"].strip('"'), size=head["ContentLength"], landed_at=landed_at)

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
        self._tag(landed, {STATE_TAG: HELD, REASON_TAG: reason.value})

    def tag_days(self, landed: LandedObject, days: int) -> None:
        """Remember with a held object the age in days that has been complained of."""
        self._tag(landed, {DAYS_TAG: str(days)})

    def held(self, landed: LandedObject) -> Held | None:
        """Tell what the object is held for, or None where it is not."""
        tags = self._tags(landed)
        if tags.get(STATE_TAG) != HELD:
            return None
        days = tags.get(DAYS_TAG, "")
        return Held(tags.get(REASON_TAG, ""), int(days) if days.isascii() and days.isdigit() else 0)

    def list(self, prefix: str = "", after: str = "") -> Iterator[Sequence[LandedObject]]:
        """List what lies in the bucket under a prefix and after a key, page by page of up to 1,000."""
        with calling("Listing the landing bucket"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, Prefix=prefix, StartAfter=after
            )
            for page in pages:
                yield [self._listed(item) for item in page.get("Contents", [])]

    def _listed(self, item: Any) -> LandedObject:
        etag = item["ETag"].strip('"')
        return LandedObject(self.name, item["Key"], etag, item["Size"], landed_at=item["LastModified"])

    def _tag(self, landed: LandedObject, ours: dict[str, str]) -> None:
        before = self._tags(landed)
        kept = {name: value for name, value in before.items() if name in (STATE_TAG, REASON_TAG, DAYS_TAG)}
        ours = kept | ours
        others = [tag for tag in before.items() if tag[0] not in ours]
        tags = {**ours, **dict(others[: MAX_TAGS - len(ours)])}
        with calling("Tagging the held file", on_404=SourceGoneError):
            self._s3.put_object_tagging(
                **self._address(landed),
                Tagging={"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]},
            )

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
