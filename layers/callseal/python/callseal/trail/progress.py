"""The progress of the comparison: which windows of time have been compared, and which of them have a gap."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

# At 10 million events a day, a window has 70,000 on average and about 300,000 at noon: tens of megabytes of ids.
LENGTH = timedelta(minutes=10)
# Firehose delivers after a minute, and the alarm on its data freshness fires after 15.
CLOSED_AFTER = timedelta(minutes=30)
# How far back the first comparison begins, and one without a readable progress.
LOOK_BACK = timedelta(hours=12)
# A standard parameter of SSM has at most 4,096 characters.
MAX_OPEN = 100
_FORMAT = "%Y%m%dT%H%M"


@dataclass(frozen=True, slots=True)
class Window:
    """LENGTH from `start` on, the end excluded."""

    start: datetime

    @property
    def end(self) -> datetime:
        """The end of the window, not part of it."""
        return self.start + LENGTH

    def holds(self, moment: datetime) -> bool:
        """Return whether the window contains a time."""
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class Gap:
    """How many events of a window are missing from the bucket, and how many from the log group."""

    bucket: int = 0
    log: int = 0

    def __bool__(self) -> bool:
        """Return whether anything is missing."""
        return bool(self.bucket or self.log)


@dataclass(frozen=True, slots=True)
class Progress:
    """`next` is the start of the first window that was never compared. `open` has the windows with a gap."""

    next: datetime
    open: Mapping[Window, Gap] = field(default_factory=dict)

    @classmethod
    def beginning(cls, now: datetime) -> Progress:
        """Return the progress of a first comparison, which begins LOOK_BACK before now."""
        start = (now - LOOK_BACK).astimezone(UTC)
        return cls(start.replace(minute=start.minute // 10 * 10, second=0, microsecond=0))

    def due(self, now: datetime) -> Iterator[Window]:
        """Return the windows to compare: first new ones that are closed, then those with a gap.

        There are at most MAX_OPEN, so with MAX_OPEN gaps no new window is compared, but none is skipped.
        """
        start = self.next
        for _ in range(MAX_OPEN - len(self.open)):
            if start + LENGTH + CLOSED_AFTER > now:
                break
            yield Window(start)
            start += LENGTH
        yield from self.open

    def compared(self, window: Window, gap: Gap) -> Progress:
        """Return the progress after a window was compared. A window with a gap moves to the end of `open`."""
        others = {each: found for each, found in self.open.items() if each != window}
        opened = {**others, window: gap} if gap else others
        return replace(self, next=max(self.next, window.end), open=opened)

    def age(self, now: datetime) -> timedelta:
        """Return how long ago the last window that was compared ended."""
        return now - self.next

    def missing(self) -> Gap:
        """Return the sum of the gaps of all open windows."""
        return Gap(sum(gap.bucket for gap in self.open.values()), sum(gap.log for gap in self.open.values()))

    def dumps(self) -> str:
        """Return the progress as JSON text for `loads`."""
        opened = [[f"{window.start:{_FORMAT}}", gap.bucket, gap.log] for window, gap in self.open.items()]
        return json.dumps({"next": f"{self.next:{_FORMAT}}", "open": opened}, separators=(",", ":"))


def loads(text: str) -> Progress:
    """Return the progress from the text of `dumps`. Raise ValueError, KeyError or TypeError for any other text."""
    saved = json.loads(text)
    opened = {Window(_moment(start)): Gap(int(bucket), int(log)) for start, bucket, log in saved["open"]}
    return Progress(_moment(saved["next"]), opened)


def _moment(text: str) -> datetime:
    return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
