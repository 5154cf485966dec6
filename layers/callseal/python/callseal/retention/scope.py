"""The scope of a hold: which calls are under it.

`calls` names them by their ids. Otherwise a call must meet each of the other members that are not None. On a blind card
numbers, agents and queues are keyed hashes, and so they are in the scope of a tenant whose calls are indexed blind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from callseal.calls.card import Card
from callseal.calls.card_facts import Kind
from callseal.calls.conditions import Hashed, fits

ANY = "*"
# The members that a blind card has as hashes.
KINDS: Mapping[str, Kind] = {"party": "number", "queue": "queue", "agent": "agent"}


@dataclass(frozen=True, slots=True)
class Scope:
    """Which calls are under a hold.

    `since` and `until` (RFC 3339, the second exclusive) limit the start of a call. `queue` and `agent` may have `*` at
    either end. `future` includes the calls that land after the hold was placed, at `placed_at`.

    If `is_blind`, the members in KINDS are hashes. `is_mixed` means that the tenant has plain cards, too, with one of
    these values. After the release of the hold, `party` is a hash in any case, or None if the tenant has no key for it,
    because the number may have to be erased.
    """

    calls: tuple[str, ...] = ()
    party: str | None = None
    queue: str | None = None
    agent: str | None = None
    since: str | None = None
    until: str | None = None
    future: bool = False
    is_blind: bool = False
    is_mixed: bool = False
    placed_at: str | None = None

    @property
    def number(self) -> str | None:
        """The number in the clear, None if there is none."""
        return None if self.is_blind or self.party == ANY else self.party

    def public(self) -> dict[str, Any]:
        """Return the members that the command and the API show."""
        return {
            "calls": [*self.calls],
            "party": self.party,
            "queue": self.queue,
            "agent": self.agent,
            "from": self.since,
            "to": self.until,
            "future": self.future,
            "blind": self.is_blind,
        }

    def stored(self) -> dict[str, Any]:
        """Return the scope as a value for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value}


def stored_scope(members: Mapping[str, Any]) -> Scope:
    """Return a scope from the value that `Scope.stored` returned, after JSON."""
    return Scope(**{**members, "calls": tuple(members.get("calls", ()))})


def matches(scope: Scope, card: Card, hashed: Hashed | None = None) -> bool:
    """Return whether a call is in a scope. A call that has ended is in none.

    `hashed` returns the keyed hash of a value, for a plain card and a blind scope or the other way round. Without it
    such a card is in the scope until the hold is placed. After that, `Card.holds` says so.
    """
    if card.gone:
        return False
    if scope.calls:
        return card.call.id in scope.calls
    if not card.is_listed or not _is_in_time(scope, card):
        return False
    return all(_has(name, kind, scope, card, hashed) for name, kind in KINDS.items())


def _is_in_time(scope: Scope, card: Card) -> bool:
    started, landed = card.started or "", card.landed or ""
    if scope.placed_at and not scope.future and landed > scope.placed_at:
        return False
    return (not scope.since or started >= scope.since) and (not scope.until or started < scope.until)


def _has(name: str, kind: Kind, scope: Scope, card: Card, hashed: Hashed | None) -> bool:
    wanted: str | None = getattr(scope, name)
    if wanted is None or wanted == ANY:
        return True
    found: str | None = getattr(card.known, name) if card.known else None
    if found is None or card.known is None:
        return False
    is_blind = card.known.is_blind
    if is_blind == scope.is_blind:
        return found == wanted if is_blind or name == "party" else fits(wanted, found)
    if "*" in wanted:
        return False
    if hashed is None:
        return scope.placed_at is None
    return hashed(kind, wanted) == found if is_blind else hashed(kind, found) == wanted
