"""When to announce a key's expiry: 60, 30, 14, 7, 3 and 1 days before, each once.

Checks run daily, but one may be late or missing. If a check finds several thresholds reached, it announces only the
most urgent one: the others would say the same with a number that is no longer right.
"""

from datetime import datetime, timedelta

THRESHOLD_DAYS = (60, 30, 14, 7, 3, 1)


def due(not_after: datetime | None, now: datetime, announced: int | None) -> int | None:
    """Return the threshold to announce now, in days, or None; `announced` is the last one for this expiry.

    An expired key has no threshold: it is rejected with `KeyExpired`.
    """
    if not_after is None or now >= not_after:
        return None
    reached = [days for days in THRESHOLD_DAYS if not_after - now <= timedelta(days=days)]
    urgent = min(reached, default=None)
    return urgent if urgent is not None and (announced is None or urgent < announced) else None
