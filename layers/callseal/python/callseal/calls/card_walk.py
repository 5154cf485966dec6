"""All cards of a tenant's calls in a span of time, for reports and for the comparison of policies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from callseal.calls.card import Card
from callseal.calls.card_table import STARTED, CardTable
from callseal.core.audit import timestamp

# As many as one BatchGetItem reads.
BATCH = 100
# Sorts after each place.
NEWEST = "~"


def walk_cards(cards: CardTable, tenant: str, since: datetime | None, until: datetime | None) -> Iterator[Card]:
    """Yield the cards of calls that started from `since` to before `until`, newest first, each once.

    A call that waits for its erasure is left out, as in a search. Two requests read 99 cards.
    """
    low = timestamp(since) if since else None
    # A place is longer than its time, so the time alone sorts before it.
    place = timestamp(until) if until else NEWEST
    seen = set[str]()
    while places := [each for each in cards.places(STARTED, tenant, low, place, BATCH) if each != place]:
        place = places[-1]
        # A card that moves during the walk is named twice.
        calls = [call for call in (each.partition("#")[2] for each in places) if call not in seen]
        seen.update(calls)
        found = cards.cards(tenant, calls) if calls else {}
        for call in calls:
            if call in found and found[call].card.is_listed and not found[call].card.erasure_pending:
                yield found[call].card


def next_cards(cards: CardTable, tenant: str, place: str | None) -> tuple[list[Card], str | None]:
    """Return the next cards older than a place, newest first, and the place to continue at, or None at the end.

    Two requests read 99 cards. Calls that wait for their erasure are among them. The list may be empty before the end.
    """
    places = [each for each in cards.places(STARTED, tenant, None, place or NEWEST, BATCH) if each != place]
    if not places:
        return [], None
    found = cards.cards(tenant, [each.partition("#")[2] for each in places])
    return [stored.card for stored in found.values() if stored.card.is_listed], places[-1]
