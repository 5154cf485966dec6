"""The audit trail, read from its log group."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

# A page has up to 10,000 events or 1 MB, some minutes of a busy stack.
MAX_PAGES = 200


def events(
    stack: Stack, screen: Screen, detail_type: str, since: datetime, *, repeats: bool = False
) -> Iterator[dict[str, Any]]:
    """Return the details of the events of a type since a time, oldest first, without repeats of an id unless asked.

    After MAX_PAGES pages, later events are missing.
    """
    pages = stack.client("logs").get_paginator("filter_log_events").paginate(
        logGroupName=stack.output("AuditLogGroupName"),
        startTime=int(since.timestamp() * 1000),
        filterPattern=f'"{detail_type}"',
    )  # fmt: skip
    seen = set()
    with screen.progress("Audit events read") as tick:
        for page in islice(pages, MAX_PAGES):
            tick(len(page["events"]))
            for entry in page["events"]:
                event = json.loads(entry["message"])
                # The pattern matches the word anywhere, such as in a file's name.
                if event.get("detail-type") == detail_type and (repeats or event["detail"]["id"] not in seen):
                    seen.add(event["detail"]["id"])  # one event may be logged twice
                    yield event["detail"]
