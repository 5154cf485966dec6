"""The calls of a tenant that are due, read in batches, and whether they are so many that a person must confirm it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from callseal.calls.card import Card
from callseal.retention.brake import free_calls, is_unusual, remembered_days
from callseal.retention.verdict import Rules, verdict

if TYPE_CHECKING:
    from callseal.calls.card_table import CardTable
    from callseal.calls.due_cards import DueCards
    from callseal.retention.disposal_table import DisposalTable

# About as many calls as fill a request that deletes 1,000 versions: a recording and its metadata each.
BATCH = 500


class DueCalls:
    """Reads the cards of calls that are due."""

    def __init__(self, cards: CardTable, due: DueCards, table: DisposalTable, rules: Callable[[str], Rules]) -> None:
        """Take the collaborators. `rules` returns what stops a tenant's disposal now."""
        self._cards, self._due, self._table, self._rules = cards, due, table, rules

    def has_any(self, tenant: str, until: datetime) -> bool:
        """Return whether a call is due."""
        return bool(self._due.places(tenant, until, None, 1))

    def batches(self, tenant: str, until: datetime, place: str | None) -> Iterator[tuple[str, list[Card]]]:
        """Yield the cards of calls that are due, the longest due first, each time with the place of the last one."""
        while places := self._due.places(tenant, until, place, BATCH):
            place = places[-1]
            calls = dict.fromkeys(each.partition("#")[2] for each in places)
            yield place, [stored.card for stored in self._cards.cards(tenant, calls).values()]

    def unusual(self, tenant: str, until: datetime) -> int:
        """Return the number of calls that may be deleted now, if it is unusual, else 0.

        The index is counted first, which takes one request for thousands of calls. The cards are read only if the brake
        may act.
        """
        disposed = self._table.disposed(tenant, remembered_days(until))
        enough = int(free_calls(disposed)) + 1
        if self._due.count(tenant, until, enough) < enough:
            return 0
        rules = self._rules(tenant)
        cards = (card for _, batch in self.batches(tenant, until, None) for card in batch)
        calls = sum(verdict(card, rules, until) == "due" for card in cards)
        is_stopped = is_unusual(calls, disposed, lambda wanted: self._due.count_listed(tenant, wanted))
        return calls if is_stopped else 0
