"""The file that puts the clock of the functions, and of S3, ahead, so that days can pass in seconds.

It contains a whole number of seconds. Without it, the clock is this machine's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path


class ClockFile:
    """Reads the file each time, so that a change counts from the next invocation or request on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last = 0

    def seconds_ahead(self) -> int:
        """Return how far the clock is ahead. A file that is being written does not change it yet."""
        try:
            self._last = int(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._last = 0
        except ValueError:
            pass
        return self._last

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.seconds_ahead())
