"""Which calls a request for erasure is about: those of a number, or one call by its id or its session's id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from callseal.calls.blind_index import BlindIndex
from callseal.calls.call_name import CALL_ID
from callseal.calls.card import Card
from callseal.calls.card_table import CardTable, index_key

# As many as one BatchGetItem reads.
BATCH = 100
# Sorts after each place.
NEWEST = "~"


class ErasureCalls:
    """Finds the cards of a request's calls, those that wait for their erasure included."""

    def __init__(self, cards: CardTable, blind: BlindIndex) -> None:
        """Take the cards and the blind index."""
        self._cards, self._blind = cards, blind

    def of_caller(self, tenant: str, number: str) -> list[Card]:
        """Return the calls of a normalised number, on plain cards and on blind ones."""
        hashed = self._blind.find(tenant, {"number": number}).get("number")
        return self._by("party", tenant, [number, *([hashed] if hashed else [])])

    def of_call(self, tenant: str, text: str) -> list[Card]:
        """Return the call of an id, or the calls of a session."""
        card = self._cards.find(tenant, text) if CALL_ID.fullmatch(text) else None
        return [card] if card else self._by("session", tenant, [text])

    def subject(self, tenant: str, *, caller: str | None, call: str | None) -> str:
        """Return what a request is about in a form that names no person: the keyed hash of a number or of an id."""
        if caller is not None:
            return f"caller {self._blind.hashed(tenant, 'number', caller)}"
        return f"call {self._blind.hashed(tenant, 'number', f'call {call}')}"

    def by_ids(self, tenant: str, calls: Iterable[str]) -> dict[str, Card]:
        """Return cards by their calls' ids, those of ended calls included."""
        found = dict[str, Card]()
        listed = list(calls)
        for first in range(0, len(listed), BATCH):
            stored = self._cards.cards(tenant, listed[first : first + BATCH])
            found |= {call: each.card for call, each in stored.items()}
        return found

    def coverage_from(self, tenant: str) -> str | None:
        """Return when the oldest indexed call began, or None if no call is indexed.

        A call before it is found by its session's id only.
        """
        oldest = self._cards.oldest(tenant)
        return oldest.partition("#")[0] if oldest else None

    def _by(self, index: str, tenant: str, values: Iterable[str]) -> list[Card]:
        calls = {call: None for value in values for call in self._places(index, index_key(tenant, value))}
        return [card for card in self.by_ids(tenant, calls).values() if card.is_listed]

    def _places(self, index: str, key: str) -> Iterator[str]:
        """Yield the ids of the calls of an index's hash key."""
        place = NEWEST
        while places := [each for each in self._cards.places(index, key, None, place, BATCH) if each != place]:
            place = places[-1]
            yield from (each.partition("#")[2] for each in places)
