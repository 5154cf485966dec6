"""The audit log group: the searchable copy of the audit trail.

FilterLogEvents is free, but has a quota of requests a second. A page has up to 10,000 events or 1 MB.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from callseal.aws.calls import calling
from callseal.trail.objects import Record, parse_record


class AuditLog:
    """Reads the audit log group."""

    def __init__(self, logs: Any, group: str) -> None:
        """Take the client and the log group's name."""
        self._logs, self._group = logs, group

    def records(self, start: datetime, end: datetime) -> Iterator[Record]:
        """Return the records with a log time from `start` to before `end`, page by page."""
        page: dict[str, Any] = {"nextToken": None}
        while "nextToken" in page:
            page = self._page(start, end, page["nextToken"])
            # FilterLogEvents includes the end of the search.
            found = (parse_record(each["message"]) for each in page["events"] if each["timestamp"] < _milliseconds(end))
            yield from (record for record in found if record)

    def _page(self, start: datetime, end: datetime, token: str | None) -> Any:
        times = {"startTime": _milliseconds(start), "endTime": _milliseconds(end)}
        more = {"nextToken": token} if token else {}
        with calling("Reading the audit log group"):
            return self._logs.filter_log_events(logGroupName=self._group, **times, **more)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
