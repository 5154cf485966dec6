"""The clock: modules take one as an argument, so that tests and the local cloud can set the time."""

from collections.abc import Callable
from datetime import UTC, datetime

# Returns the current time in UTC.
Clock = Callable[[], datetime]


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)
