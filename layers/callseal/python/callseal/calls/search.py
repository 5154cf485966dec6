"""Search for a tenant's calls, newest first, in pages, by an index of the calls table.

The filter with the fewest calls chooses the index: session, caller, agent, queue, or the start of the call. All other
filters are applied to the cards that the index names. A page reads at most BUDGET batches. If they hold too few calls,
it says up to which time it has searched, and its cursor continues there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from callseal.calls.blind_index import BlindIndex
from callseal.calls.call_query import CallQuery
from callseal.calls.card import Card
from callseal.calls.card_facts import Kind
from callseal.calls.card_table import STARTED, CardTable, StoredCard, index_key
from callseal.calls.cursor import Cursors, Position
from callseal.core.audit import timestamp
from callseal.core.clock import Clock

BUDGET = 8
# As many as one BatchGetItem reads.
BATCH = 100
PAGE = 50
MAX_PAGE = 500
# Sorts after each place.
NEWEST = "~"
# The filters of hashed values: the kind of value, and its index.
_BLIND: Mapping[str, tuple[Kind, str]] = {
    "caller": ("number", "party"), "agent": ("agent", "agent"), "queue": ("queue", "queue"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """What the reader of a search may find at most: calls since a time, and of some agents or queues. None is any.

    `allows` decides about each card that is left.
    """

    since: datetime | None = None
    agents: frozenset[str] | None = None
    queues: frozenset[str] | None = None
    allows: Callable[[Card], bool] = lambda _: True


WHOLE = Scope()


@dataclass(frozen=True, slots=True)
class Page:
    """Cards of a search. `cursor` is None at the end.

    `searched_until` is the time (RFC 3339) back to which the search has come, if the page ran out of its budget.
    """

    cards: tuple[Card, ...]
    cursor: str | None
    searched_until: str | None

    def public(self) -> dict[str, Any]:
        """Return the members that the command and the API show."""
        return {
            "calls": [card.public() for card in self.cards],
            "cursor": self.cursor,
            "searched_until": self.searched_until,
        }


@dataclass(slots=True)
class _Walk:
    """The state of a page: the hash keys of each filter's index, where it stands, and what it has found."""

    query: CallQuery
    keys: Mapping[str, frozenset[str]]
    scope: Scope
    low: str | None
    position: Position
    place: str
    found: list[Card] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    more: bool = True

    @property
    def index(self) -> str:
        return next(iter(self.keys))

    def fits(self, place: str, stored: StoredCard) -> bool:
        """Return whether a card that an index names at a place is to be shown."""
        query, seconds = self.query, stored.card.facts.seconds
        if stored.place != place or stored.card.erasure_pending or self._was_passed(stored):
            return False
        if any(stored.keys.get(name) not in keys for name, keys in self.keys.items()):
            return False
        if not self.scope.allows(stored.card):
            return False
        shortest, longest = query.min_seconds, query.max_seconds
        if seconds is None:
            return shortest is None and longest is None
        return (shortest is None or seconds >= shortest) and (longest is None or seconds <= longest)

    def _was_passed(self, stored: StoredCard) -> bool:
        """Return whether the card has moved during the walk, from a place that an earlier page has passed."""
        has_moved = (stored.moved or "") >= self.position.begun
        return has_moved and (stored.moved_from or "") >= self.position.place


class CallSearch:
    """Searches calls."""

    def __init__(self, cards: CardTable, blind: BlindIndex, cursors: Cursors, clock: Clock) -> None:
        """Take the collaborators."""
        self._cards, self._blind, self._cursors, self._clock = cards, blind, cursors, clock

    def page(
        self, query: CallQuery, user: str, cursor: str | None = None, limit: int = PAGE, scope: Scope = WHOLE
    ) -> Page:
        """Return a page of at most `limit` cards (1 to MAX_PAGE) within a scope. Raise CursorRefusedError.

        A cursor continues a search of the same user. A call that comes into a place that the walk has passed is not
        shown, and no call is shown twice.
        """
        walk = self._begin(query, scope, user, cursor)
        for _ in range(BUDGET):
            if not walk.more or len(walk.found) >= limit:
                break
            self._read_batch(walk, limit)
        if not walk.more:
            return Page(tuple(walk.found), None, None)
        next_cursor = self._cursors.write(Position(walk.place, walk.position.begun), [user, *query.texts])
        ran_out = len(walk.found) < limit
        return Page(tuple(walk.found), next_cursor, walk.place.partition("#")[0] if ran_out else None)

    def _begin(self, query: CallQuery, scope: Scope, user: str, cursor: str | None) -> _Walk:
        position = Position(timestamp(query.until) if query.until else NEWEST, timestamp(self._clock()))
        if cursor is not None:
            position = self._cursors.read(cursor, [user, *query.texts])
        times = (query.earliest(datetime.fromisoformat(position.begun)), scope.since)
        earliest = max((timestamp(time) for time in times if time), default=None)
        return _Walk(query, self._keys(query, scope), scope, earliest, position, position.place)

    def _keys(self, query: CallQuery, scope: Scope) -> dict[str, frozenset[str]]:
        """Return for each filter's index the hash keys that its value may have, the best index first.

        A tenant may have blind cards and plain ones, because its setting has changed. A scope's values are used where
        the search names none.
        """
        keys = dict[str, frozenset[str]]()
        if query.session:
            keys["session"] = frozenset({index_key(query.tenant, query.session)})
        in_scope: Mapping[str, Iterable[str]] = {"agent": scope.agents or (), "queue": scope.queues or ()}
        for name, (kind, index) in _BLIND.items():
            asked = getattr(query, name)
            values = [asked] if asked else in_scope.get(name, ())
            if of_filter := frozenset(self._forms(query.tenant, kind, values)):
                keys[index] = of_filter
        return keys or {STARTED: frozenset({query.tenant})}

    def _forms(self, tenant: str, kind: Kind, values: Iterable[str]) -> Iterator[str]:
        """Yield the hash keys of values, in the clear and hashed."""
        for value in values:
            yield index_key(tenant, value)
            if hashed := self._blind.find(tenant, {kind: value}).get(kind):
                yield index_key(tenant, hashed)

    def _read_batch(self, walk: _Walk, limit: int) -> None:
        """Read the next cards of the index, and keep those that fit, until there are `limit`."""
        query = walk.query
        is_filtered = len(walk.keys) > 1 or query.min_seconds is not None or query.max_seconds is not None
        is_filtered = is_filtered or walk.scope is not WHOLE
        size = BATCH if is_filtered else min(limit - len(walk.found), BATCH)
        places = self._places(walk, size + 1)
        walk.more = len(places) > size
        calls = {place: place.partition("#")[2] for place in places[:size]}
        cards = self._cards.cards(query.tenant, {*calls.values()} - walk.seen) if calls else {}
        for place, call in calls.items():
            if len(walk.found) == limit:
                walk.more = True
                break
            walk.place = place
            if call in cards and call not in walk.seen and walk.fits(place, cards[call]):
                walk.seen.add(call)
                walk.found.append(cards[call].card)

    def _places(self, walk: _Walk, size: int) -> list[str]:
        """Return the next `size` places of all hash keys of the index."""
        found = set[str]()
        for key in sorted(walk.keys[walk.index]):
            # The place where the walk stands is read again.
            found.update(self._cards.places(walk.index, key, walk.low, walk.place, size + 1))
        return sorted(found - {walk.place}, reverse=True)[:size]
