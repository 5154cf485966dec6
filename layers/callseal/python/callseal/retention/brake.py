"""The brake: an unusual number of calls that are due stops a tenant's disposal until a person confirms it.

A wrong policy, or a wrong clock, makes many calls due at once, and what is deleted does not come back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta

# The brake acts on a run of more calls than this, of more than so many times the mean day, and of more than this share
# of the tenant's calls.
FREE_CALLS, TIMES_THE_MEAN, SHARE_OF_CALLS = 100, 3, 20
REMEMBERED = timedelta(days=7)


def free_calls(disposed: Mapping[date, int]) -> float:
    """Return how many calls a run may always delete, by the calls that were deleted on each of the last days."""
    days = [calls for calls in disposed.values() if calls]
    mean = sum(days) / len(days) if days else 0
    return max(FREE_CALLS, TIMES_THE_MEAN * mean)


def is_unusual(due: int, disposed: Mapping[date, int], count_calls: Callable[[int], int]) -> bool:
    """Return whether a run of `due` calls must be confirmed.

    `count_calls` returns the number of the tenant's calls, or a number of at least its argument if there are as many.
    It is called only if the answer depends on it.
    """
    if due <= free_calls(disposed):
        return False
    enough = due * SHARE_OF_CALLS
    return count_calls(enough) < enough


def remembered_days(now: datetime) -> list[date]:
    """Return the days whose disposals count for the mean: all that the last seven times 24 hours touch."""
    first, last = (now - REMEMBERED).date(), now.date()
    return [first + timedelta(days=each) for each in range((last - first).days + 1)]
