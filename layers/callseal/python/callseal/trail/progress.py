"""How far the comparison of the two copies has come: windows of time, and those in which something is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

# At 10 million events a day a window has 70,000 of them on average, some 300,000 at noon: tens of megabytes of ids.
LENGTH = timedelta(minutes=10)
# Firehose delivers after a minute, and its alarm on freshness rings after 15.
CLOSED_AFTER = timedelta(minutes=30)
# Where the first comparison begins, and one whose progress was lost.
LOOK_BACK = timedelta(hours=12)
# A standard parameter of SSM takes 4,096 characters.
MAX_OPEN = 100
_FORMAT = "%Y%m%dT%H%M"


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, without its end."""

    start: datetime

    @property
    def end(self) -> datetime:
        """The first moment after the window."""
        return self.start + LENGTH

    def holds(self, moment: datetime) -> bool:
        """Return whether a moment is in the window."""
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class Gap:
    """How many events of a window are in one copy and not in the other."""

    bucket: int = 0
    log: int = 0

    def __bool__(self) -> bool:
        """Return whether anything is missing."""
        return bool(self.bucket or self.log)


@dataclass(frozen=True, slots=True)
class Progress:
    """`next` is the start of the first window that was never compared; `open` has the windows with a gap."""

    next: datetime
    open: Mapping[Window, Gap] = field(default_factory=dict)

    @classmethod
    def beginning(cls, now: datetime) -> Progress:
        """Return where to begin when nothing is known."""
        start = (now - LOOK_BACK).astimezone(UTC)
        return cls(start.replace(minute=start.minute // 10 * 10, second=0, microsecond=0))

    def due(self, now: datetime) -> Iterator[Window]:
        """Return the windows to compare: new ones that are closed first, then those with a gap.

        No new one is taken up while there are too many with a gap, so none is ever passed over.
        """
        start = self.next
        for _ in range(MAX_OPEN - len(self.open)):
            if start + LENGTH + CLOSED_AFTER > now:
                break
            yield Window(start)
            start += LENGTH
        yield from self.open

    def compared(self, window: Window, gap: Gap) -> Progress:
        """Return the progress after a window was compared; a window with a gap stays open, at the end of the queue."""
        others = {each: found for each, found in self.open.items() if each != window}
        opened = {**others, window: gap} if gap else others
        return replace(self, next=max(self.next, window.end), open=opened)

    def age(self, now: datetime) -> timedelta:
        """Return how long ago the last window that was compared ended."""
        return now - self.next

    def missing(self) -> Gap:
        """Return how many events are missing in all windows."""
        return Gap(sum(gap.bucket for gap in self.open.values()), sum(gap.log for gap in self.open.values()))

    def dumps(self) -> str:
        """Return the text to keep."""
        opened = [[f"{window.start:{_FORMAT}}", gap.bucket, gap.log] for window, gap in self.open.items()]
        return json.dumps({"next": f"{self.next:{_FORMAT}}", "open": opened}, separators=(",", ":"))


def loads(text: str) -> Progress:
    """Return the progress from the text that was kept; raises ValueError, KeyError or TypeError for any other text."""
    kept = json.loads(text)
    opened = {Window(_moment(start)): Gap(int(bucket), int(log)) for start, bucket, log in kept["open"]}
    return Progress(_moment(kept["next"]), opened)


def _moment(text: str) -> datetime:
    return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
