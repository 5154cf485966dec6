"""The report of holds: which calls are under which hold, for a compliance officer. It has no number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callseal.calls.card import Card
from callseal.calls.numbers import holds_number
from callseal.calls.reports import Report
from callseal.retention.hold import Hold

COLUMNS = (
    "hold", "state", "reason", "placed_by", "placed_at", "id", "name", "started", "class", "keep_until", "dispose_on",
)  # fmt: skip


def holds_report(found: Mapping[Hold, Sequence[Card]], region: str | None) -> Report:
    """Return a row for each call of each hold, and how many calls each hold has. A hold without calls has one row.

    `region` is the country of numbers in national form in the names of calls.
    """
    rows = [row for hold, cards in found.items() for row in _rows(hold, cards, region)]
    return Report(COLUMNS, rows, {hold.name: len(cards) for hold, cards in found.items()})


def _rows(hold: Hold, cards: Sequence[Card], region: str | None) -> Iterator[Mapping[str, Any]]:
    members = {
        "hold": hold.name, "state": hold.state, "reason": hold.reason, "placed_by": hold.placed_by,
        "placed_at": hold.placed_at,
    }  # fmt: skip
    if not cards:
        yield dict.fromkeys(COLUMNS) | members
    for card in cards:
        shown = card.public()
        name = None if holds_number(card.call.name, region) else card.call.name
        of_call = {column: shown[column] for column in ("id", "started", "class", "keep_until", "dispose_on")}
        yield {**members, **of_call, "name": name}
