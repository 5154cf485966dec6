"""What stays of a call that was erased and anonymised: a row without a person, a name or an id."""

from __future__ import annotations

from typing import Any

from callseal.calls.card import Card

COLUMNS = ("day", "queue", "direction", "seconds", "class")


def anonymous_row(card: Card) -> dict[str, Any]:
    """Return the row of a call. A queue that the card has only as a hash is None."""
    seconds = card.facts.seconds
    return {
        "day": (card.started or "")[:10] or "unknown",
        "queue": card.facts.queue,
        "direction": card.facts.direction,
        "seconds": round(seconds) if seconds is not None else None,
        "class": (card.outcome or {}).get("class"),
    }
