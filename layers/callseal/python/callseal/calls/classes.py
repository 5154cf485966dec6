"""How long a call must be kept and may be kept: durations, classes, and the dates that follow from them.

All moments are aware. Dates are midnights in UTC.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Lock = Literal["none", "governance", "compliance"]
LOCKS: tuple[Lock, ...] = ("none", "governance", "compliance")
DEFAULT = "default"
DURATION = r"(0|[1-9][0-9]{0,3})[hdmy]"
# Nothing unlocks S3's mode COMPLIANCE before its end, so a wrong class must not lock recordings for decades. A stack's
# parameter MaximumComplianceYears is at most MAX_COMPLIANCE_YEARS, by default COMPLIANCE_YEARS.
MAX_COMPLIANCE_YEARS, COMPLIANCE_YEARS = 30, 10
# The last midnight that Python has. A duration that would end later ends here.
LAST_DAY = datetime(9999, 12, 31, tzinfo=UTC)
_DAY = timedelta(days=1)
# Any years from here have the fewest leap days, so a duration in days is never judged too short.
_ANY_MARCH = datetime(2001, 3, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Duration:
    """A number of hours, days, calendar months or calendar years."""

    count: int
    unit: str

    def after(self, moment: datetime) -> datetime:
        """Return the moment when the duration ends, in UTC; a day that its month lacks is the month's last."""
        moment = moment.astimezone(UTC)
        try:
            if self.unit in "hd":
                return min(LAST_DAY, moment + self.count * (_DAY if self.unit == "d" else timedelta(hours=1)))
            return min(LAST_DAY, _months_after(moment, self.count * (12 if self.unit == "y" else 1)))
        except (OverflowError, ValueError):
            return LAST_DAY

    def is_within(self, years: int) -> bool:
        """Return whether it is at most so many years."""
        return self.after(_ANY_MARCH) <= Duration(years, "y").after(_ANY_MARCH)

    def __str__(self) -> str:
        """Return the text that `parse_duration` reads."""
        return f"{self.count}{self.unit}"


def parse_duration(text: str) -> Duration:
    """Return the duration in a text: `72h`, `90d`, `6m` or `5y`. Raise ValueError for any other text."""
    if not re.fullmatch(DURATION, text, re.ASCII):
        raise ValueError("no duration")
    return Duration(int(text[:-1]), text[-1])


@dataclass(frozen=True, slots=True)
class Class:
    """How long calls of a class must be kept (`keep`) and may be kept (`delete_after`).

    None for `keep` means no duty, None for `delete_after` no end. `lock` is the mode of S3 Object Lock until
    `keep_until`. `basis` names the law or the reason, for the auditor.
    """

    keep: Duration | None = None
    delete_after: Duration | None = None
    lock: Lock = "none"
    basis: str = ""

    def may_be_locked(self, years: int) -> bool:
        """Return whether the lock is within the maximum of a stack, which is in years and for `compliance`."""
        return self.lock != "compliance" or self.keep is None or self.keep.is_within(years)


def keep_until(class_: Class, ended: datetime) -> datetime | None:
    """Return when the duty to keep a call ends, or None if there is none; `ended` is the end of the call."""
    return _next_midnight(class_.keep.after(ended)) if class_.keep else None


def dispose_on(class_: Class, ended: datetime) -> datetime | None:
    """Return when a call is to be deleted, never before `keep_until`, or None for never."""
    if class_.delete_after is None:
        return None
    end = _next_midnight(class_.delete_after.after(ended))
    return max(end, keep_until(class_, ended) or end)


def _months_after(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    year = moment.year + years
    last = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))


def _next_midnight(moment: datetime) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == moment else min(LAST_DAY, midnight + _DAY) if midnight < LAST_DAY else LAST_DAY
