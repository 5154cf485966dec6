"""The filters of a search for calls: which ones there are, and what they mean. Shared by the command and the API."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from callseal.core.audit import timestamp
from callseal.core.errors import CallsealError

# Without one of these, a search is limited to MAX_DAYS.
INDEXED = ("session", "caller", "agent", "queue")
FILTERS = ("from", "to", *INDEXED, "min_seconds", "max_seconds")
MAX_DAYS = 31
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,3})?", re.ASCII)


class FilterError(CallsealError):
    """A filter is unknown, empty or unreadable, or the search is too wide."""


@dataclass(frozen=True, slots=True)
class CallQuery:
    """A tenant's search. Times are aware; `since` is inclusive, `until` exclusive. `caller` is a normalised number."""

    tenant: str
    since: datetime | None = None
    until: datetime | None = None
    session: str | None = None
    caller: str | None = None
    agent: str | None = None
    queue: str | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None

    @property
    def is_indexed(self) -> bool:
        """Whether one of the filters has an index of its own."""
        return any(getattr(self, name) is not None for name in INDEXED)

    @property
    def texts(self) -> list[object]:
        """The search as values for JSON. Equal searches have equal texts."""
        times = [moment and timestamp(moment) for moment in (self.since, self.until)]
        return [self.tenant, *times, *(getattr(self, name) for name in (*INDEXED, "min_seconds", "max_seconds"))]

    def earliest(self, now: datetime) -> datetime | None:
        """Return the time at which the search ends, going back from now. None if it has no end."""
        if self.since or self.is_indexed:
            return self.since
        return (self.until or now) - timedelta(days=MAX_DAYS)


def parse_query(
    tenant: str, filters: Mapping[str, str], normalise: Callable[[str], str | None], now: datetime
) -> CallQuery:
    """Return the search for filters by their names in FILTERS. Raise FilterError if one cannot be used.

    `from` and `to` are RFC 3339 times, or days in UTC, of which `to` is included. `normalise` returns a number as it is
    indexed, or None if it is withheld.
    """
    for name, text in filters.items():
        if name not in FILTERS:
            raise FilterError(f"There is no filter {name!r}. Known are {', '.join(FILTERS)}.")
        if not text:
            raise FilterError(f"The filter {name} is empty. Leave it out, or name a value.")
    since, until = parse_span(filters.get("from"), filters.get("to"))
    query = CallQuery(
        tenant,
        since=since,
        until=until,
        session=filters.get("session"),
        caller=_number(filters.get("caller"), normalise),
        agent=filters.get("agent"),
        queue=filters.get("queue"),
        min_seconds=_seconds("min_seconds", filters.get("min_seconds")),
        max_seconds=_seconds("max_seconds", filters.get("max_seconds")),
    )
    _check_width(query, now)
    return query


def parse_span(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Return the times of the filters `from` and `to`, the second exclusive. Raise FilterError as `parse_query`."""
    begin, end = _time("from", since, timedelta()), _time("to", until, timedelta(days=1))
    if begin and end and begin >= end:
        raise FilterError("The filter from is not before the filter to.")
    return begin, end


def _check_width(query: CallQuery, now: datetime) -> None:
    until = query.until or now
    if query.since and not query.is_indexed and until - query.since > timedelta(days=MAX_DAYS):
        raise FilterError(
            f"A search without {', '.join(INDEXED)} covers {MAX_DAYS} days at most. Name one of these, or fewer days."
        )


def _number(text: str | None, normalise: Callable[[str], str | None]) -> str | None:
    if text is None:
        return None
    number = normalise(text)
    if number is None:
        raise FilterError("Withheld numbers are not indexed, so no search finds them. Name a number.")
    return number


def _time(name: str, text: str | None, day: timedelta) -> datetime | None:
    """Return a time, or the start of a day plus `day`."""
    if text is None:
        return None
    try:
        if _DAY.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC) + day
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no offset")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise FilterError(
            f"The filter {name} is neither a day (2026-11-24) nor a time with its offset (2026-11-24T10:00:00Z)."
        ) from exc


def _seconds(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    if not _SECONDS.fullmatch(text):
        raise FilterError(f"The filter {name} is no number of seconds.")
    return float(text)
