"""Searches over 1,000,000 cards of one tenant: requests and items read, with DynamoDB's own arithmetic for read units.

`python -m benchmarks.calls_search` prints a line for each search. Callseal's search runs unchanged on a table in this
process that has the sorted indexes of all cards, and makes a card's item when it is read.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, cast

from benchmarks.measure import Row
from callseal.aws.items import item
from callseal.calls.blind_index import BlindIndex
from callseal.calls.call_file import CallFile, Delivery
from callseal.calls.call_name import CallName
from callseal.calls.call_query import CallQuery
from callseal.calls.card import Card
from callseal.calls.card_facts import CardFacts, Kind, blind_facts, plain_facts
from callseal.calls.card_table import STARTED, CardTable, attributes, index_key, place_of
from callseal.calls.cursor import Cursors
from callseal.calls.facts import Facts
from callseal.calls.search import CallSearch
from callseal.core.audit import timestamp

TENANT, CALLS, DAYS = "acme", 1_000_000, 90
CALLERS, AGENTS, QUEUES = 50_000, 500, 20
NOW = datetime(2026, 11, 30, tzinfo=UTC)
SEARCHES = {
    "days": CallQuery(TENANT),
    "caller": CallQuery(TENANT, caller="+4700000007"),
    "agent": CallQuery(TENANT, agent="agent-7@acme.example"),
    "queue": CallQuery(TENANT, queue="queue-7"),
    "session": CallQuery(TENANT, session="session-7"),
    "days, at least 10 minutes": CallQuery(TENANT, min_seconds=600),
    "queue and agent": CallQuery(TENANT, queue="queue-7", agent="agent-7@acme.example"),
}
INDEXED = tuple(SEARCHES)[:5]


def requests_per_search_page() -> Row:
    """Count DynamoDB's requests for the first page of 50 of each kind of search, on plain and on blind cards."""
    costs = {(blind, name): cost for blind in (False, True) for name, cost in measured(blind=blind).items()}
    worst = max(cost.requests for (_, name), cost in costs.items() if name in INDEXED)
    note = f"{CALLS:,} cards of one tenant; " + "; ".join(
        f"{name} {costs[False, name].requests} plain, {costs[True, name].requests} blind" for name in INDEXED
    )
    return Row("requests_per_search_page", worst, 3, "requests", worst, "<= 3", note)


@dataclass(slots=True)
class Cost:
    """What a page cost. Read units are DynamoDB's: 4 kB, half of one if eventually consistent."""

    requests: int = 0
    keys: int = 0
    items: int = 0
    item_bytes: int = 0
    read_units: float = 0
    found: int = 0


class _Key:
    """The HMAC key, for measurements."""

    def mac(self, message: bytes) -> bytes:
        """Return a hash."""
        return sha256(message).digest()


@dataclass
class Table:
    """The calls table: answers Query, BatchGetItem and GetItem as DynamoDB does, and counts."""

    blind: bool
    cost: Cost = field(default_factory=Cost)

    def __post_init__(self) -> None:
        """Sort the places of all cards by hash key."""
        self.index = BlindIndex(cast("Any", self), "calls", cast("Any", _Key()), lambda: NOW)
        self._numbers, self._places = dict[str, int](), defaultdict[tuple[str, str], list[str]](list)
        for number in reversed(range(CALLS)):  # the oldest first
            call = CallName(TENANT, f"2026/{number}")
            place = f"{timestamp(_started(number))}#{call.id}"
            self._numbers[call.id] = number
            for name, key in self._keys(number).items():
                self._places[name, key].append(place)
        for places in self._places.values():
            places.sort()

    # ruff: noqa: N803  # boto3's own names
    def query(self, *, IndexName: str, ExpressionAttributeValues: Any, Limit: int, **_: Any) -> dict[str, Any]:
        """Return the newest keys of an index between two places."""
        key, low, high = (ExpressionAttributeValues[name]["S"] for name in (":key", ":low", ":high"))
        places = self._places.get((IndexName, key), [])
        found = places[bisect_left(places, low) : bisect_right(places, high)][: -Limit - 1 : -1]
        keys = [{"tenant": TENANT, "id": place.partition("#")[2], "place": place, IndexName: key} for place in found]
        self.cost.requests += 1
        self.cost.keys += len(keys)
        self.cost.read_units += math.ceil(sum(map(_size, keys)) / 4096) / 2
        return {"Items": [item(each) for each in keys]}

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        """Return the items of cards, read consistently."""
        ((table, wanted),) = RequestItems.items()
        found = [self._item(self._numbers[key["id"]["S"]]) for key in wanted["Keys"]]
        sizes = [_size(each) for each in found]
        self.cost.requests += 1
        self.cost.items += len(found)
        self.cost.item_bytes += sum(sizes)
        self.cost.read_units += sum(math.ceil(size / 4096) for size in sizes)
        return {"Responses": {table: [item(each) for each in found]}}

    def get_item(self, **_: Any) -> dict[str, Any]:
        """Return the tenant's salt, if it has one."""
        self.cost.requests += 1
        self.cost.read_units += 1
        salt = {"tenant": TENANT, "id": "salt", "salt": "00" * 32}
        return {"Item": item(salt)} if self.blind else {}

    def _keys(self, number: int) -> dict[str, str]:
        """Return a card's hash keys by index, without making the card."""
        caller, agent, queue, session = _values(number)
        values = {"party": self._value("number", caller), "agent": self._value("agent", agent)}
        values |= {"queue": self._value("queue", queue), "session": session}
        return {STARTED: TENANT} | {name: index_key(TENANT, value) for name, value in values.items()}

    def _value(self, kind: Kind, text: str) -> str:
        return self.index.hashed(TENANT, kind, text) if self.blind else text

    def _item(self, number: int) -> dict[str, Any]:
        card = _card(number, self._known)
        return {"tenant": TENANT, "id": card.call.id, "revision": 3} | attributes(card) | {"place": place_of(card)}

    def _known(self, facts: Facts) -> CardFacts:
        if self.blind:
            return blind_facts(facts, lambda _: False, lambda kind, text: self.index.hashed(TENANT, kind, text))
        return plain_facts(facts, lambda _: False)


