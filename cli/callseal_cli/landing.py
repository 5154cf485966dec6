"""What lies in the landing bucket: still owed, or held for a reason."""

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

LOOKS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Landed:
    """A file in landing; `reason` is what it is held for, None where it is not held."""

    file: LandedObject
    reason: str | None

    @property
    def tenant(self) -> str | None:
        """The tenant that it belongs to."""
        return tenant_of(self.file.key)

    def age(self, now: datetime) -> timedelta:
        """Tell how long ago it landed."""
        return max(timedelta(), now - (self.file.landed_at or now))


def landing_bucket(stack: Stack) -> LandingBucket:
    """Give the landing bucket; nothing is ever purged from here, so nobody waits for others to purge with."""
    return LandingBucket(stack.s3, stack.output("LandingBucketName"), BatchWindow())


def look(stack: Stack, screen: Screen, prefix: str = "") -> Iterator[Landed]:
    """Go through landing, below a prefix, in the order of its keys; a file that leaves meanwhile is left out."""
    bucket = landing_bucket(stack)

    def look_at(file: LandedObject) -> Landed | None:
        try:
            held = bucket.held(file)
        except SourceGoneError:
            return None
        return Landed(file, (held.reason or "unknown") if held else None)

    with screen.progress("Files looked at in landing") as tick, ThreadPoolExecutor(LOOKS_AT_ONCE) as executor:
        for page in bucket.list(prefix):
            for landed in executor.map(look_at, page):
                tick(1)
                if landed:
                    yield landed


def reasons(files: Sequence[Landed]) -> dict[str, int]:
    """Count held files by their reason, the most frequent first."""
    return dict(Counter(landed.reason for landed in files if landed.reason).most_common())
