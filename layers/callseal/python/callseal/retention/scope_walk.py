"""The walk over the calls that may be in a scope, in batches, by the index that names the fewest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from callseal.calls.card_table import STARTED, CardTable, index_key
from callseal.calls.card_walk import BATCH, NEWEST
from callseal.calls.conditions import Hashed
from callseal.retention.scope import KINDS, Scope

# The ids of calls, and the cursor at which the walk continues after them.
Batch = tuple[Sequence[str], str]


def scope_batches(cards: CardTable, tenant: str, scope: Scope, hashed: Hashed, cursor: str | None) -> Iterator[Batch]:
    """Yield the ids of calls that may be in a scope from a cursor on, 100 or fewer at once.

    A card that moves within the index during the walk is named twice, or not at all. The function that moved it, or
    the event that follows, judges it by the scope again.
    """
    number, _, position = (cursor or "0/").partition("/")
    if scope.calls:
        for first in range(int(number), len(scope.calls), BATCH):
            yield scope.calls[first : first + BATCH], f"{first + BATCH}/"
        return
    keys = _keys(tenant, scope, hashed)
    for which in range(int(number), len(keys)):
        index, key = keys[which]
        place = position or scope.until or NEWEST
        while places := [each for each in cards.places(index, key, scope.since, place, BATCH) if each != place]:
            place = places[-1]
            yield [each.partition("#")[2] for each in places], f"{which}/{place}"
        position = ""


def _keys(tenant: str, scope: Scope, hashed: Hashed) -> list[tuple[str, str]]:
    """Return the index and its hash keys. A tenant may have plain cards and blind ones, if its setting has changed."""
    for name, kind in KINDS.items():
        value: str | None = getattr(scope, name)
        if value is None or "*" in value or scope.is_mixed:
            continue
        other = hashed(kind, value) if not scope.is_blind else ""
        return [(name, index_key(tenant, each)) for each in (value, other) if each]
    return [(STARTED, tenant)]
