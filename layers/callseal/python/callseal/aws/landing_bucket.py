"""The landing bucket: read what landed, mark it as held, and delete it once it is delivered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.aws.gathering import Gathering, Rendezvous
from callseal.errors import CallsealError, HeldError, SourceGoneError, SourceReplacedError, TransientError
from callseal.landing import LandedObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STATE_TAG, REASON_TAG, DAYS_TAG, HELD = "callseal-state", "callseal-reason", "callseal-held-days", "held"
# `<number> <hash of the key's version, or ->`, and ` released` once its release is in the audit; absent means `0 -`.
HOLD_TAG, HOLD, NO_KEY = "callseal-hold", re.compile(r"([0-9]{1,9}) ([0-9a-f]{16}|-)( released)?"), "-"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
MAX_TAGS = 10
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


@dataclass(frozen=True, slots=True)
class Held:
    """What the tags of a held object say: its reason, and the age in days that was last complained of.

    `number` counts the holds before this one, each of another cause; `released` says that this one is over.
    """

    reason: str
    days: int
    number: int = 0
    key: str = NO_KEY
    released: bool = False

    def number_of(self, error: HeldError) -> int:
        """Return the number of a hold that comes now: this one's if it repeats it, else the next."""
        repeats = (self.reason, self.key) == (error.reason.value, _key_mark(error.key_version)) and not self.released
        return self.number if repeats else self.number + 1


class LandingBucket:
    """Reads, tags and purges landed objects; each call touches the object of that etag, or raises SourceGoneError."""

    def __init__(self, s3: S3Client, name: str, rendezvous: Rendezvous) -> None:
        """Take the client, the bucket's name, and where those who purge wait for each other."""
        self._s3 = s3
        self.name = name
        self._purges = Gathering(self._purge, MAX_PURGED_TOGETHER, rendezvous)

    def find(self, landed: LandedObject) -> LandedObject:
        """Look whether the object is still there, and complete what its notification left out."""
        with calling("Looking at the landed file", on_404=SourceGoneError, on_412=SourceReplacedError):
            head = self._s3.head_object(**self._address(landed), **self._if_match(landed))
        landed_at = landed.landed_at or head["LastModified"]
        return replace(landed, etag=head["ETag"].strip('"'), size=head["ContentLength"], landed_at=landed_at)

    @contextmanager
    def open(self, landed: LandedObject) -> Iterator[LandedBody]:
        """Read the object as a stream."""
        with calling("Opening the landed file", on_404=SourceGoneError, on_412=SourceReplacedError):
            answer = self._s3.get_object(**self._address(landed), **self._if_match(landed))
        try:
            yield LandedBody(answer["Body"], answer["ContentLength"])
        finally:
            answer["Body"].close()

    def purge(self, landed: LandedObject) -> None:
        """Delete the object, if it is still the one that was read; those of several threads go together."""
        self._purges.put(landed)

    def tag_held(self, landed: LandedObject, error: HeldError, number: int) -> None:
        """Tag the object as held; the platform's own tags stay as far as S3's limit of ten lets them."""
        before = self._tags(landed)
        tags, (stood, _, released) = {STATE_TAG: HELD, REASON_TAG: error.reason.value}, _hold(before)
        # A later hold, or the release of this one, may have come in between, and must not be forgotten.
        if (number, False) >= (stood, released) and (number or error.key_version):
            tags[HOLD_TAG] = f"{number} {_key_mark(error.key_version)}"
        self._tag(landed, before, tags)

    def tag_released(self, landed: LandedObject, held: Held) -> None:
        """Remember with a held object that the release of this hold is in the audit; it stays held until delivered."""
        before = self._tags(landed)
        number, _, released = _hold(before)
        if (number, released) == (held.number, False):
            self._tag(landed, before, {HOLD_TAG: f"{held.number} {held.key} released"})

    def tag_days(self, landed: LandedObject, days: int) -> None:
        """Remember with a held object the age in days that has been complained of."""
        self._tag(landed, self._tags(landed), {DAYS_TAG: str(days)})

    def held(self, landed: LandedObject) -> Held | None:
        """Tell what the object is held for, or None where it is not."""
        tags = self._tags(landed)
        if tags.get(STATE_TAG) != HELD:
            return None
        return Held(tags.get(REASON_TAG, ""), _whole(tags.get(DAYS_TAG, "")), *_hold(tags))

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
        kept = {name: value for name, value in before.items() if name in (STATE_TAG, REASON_TAG, DAYS_TAG, HOLD_TAG)}
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


def _hold(tags: Mapping[str, str]) -> tuple[int, str, bool]:
    """Return number, key and release of the hold tag; whoever lands files may have written anything there."""
    match = HOLD.fullmatch(tags.get(HOLD_TAG, ""))
    return (int(match[1]), match[2], bool(match[3])) if match else (0, NO_KEY, False)


def _key_mark(version: str | None) -> str:
    """Return what stands for a version of the secret in the tag; whoever makes one chooses its id's characters."""
    return sha256(version.encode()).hexdigest()[:16] if version else NO_KEY


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
