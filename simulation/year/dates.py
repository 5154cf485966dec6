"""The judge's own reading of a policy: which class a call has, and the dates that follow. It uses no product code.

A policy of the year has classes, rules by queue, and a default class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

DAY = timedelta(days=1)
MONTHS = {"m": 1, "y": 12}


@dataclass(frozen=True)
class Term:
    """What a class says: durations as the policy has them, None for no duty and for no end."""

    name: str
    keep: str | None
    delete_after: str | None
    lock: str

    def keep_until(self, ended: datetime) -> datetime | None:
        """Return the midnight until which a call must be kept."""
        return midnight(after(self.keep, ended)) if self.keep else None

    def dispose_on(self, ended: datetime) -> datetime | None:
        """Return the midnight from which a call is to be deleted, None for never."""
        if self.delete_after is None:
            return None
        return max(midnight(after(self.delete_after, ended)), self.keep_until(ended) or ended)


def term_of(policy: Mapping[str, Any], queue: str | None) -> Term:
    """Return the class of a call by the first rule that names its queue, or else the default class."""
    named = (rule["class"] for rule in policy["rules"] if queue in rule["when"]["queue"])
    name = next(named, policy["default"]["class"])
    found = policy["classes"][name]
    return Term(name, found["keep"], found["delete_after"], found["lock"])


def after(duration: str, moment: datetime) -> datetime:
    """Return the moment when a duration is over. A day that its month lacks is the last one that the month has."""
    count, unit = int(duration[:-1]), duration[-1]
    if unit not in MONTHS:
        return moment + count * (DAY if unit == "d" else timedelta(hours=1))
    year, month = divmod(moment.year * 12 + moment.month - 1 + count * MONTHS[unit], 12)
    for day in range(moment.day, 0, -1):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError(f"no day of {year}-{month + 1}")


def midnight(moment: datetime) -> datetime:
    """Return the next midnight in UTC. A moment that is midnight stays."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return day if day == moment else day + DAY
