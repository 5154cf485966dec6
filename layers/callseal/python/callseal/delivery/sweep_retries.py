"""When the sweep requeues a pending file: its ages, counted from when it landed."""

from datetime import timedelta

# A pending file is requeued at these ages, then once for each `RETRY_EVERY` of its age. The first age is longer than
# most deliveries take. A repeat does no harm.
RETRY_AGES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
RETRY_EVERY = timedelta(hours=1)


def retries(age: timedelta) -> int:
    """Return how many requeues of a pending file are due by an age."""
    return sum(age >= limit for limit in RETRY_AGES) + max(0, age // RETRY_EVERY)