def measured(*, blind: bool) -> dict[str, Cost]:
    """Return what the first page of each search costs. The tenant's key is cached, as in a worker that has one."""
    table = Table(blind)
    cards = CardTable(cast("Any", table), "calls", lambda: NOW)
    search = CallSearch(cards, table.index, Cursors(cast("Any", _Key())), lambda: NOW)
    costs = {}
    for name, query in SEARCHES.items():
        table.cost = Cost()
        table.cost.found = len(search.page(query, "user").cards)
        costs[name] = table.cost
    return costs


def _started(number: int) -> datetime:
    return NOW - timedelta(seconds=number * DAYS * 86_400 / CALLS)


def _values(number: int) -> tuple[str, str, str, str]:
    """Return caller, agent, queue and session of a call."""
    return (
        f"+47{number % CALLERS:08}", f"agent-{number % AGENTS}@acme.example", f"queue-{number % QUEUES}",
        f"session-{number}",
    )  # fmt: skip


def _card(number: int, known: Any) -> Card:
    """Return a card of a call with a recording and its metadata, in both buckets."""
    call, (caller, agent, queue, session) = CallName(TENANT, f"2026/{number}"), _values(number)
    started, seconds = _started(number), float(number % 900)
    facts = Facts(
        session_id=session, started=started, ended=started + timedelta(seconds=seconds), seconds=seconds,
        direction="incoming", caller=caller, callee="+4721890000", agent=agent, queue=queue,
    )  # fmt: skip
    moment = timestamp(started + timedelta(minutes=10))
    files = tuple(
        CallFile(n, where, f"callseal-{where}-123456789012-eu-north-1", f"{TENANT}/{call.name}.{kind}.p7m",
                 (Delivery("d" * 32, moment, 454_300, "a" * 64, "cms", ("F" * 64,)),))
        for n, (kind, where) in enumerate((kind, where) for kind in ("mp3", "xml") for where in ("archive", "sftp"))
    )  # fmt: skip
    outcome = {
        "version": "f" * 64, "rule": "orders", "class_": "orders", "record": "must", "consent": "none",
        "restricted": False, "sensitive": False, "archive": True, "denied": False, "held": None,
        "keep_until": moment, "dispose_on": moment,
    }  # fmt: skip
    return Card(call, "read", f"{TENANT}/{call.name}.xml", known(facts), outcome, moment, files)


def _size(members: Mapping[str, Any]) -> int:
    """Return the size of an item: its names and values in UTF-8.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    values = ((name, value) for name, value in members.items() if value is not None)
    return sum(len(name.encode()) + len(str(value).encode()) for name, value in values)


def main() -> None:
    """Print a line for each search."""
    for blind in (False, True):
        print(f"{CALLS:,} {'blind' if blind else 'plain'} cards of one tenant")
        for name, cost in measured(blind=blind).items():
            size = cost.item_bytes // max(cost.items, 1)
            print(
                f"  {name:26} {cost.found:3} found, {cost.requests} requests, {cost.keys:4} keys and "
                f"{cost.items:4} items of {size:,} bytes read, {cost.read_units:g} read units"
            )


if __name__ == "__main__":
    main()
