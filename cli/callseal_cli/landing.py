"""The files in the landing bucket: pending, or held for a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from callseal.aws.batching import BatchWindow
from callseal.core.errors import SourceGoneError
from callseal.core.landing import LandedObject, tenant_of
from callseal.delivery.landing_bucket import LandingBucket
from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

FILES_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Landed:
    """A file in landing. `reason` is why it is held, or None if it is pending."""

    file: LandedObject
    reason: str | None

    @property
    def tenant(self) -> str | None:
        """The tenant of its key, or None if the key names none."""
        return tenant_of(self.file.key)

    def age(self, now: datetime) -> timedelta:
        """Return how long ago the file landed, at least 0."""
        return max(timedelta(), now - (self.file.landed_at or now))


def landing_bucket(stack: Stack) -> LandingBucket:
    """Return the landing bucket. The command never purges files, so its batch window stays unused."""
    return LandingBucket(stack.s3, stack.output("LandingBucketName"), BatchWindow())


def files(stack: Stack, screen: Screen, prefix: str = "") -> Iterator[Landed]:
    """Return the files below a prefix in the order of their keys. A file that is purged meanwhile is skipped."""
    bucket = landing_bucket(stack)

    def landed_file(file: LandedObject) -> Landed | None:
        try:
            held = bucket.held(file)
        except SourceGoneError:
            return None
        return Landed(file, (held.reason or "unknown") if held else None)

    with screen.progress("Files read in landing") as tick, ThreadPoolExecutor(FILES_AT_ONCE) as executor:
        for page in bucket.list(prefix):
            for landed in executor.map(landed_file, page):
                tick(1)
                if landed:
                    yield landed


def reasons(found: Sequence[Landed]) -> dict[str, int]:
    """Return the number of held files for each reason, the most frequent first."""
    return dict(Counter(landed.reason for landed in found if landed.reason).most_common())
