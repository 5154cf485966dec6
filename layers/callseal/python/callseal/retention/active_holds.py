"""Which calls the holds of a tenant cover now, whether or not they are placed on the cards already."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from callseal.retention.scope import matches
from callseal.retention.verdict import Covers

if TYPE_CHECKING:
    from callseal.calls.card import Card
    from callseal.retention.hold_table import HoldTable
    from callseal.retention.judge_again import HashOf


class ActiveHolds:
    """Reads the holds of tenants that are in force."""

    def __init__(self, holds: HoldTable, hash_of: HashOf) -> None:
        """Take the table of holds, and what hashes a tenant's values."""
        self._holds, self._hash_of = holds, hash_of

    def covers(self, tenant: str) -> Covers:
        """Return whether a card is in the scope of a hold, by the holds as they are now."""
        scopes = [hold.scope for hold in self._holds.active(tenant)]
        hashed = partial(self._hash_of, tenant)

        def covers(card: Card) -> bool:
            return any(matches(scope, card, hashed) for scope in scopes)

        return covers
