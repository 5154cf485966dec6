"""Reports about disposals: what was deleted, from the records, and what will be, from the cards. None has a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256

from callseal.calls.card import Card
from callseal.calls.reports import Report
from callseal.retention.disposal_record import day_of, read_record

DISPOSED = ("day", "class", "calls", "files", "bytes", "object", "sha256")
CALL = ("id", "class", "policy", "ended", "dispose_on", "deleted_at", "files", "object", "sha256")
DUE = ("day", "class", "calls", "held")
# The bytes of records by their keys.
Records = Iterable[tuple[str, bytes]]


def disposed_report(records: Records) -> Report:
    """Return a row for each record: how many calls of which class were deleted in a run."""
    rows = []
    for key, data in records:
        calls = read_record(data)
        files = [file for call in calls for file in call.files]
        values = (
            day_of(key), calls[0].class_, len(calls), len(files), sum(file.size or 0 for file in files), key,
            sha256(data).hexdigest(),
        )  # fmt: skip
        rows.append(dict(zip(DISPOSED, values, strict=True)))
    return Report(DISPOSED, rows)


def disposed_call_report(records: Records, call: str) -> Report:
    """Return a row for each time that a call was deleted, by the call's id. `sha256` is of the record."""
    found = ((key, data, each) for key, data in records for each in read_record(data) if each.id == call)
    rows = [
        {
            "id": each.id, "class": each.class_, "policy": each.policy, "ended": each.ended,
            "dispose_on": each.dispose_on, "deleted_at": each.deleted_at, "files": len(each.files), "object": key,
            "sha256": sha256(data).hexdigest(),
        }
        for key, data, each in found
    ]  # fmt: skip
    return Report(CALL, rows)


def due_report(cards: Iterable[Card]) -> Report:
    """Return how many calls of each class are due on which day, and how many of these are under a hold."""
    counts, held = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for card in cards:
        if card.dispose_on:
            place = card.dispose_on[:10], str((card.outcome or {}).get("class"))
            counts[place] += 1
            held[place] += bool(card.holds)
    rows: list[Mapping[str, object]] = [
        {"day": day, "class": class_, "calls": counts[day, class_], "held": held[day, class_]}
        for day, class_ in sorted(counts)
    ]
    return Report(DUE, rows)
