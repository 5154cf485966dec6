"""The landing bucket: read what landed, mark it as held, and delete it once it is delivered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from callseal.aws.batching import BatchWindow, RequestBatcher
from callseal.aws.calls import calling
from callseal.aws.unreadable import REFUSED, REFUSED_GET, sentence
from callseal.core.errors import (
    AccessRefusedError,
    CallsealError,
    HeldError,
    SourceGoneError,
    SourceReplacedError,
    SourceUnreadableError,
    TransientError,
)
from callseal.core.landing import LandedObject
from callseal.delivery.hold_tags import DAYS_TAG, HOLD_TAG, OUR_TAGS, HoldTags, held_by, held_tags, hold_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
MAX_TAGS = 10
# For its checksum, S3 decrypts with the object's KMS key on the caller's behalf; no byte is read:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
_USES_THE_KEY = {"ChecksumMode": "ENABLED"}
# A request may name 1,000; there are never more of them than records that are worked on at once.
MAX_PURGED_TOGETHER = 100


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


class LandingBucket:
    """Reads, tags and purges landed objects; each call touches the object of that etag, or raises SourceGoneError."""

    def __init__(self, s3: S3Client, name: str, window: BatchWindow) -> None:
        """Take the client, the bucket's name, and where those who purge wait for each other."""
        self._s3 = s3
        self.name = name
        self._purges = RequestBatcher(self._purge, MAX_PURGED_TOGETHER, window)

    def find(self, landed: LandedObject, *, readable: bool = False) -> LandedObject:
        """Look whether the object is still there (and can be read), and complete what its notification left out."""
        with self.reading(landed):
            head = self._head(landed, **(_USES_THE_KEY if readable else {}))
        landed_at = landed.landed_at or head["LastModified"]
        return replace(landed, etag=head["ETag"].strip('"'), size=head["ContentLength"], landed_at=landed_at)

    def require(self, landed: LandedObject) -> None:
        """Raise SourceGoneError or SourceReplacedError if the object is not there; one that cannot be read is there."""
        with suppress(AccessRefusedError):
            self._head(landed)

    @contextmanager
    def open(self, landed: LandedObject) -> Iterator[LandedBody]:
        """Read the object as a stream."""
        with self.reading(landed):
            answer = self._get(landed)
        try:
            yield LandedBody(answer["Body"], answer["ContentLength"])
        finally:
            answer["Body"].close()

    @contextmanager
    def reading(self, landed: LandedObject) -> Iterator[None]:
        """Turn a refusal of what reads the object into SourceUnreadableError, if a second look is refused as well.

        AWS refuses once in a while what it allows: while a change of permissions spreads, for one.
        """
        try:
            yield
        except AccessRefusedError:
            self._look_again(landed)
            raise

    def listed(self, landed: LandedObject) -> LandedObject:
        """Complete an object by the bucket's listing, which tells of one that cannot be read, too."""
        found = next((one for page in self.list(landed.key) for one in page if one.key == landed.key), None)
        if found is None:
            raise SourceGoneError("The landed file is not in the bucket's listing.")
        if landed.etag not in (None, found.etag):
            raise SourceReplacedError("The landed file has another etag in the bucket's listing.")
        return replace(landed, etag=found.etag, size=found.size, landed_at=landed.landed_at or found.landed_at)

    def purge(self, landed: LandedObject) -> None:
        """Delete the object, if it is still the one that was read; those of several threads go together."""
        self._purges.put(landed)

    def tag_held(self, landed: LandedObject, error: HeldError, number: int) -> None:
        """Tag the object as held; the platform's own tags stay as far as S3's limit of ten lets them."""
        before = self._tags(landed)
        self._tag(landed, before, held_tags(before, error, number))

    def tag_released(self, landed: LandedObject, held: HoldTags) -> None:
        """Remember with a held object that the release of this hold is in the audit; it stays held until delivered."""
        before = self._tags(landed)
        number, _, released = hold_of(before)
        if (number, released) == (held.number, False):
            self._tag(landed, before, {HOLD_TAG: f"{held.number} {held.key} released"})

    def tag_days(self, landed: LandedObject, days: int) -> None:
        """Remember with a held object the age in days that has been complained of."""
        self._tag(landed, self._tags(landed), {DAYS_TAG: str(days)})

    def held(self, landed: LandedObject) -> HoldTags | None:
        """Tell what the object is held for, or None where it is not."""
        return held_by(self._tags(landed))

    def list(self, prefix: str = "") -> Iterator[Sequence[LandedObject]]:
        """List what lies in the bucket under a prefix, page by page of up to 1,000."""
        with calling("Listing the landing bucket"):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                yield [self._listed(item) for item in page.get("Contents", [])]

    def names(self) -> Iterator[str]:
        """List the bucket's first folders, each with its `/`, and the keys that are in none."""
        with calling("Listing the landing bucket's folders"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Delimiter="/")
            for page in pages:
                yield from (folder["Prefix"] for folder in page.get("CommonPrefixes", []))
                yield from (item["Key"] for item in page.get("Contents", []))

    def some(self, prefix: str, after: str, most: int) -> tuple[Sequence[LandedObject], bool]:
        """List up to `most` objects under a prefix and behind a key; returns them, and whether there are more."""
        with calling("Listing the landing bucket"):
            page = self._s3.list_objects_v2(Bucket=self.name, Prefix=prefix, StartAfter=after, MaxKeys=most)
        return [self._listed(item) for item in page.get("Contents", [])], page["IsTruncated"]

    def _head(self, landed: LandedObject, **options: str) -> Any:
        with calling("Looking at the landed file", **REFUSED, on_404=SourceGoneError, on_412=SourceReplacedError):
            return self._s3.head_object(**self._address(landed), **self._if_match(landed), **options)  # type: ignore[arg-type]

    def _get(self, landed: LandedObject) -> Any:
        with calling("Opening the landed file", **REFUSED_GET, on_404=SourceGoneError, on_412=SourceReplacedError):
            return self._s3.get_object(**self._address(landed), **self._if_match(landed))

    def _look_again(self, landed: LandedObject) -> None:
        try:
            self._get(landed)["Body"].close()
        except AccessRefusedError as exc:
            raise SourceUnreadableError(sentence(exc.code, self._kms_key(landed))) from exc

    def _kms_key(self, landed: LandedObject) -> str | None:
        """Return the ARN of the object's KMS key, None if it has none or S3 does not tell."""
        try:
            key: str | None = self._head(landed).get("SSEKMSKeyId")
        except TransientError:
            return None
        return key

    def _purge(self, several: Sequence[LandedObject]) -> Sequence[Exception | None]:
        done = self._purge_together(several) if len(several) > 1 else ()
        return [None if one.key in done else self._purge_one(one) for one in several]

    def _purge_together(self, several: Sequence[LandedObject]) -> set[str]:
        """Delete what is still as it was read; gives the keys that are gone. The others each hear their own reason."""
        objects: Any = [self._named(one) for one in several]
        try:
            with calling("Purging the landed files"):
                answer = self._s3.delete_objects(Bucket=self.name, Delete={"Objects": objects})
        except TransientError:
            return set()
        return {deleted["Key"] for deleted in answer.get("Deleted", [])}

    def _purge_one(self, landed: LandedObject) -> CallsealError | None:
        try:
            with calling("Purging the landed file", on_404=SourceGoneError, on_412=SourceGoneError):
                self._s3.delete_object(**self._address(landed), **self._if_match(landed))
        except CallsealError as exc:
            return exc
        return None

    def _named(self, landed: LandedObject) -> dict[str, str]:
        """Name an object in a batch, under the same condition as by itself."""
        if landed.version_id:
            return {"Key": landed.key, "VersionId": landed.version_id}
        return {"Key": landed.key, **({"ETag": f'"{landed.etag}"'} if landed.etag else {})}

    def _listed(self, item: Any) -> LandedObject:
        etag = item["ETag"].strip('"')
        return LandedObject(self.name, item["Key"], etag, item["Size"], landed_at=item["LastModified"])

    def _tag(self, landed: LandedObject, before: dict[str, str], ours: dict[str, str]) -> None:
        kept = {name: value for name, value in before.items() if name in OUR_TAGS}
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
