"""The landing bucket: read landed files, tag them as held, and delete them once they are delivered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
# To return the checksum, S3 uses the object's KMS key with the caller's permissions. No byte is read:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
_USES_THE_KEY = {"ChecksumMode": "ENABLED"}
# S3 accepts 1,000. There are never more at once than records that a batch works on.
MAX_PURGED_TOGETHER = 100


class LandedBody:
    """A landed object's bytes as a stream (`envelopes.Source`). A failed read raises TransientError."""

    def __init__(self, body: Any, size: int) -> None:
        """Wrap botocore's StreamingBody of a known size in bytes."""
        self._body = body
        self.size = size

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer as far as possible. Return the number of bytes, 0 at the end."""
        with calling("Reading the landed file"):
            return int(self._body.readinto(buffer))

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        with calling("Reading the landed file"):
            return bytes(self._body.read(size))


class LandingBucket:
    """Reads, tags and purges landed objects.

    Each call is for the object with the given etag. It raises SourceGoneError if that object is not there.
    """

    def __init__(self, s3: S3Client, name: str, window: BatchWindow) -> None:
        """Take the client, the bucket's name, and the window in which threads share a purge request."""
        self._s3 = s3
        self.name = name
        self._purges = RequestBatcher(self._purge, MAX_PURGED_TOGETHER, window)

    def refresh(self, landed: LandedObject, *, readable: bool = False) -> LandedObject:
        """Return the object with the etag, size and time that its notification may have left out.

        Raise SourceGoneError if it is not there, and SourceUnreadableError if it cannot be read. If `readable`, the
        request also needs permission to decrypt the object.
        """
        with self.reading(landed):
            head = self._head(landed, **(_USES_THE_KEY if readable else {}))
        landed_at = landed.landed_at or head["LastModified"]
        return replace(landed, etag=head["ETag"].strip('"'), size=head["ContentLength"], landed_at=landed_at)

    def require(self, landed: LandedObject) -> None:
        """Raise SourceGoneError or SourceReplacedError if the object is not there.

        An object that cannot be read counts as there. The bucket's listing has it: AWS may refuse a single request for
        an object that is gone, and the caller would then end without its report.
        """
        try:
            self._head(landed)
        except AccessRefusedError:
            self.find_in_listing(landed)

    @contextmanager
    def open(self, landed: LandedObject) -> Iterator[LandedBody]:
        """Open the object as a stream."""
        with self.reading(landed):
            answer = self._get(landed)
        try:
            yield LandedBody(answer["Body"], answer["ContentLength"])
        finally:
            answer["Body"].close()

    @contextmanager
    def reading(self, landed: LandedObject) -> Iterator[None]:
        """Raise SourceUnreadableError if AWS refuses a read of the object, and refuses a second one as well.

        AWS sometimes refuses what it allows, for example while a change of permissions spreads.
        """
        try:
            yield
        except AccessRefusedError:
            self._retry_read(landed)
            raise

    def find_in_listing(self, landed: LandedObject) -> LandedObject:
        """Return the object with the facts from the bucket's listing, which also has objects that cannot be read.

        Raise SourceGoneError if it is not listed, or SourceReplacedError if it has another etag.
        """
        listed = (file for page in self.list(landed.key) for file in page)
        found = next((file for file in listed if file.key == landed.key), None)
        if found is None:
            raise SourceGoneError("The landed file is no longer in the landing bucket.")
        if landed.etag not in (None, found.etag):
            raise SourceReplacedError("The landed file has been overwritten: its etag has changed.")
        return replace(landed, etag=found.etag, size=found.size, landed_at=landed.landed_at or found.landed_at)

    def purge(self, landed: LandedObject) -> None:
        """Delete the object if its etag is still the same. Several threads share one request."""
        self._purges.put(landed)

    def tag_held(self, landed: LandedObject, error: HeldError, number: int) -> None:
        """Tag the object as held. The platform's own tags stay as far as S3's limit of ten allows."""
        before = self._tags(landed)
        if ours := held_tags(before, error, number):
            self._tag(landed, before, ours)

    def tag_released(self, landed: LandedObject, held: HoldTags) -> None:
        """Tag a held object to record that the release of this hold is in the audit. It stays held until delivered."""
        before = self._tags(landed)
        number, _, released = hold_of(before)
        if (number, released) == (held.number, False):
            self._tag(landed, before, {HOLD_TAG: f"{held.number} {held.key} released"})

    def tag_days(self, landed: LandedObject, days: int) -> None:
        """Tag a held object with the age in days that the audit was last informed of."""
        self._tag(landed, self._tags(landed), {DAYS_TAG: str(days)})

    def held(self, landed: LandedObject) -> HoldTags | None:
        """Return the hold that the object's tags record, or None if it is not held."""
        return held_by(self._tags(landed))

    def list(self, prefix: str = "") -> Iterator[Sequence[LandedObject]]:
        """List the objects under a prefix, in pages of up to 1,000."""
        with calling("Listing the landing bucket"):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                yield [self._listed(item) for item in page.get("Contents", [])]

    def names(self) -> Iterator[str]:
        """List the bucket's first-level folders, each with its `/`, and the keys that are in no folder."""
        with calling("Listing the landing bucket's folders"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Delimiter="/")
            for page in pages:
                yield from (folder["Prefix"] for folder in page.get("CommonPrefixes", []))
                yield from (item["Key"] for item in page.get("Contents", []))

    def list_page(self, prefix: str, after: str, most: int) -> tuple[Sequence[LandedObject], bool]:
        """Return up to `most` objects under a prefix and after a key, and whether there are more."""
        with calling("Listing the landing bucket"):
            page = self._s3.list_objects_v2(Bucket=self.name, Prefix=prefix, StartAfter=after, MaxKeys=most)
        return [self._listed(item) for item in page.get("Contents", [])], page["IsTruncated"]

    def _head(self, landed: LandedObject, **options: str) -> Any:
        with calling("Looking at the landed file", **REFUSED, on_404=SourceGoneError, on_412=SourceReplacedError):
            return self._s3.head_object(**self._address(landed), **self._if_match(landed), **options)  # type: ignore[arg-type]

    def _get(self, landed: LandedObject) -> Any:
        with calling("Opening the landed file", **REFUSED_GET, on_404=SourceGoneError, on_412=SourceReplacedError):
            return self._s3.get_object(**self._address(landed), **self._if_match(landed))

    def _retry_read(self, landed: LandedObject) -> None:
        try:
            self._get(landed)["Body"].close()
        except AccessRefusedError as exc:
            raise SourceUnreadableError(sentence(exc.code, self._kms_key(landed))) from exc

    def _kms_key(self, landed: LandedObject) -> str | None:
        """Return the ARN of the object's KMS key, None if it has none or S3 does not report it."""
        try:
            key: str | None = self._head(landed).get("SSEKMSKeyId")
        except TransientError:
            return None
        return key

    def _purge(self, landed_objects: Sequence[LandedObject]) -> Sequence[Exception | None]:
        done = self._purge_together(landed_objects) if len(landed_objects) > 1 else ()
        return [None if landed.key in done else self._purge_one(landed) for landed in landed_objects]

    def _purge_together(self, landed_objects: Sequence[LandedObject]) -> set[str]:
        """Delete the objects that are unchanged. Return their keys. Each of the others is then purged alone."""
        objects: Any = [self._named(landed) for landed in landed_objects]
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
        """Return an object's entry for a batch request, under the same condition as a single request."""
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
        # A version never changes, and S3 accepts no condition for its deletion.
        return {"IfMatch": f'"{landed.etag}"'} if landed.etag and not landed.version_id else {}
