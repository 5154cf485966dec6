"""Reports from the cards of calls, for a compliance officer: consent, denials and classes.

No report has a number. A call's name has one if the platform writes it there, so such a name is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callseal.calls.card import Card
from callseal.calls.facts import CONSENTS
from callseal.calls.numbers import holds_number
from callseal.core.errors import Reason

CONSENT = ("id", "name", "started", "consent", "informed", "rule", "held")
DENIED = ("id", "name", "started", "denied", "consent", "rule", "held", "kept")
CLASSES = (
    "class", "calls", "keep_until_first", "keep_until_last", "dispose_on_first", "dispose_on_last", "without_end",
)  # fmt: skip
_SPANS = ("keep_until", "dispose_on")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """Rows with these columns. `counts` is the number of calls by a state, if the report has such a summary."""

    columns: Sequence[str]
    rows: Sequence[Row]
    counts: Mapping[str, int] | None = None


def consent_report(cards: Iterable[Card], region: str | None) -> Report:
    """Return how many calls have which consent, and a row for each call without `given` consent.

    `region` is the country of numbers in national form in the names of calls.
    """
    counts, rows = Counter[str](dict.fromkeys(CONSENTS, 0)), list[Row]()
    for card in cards:
        consent = card.facts.flags.consent
        counts[consent] += 1
        if consent != "given":
            rows.append(_row(card, region, CONSENT))
    return Report(CONSENT, rows, counts)


def denied_report(cards: Iterable[Card], region: str | None) -> Report:
    """Return a row for each call whose recording was denied, or that is held RecordingDenied.

    `kept` means that the recording was denied, but a rule of the policy requires it.
    """
    rows = [_row(card, region, DENIED) for card in cards if _is_denied(card)]
    return Report(DENIED, rows)


def classes_report(cards: Iterable[Card]) -> Report:
    """Return for each class how many calls it has, and their first and last dates.

    The class of a call without a policy's outcome is None. `without_end` counts calls without `dispose_on`.
    """
    by_class: dict[str | None, list[Card]] = {}
    for card in cards:
        by_class.setdefault((card.outcome or {}).get("class"), []).append(card)
    return Report(CLASSES, [_class_row(name, by_class[name]) for name in sorted(by_class, key=lambda name: name or "")])


def _class_row(name: str | None, cards: Sequence[Card]) -> Row:
    row: dict[str, Any] = {"class": name, "calls": len(cards)}
    for date in _SPANS:
        dates = sorted(each for card in cards if (each := (card.outcome or {}).get(date)))
        row |= {f"{date}_first": dates[0] if dates else None, f"{date}_last": dates[-1] if dates else None}
    return {**row, "without_end": sum(not (card.outcome or {}).get("dispose_on") for card in cards)}


def _is_denied(card: Card) -> bool:
    outcome, flags = card.outcome or {}, card.facts.flags
    is_refused = flags.denied or flags.consent == "denied" or bool(outcome.get("denied"))
    return is_refused or outcome.get("held") == Reason.RECORDING_DENIED


def _row(card: Card, region: str | None, columns: Sequence[str]) -> Row:
    outcome, flags = card.outcome or {}, card.facts.flags
    values = {
        "id": card.call.id,
        "name": None if holds_number(card.call.name, region) else card.call.name,
        "started": card.started,
        "denied": flags.denied,
        "consent": flags.consent,
        "informed": flags.informed,
        "rule": outcome.get("rule"),
        "held": outcome.get("held"),
        "kept": bool(outcome.get("denied")),
    }
    return {column: values[column] for column in columns}
