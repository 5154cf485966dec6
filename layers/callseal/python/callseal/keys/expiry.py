"""When to tell that a key runs out: 60, 30, 14, 7, 3 and 1 days before, each once.

Checks come daily, but one may be late or missing. A check that finds several thresholds passed at once tells the most
urgent of them alone: the others would say the same with a number that is wrong by now.
"""

from datetime import datetime, timedelta

THRESHOLD_DAYS = (60, 30, 14, 7, 3, 1)


def due(not_after: datetime | None, now: datetime, told: int | None) -> int | None:
    """Give the threshold to tell of now, in days, or None; `told` is the most urgent that was told of this end before.

    A key that has run out is nobody's threshold: it is refused with `KeyExpired`.
    """
    if not_after is None or now >= not_after:
        return None
    reached = [days for days in THRESHOLD_DAYS if not_after - now <= timedelta(days=days)]
    urgent = min(reached, default=None)
    return urgent if urgent is not None and (told is None or urgent < told) else None
