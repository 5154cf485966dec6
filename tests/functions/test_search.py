"""Search for calls on moto: each index, its bounds, its cursors, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callseal.calls.call_name import CallName
from callseal.calls.call_query import CallQuery, FilterError, parse_query
from callseal.calls.card_facts import CardFacts, blind_facts, plain_facts
from callseal.calls.cursor import CursorRefusedError
from callseal.calls.facts import Facts
from callseal.calls.search import CallSearch, Page
from callseal.core.audit import timestamp
from tests.support.calls import ALIAS, TABLE, blind_index, items, search, table
from tests.support.clock import Clock
from tests.support.network import Network
from tests.support.stack import Stack

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
USER = "arn:aws:iam::123456789012:user/kari"
CALLER, OTHER = "+4522334455", "+4733445566"


def normalise(text: str) -> str | None:
    return text.replace(" ", "") if text != "anonymous" else None


def query(tenant: str = "acme", **filters: str) -> CallQuery:
    return parse_query(tenant, filters, normalise, NOW)


@pytest.fixture
def now(clock: Clock) -> Clock:
    clock.put_to(NOW)
    return clock


@pytest.fixture
def put(cloud: Stack, now: Clock) -> Callable[..., None]:
    """Give what puts calls into the table, the n-th of them n hours ago."""
    cards, index = table(cloud, now), blind_index(cloud, now)

    def known(tenant: str, facts: Facts, *, blind: bool) -> CardFacts:
        if not blind:
            return plain_facts(facts, lambda _: False)
        return blind_facts(facts, lambda _: False, lambda kind, text: index.hashed(tenant, kind, text))

    def put(*numbers: int, tenant: str = "acme", blind: bool = False, **members: Any) -> None:
        changes = {}
        for number in numbers:
            started = NOW - timedelta(hours=number)
            facts = known(tenant, Facts(started=started, **members), blind=blind)
            change = lambda card, facts=facts: card.with_metadata("x.xml", "read", facts, timestamp(NOW))  # noqa: E731
            changes[CallName(tenant, str(number))] = [change]
        assert cards.apply(changes) == {}

    return put


@pytest.fixture
def find(cloud: Stack, now: Clock) -> CallSearch:
    return search(cloud, now)


def names(page: Page) -> list[str]:
    return [card.call.name for card in page.cards]


def walk(find: CallSearch, wanted: CallQuery, limit: int) -> Iterator[str]:
    cursor = None
    while True:
        page = find.page(wanted, USER, cursor, limit)
        yield from names(page)
        if not (cursor := page.cursor):
            return


@pytest.mark.parametrize("blind", [False, True], ids=["plain", "blind"])
@pytest.mark.parametrize("filters", [
    {"caller": "+45 22 33 44 55"}, {"agent": "kari"}, {"queue": "q-1"}, {"session": "s-1"},
    {"caller": CALLER, "agent": "kari", "queue": "q-1", "session": "s-1"}, {"agent": "kari", "queue": "q-1"},
], ids=str)  # fmt: skip
def test_each_filter_finds_its_calls(put: Any, find: CallSearch, blind: bool, filters: dict[str, str]) -> None:
    put(1, 5, 3, blind=blind, caller=CALLER, callee="+47999", agent="kari", queue="q-1", session_id="s-1")
    put(2, 4, blind=blind, caller=OTHER, callee=CALLER, agent="ola", queue="q-2", session_id="s-2")
    put(6, tenant="acme-2", blind=blind, caller=CALLER, agent="kari", queue="q-1", session_id="s-1")
    assert names(find.page(query(**filters), USER)) == ["1", "3", "5"]
    assert names(find.page(query("beta", **filters), USER)) == []


def test_calls_from_before_and_after_a_change_of_the_index_are_found_together(put: Any, find: CallSearch) -> None:
    put(1, 4, caller=CALLER)
    put(2, 3, 5, blind=True, caller=CALLER)
    assert names(find.page(query(caller=CALLER), USER)) == ["1", "2", "3", "4", "5"]
    assert list(walk(find, query(caller=CALLER), 2)) == ["1", "2", "3", "4", "5"]


def test_the_outside_party_of_an_outgoing_call_is_found(put: Any, find: CallSearch) -> None:
    put(1, direction="outgoing", caller=OTHER, callee=CALLER)
    assert names(find.page(query(caller=CALLER), USER)) == ["1"]
    assert names(find.page(query(caller=OTHER), USER)) == []


def test_days_are_inclusive_and_a_time_is_not(put: Any, find: CallSearch) -> None:
    put(0, 12, 13, 36, 37)  # noon of the 30th, midnight, 23:00 of the 29th, midnight, 23:00 of the 28th
    assert names(find.page(query(**{"from": "2026-11-29", "to": "2026-11-29"}), USER)) == ["13", "36"]
    times = {"from": "2026-11-29T00:00:00Z", "to": "2026-11-30T01:00:00+01:00"}
    assert names(find.page(query(**times), USER)) == ["13", "36"]


def test_a_search_by_days_alone_covers_31_days(put: Any, find: CallSearch) -> None:
    put(1, 31 * 24 - 1, 31 * 24 + 1, caller=CALLER)
    assert names(find.page(query(), USER)) == ["1", "743"]
    assert names(find.page(query(caller=CALLER), USER)) == ["1", "743", "745"]
    assert names(find.page(query(to="2026-11-01"), USER)) == ["743", "745"]
    assert query(**{"from": "2026-10-31", "to": "2026-11-30"}).since
    for wide in ({"from": "2026-10-30", "to": "2026-11-30"}, {"from": "2026-10-30"}):
        with pytest.raises(FilterError, match="covers 31 days at most"):
            query(**wide)
        assert query(**wide, caller=CALLER).since


@pytest.mark.parametrize(("filters", "why"), [
    ({"caller": "anonymous"}, "Withheld"), ({"caller": ""}, "empty"), ({"number": "1"}, "no filter 'number'"),
    ({"from": "yesterday"}, "neither a day"), ({"from": "2026-11-31"}, "neither a day"),
    ({"to": "2026-11-24T10:00:00"}, "neither a day"), ({"to": "9999-12-31"}, "neither a day"),
    ({"min_seconds": "-1"}, "no number of seconds"), ({"max_seconds": "nan"}, "no number of seconds"),
    ({"from": "2026-11-24", "to": "2026-11-23"}, "not before"),
])  # fmt: skip
def test_a_filter_that_cannot_be_used_is_refused(filters: dict[str, str], why: str) -> None:
    with pytest.raises(FilterError, match=why):
        query(**filters)


def test_lengths_filter(put: Any, find: CallSearch) -> None:
    put(1, 2, seconds=10.0)
    put(3, seconds=61.5)
    put(4)
    assert names(find.page(query(min_seconds="10", max_seconds="60"), USER)) == ["1", "2"]
    assert names(find.page(query(min_seconds="61.5"), USER)) == ["3"]
    assert names(find.page(query(), USER)) == ["1", "2", "3", "4"]


def test_a_page_that_runs_out_says_how_far_it_came(
    put: Any, find: CallSearch, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callseal.calls.search.BATCH", 10)
    put(*range(100), seconds=1.0)
    put(95, seconds=99.0)
    page = find.page(query(min_seconds="50"), USER)
    assert (names(page), page.searched_until) == ([], timestamp(NOW - timedelta(hours=79)))
    rest = find.page(query(min_seconds="50"), USER, page.cursor)
    assert (names(rest), rest.cursor, rest.searched_until) == (["95"], None, None)


def test_a_page_ends_where_it_is_full(put: Any, find: CallSearch) -> None:
    put(*range(10))
    first = find.page(query(), USER, limit=4)
    assert (names(first), first.searched_until) == (["0", "1", "2", "3"], None)
    assert list(walk(find, query(), 5)) == [str(number) for number in range(10)]
    assert find.page(query(), USER, limit=10).cursor is None
    assert find.page(query(min_seconds="0"), USER).cursor is None


def test_more_than_one_batch_fits_on_a_page(put: Any, find: CallSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callseal.calls.search.BATCH", 3)
    put(*range(10))
    page = find.page(query(), USER, limit=8)
    assert (len(page.cards), page.searched_until) == (8, None)


def test_a_cursor_is_of_one_tenant_user_and_search(put: Any, find: CallSearch) -> None:
    put(*range(5), caller=CALLER)
    put(*range(5), tenant="beta")
    cursor = find.page(query(), USER, limit=2).cursor
    assert cursor
    assert names(find.page(query(), USER, cursor, limit=2)) == ["2", "3"]
    flipped = cursor[:-3] + ("A" if cursor[-3] != "A" else "B") + cursor[-2:]
    for wanted, user, text in (
        (query("beta"), USER, cursor), (query(caller=CALLER), USER, cursor), (query(), "another", cursor),
        (query(), USER, flipped), (query(), USER, ""), (query(), USER, "not one"), (query(), USER, "é"),
        (query(), USER, cursor[:5]), (query(to="2026-11-30"), USER, cursor),
    ):  # fmt: skip
        with pytest.raises(CursorRefusedError, match="without a cursor"):
            find.page(wanted, user, text)


def test_a_cursor_names_no_number(put: Any, find: CallSearch) -> None:
    put(*range(5), caller=CALLER)
    cursor = find.page(query(caller=CALLER), USER, limit=2).cursor
    assert cursor
    assert CALLER[1:] not in json.dumps(cursor)


@pytest.mark.parametrize(
    "filters", [{}, {"caller": CALLER}, {"agent": "kari"}, {"queue": "q"}, {"session": "s"}], ids=str
)
@pytest.mark.parametrize("blind", [False, True], ids=["plain", "blind"])
def test_a_page_of_50_takes_three_requests_at_most(
    put: Any, cloud: Stack, now: Clock, filters: dict[str, str], blind: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(*range(120), blind=blind, caller=CALLER, agent="kari", queue="q", session_id="s")
    find, asked = search(cloud, now), []
    find.page(query(**filters), USER)  # the keys are cached
    cloud.dynamodb.meta.events.register("before-send", lambda event_name, **_: asked.append(event_name))
    page = find.page(query(**filters), USER)
    assert (len(page.cards), bool(page.cursor)) == (50, True)
    assert 2 <= len(asked) <= 3


def test_a_call_whose_erasure_is_pending_is_hidden(put: Any, find: CallSearch, cloud: Stack) -> None:
    put(1, 2)
    cloud.dynamodb.update_item(
        TableName=TABLE, Key={"tenant": {"S": "acme"}, "id": {"S": CallName("acme", "1").id}},
        UpdateExpression="SET erasure_pending = :set", ExpressionAttributeValues={":set": {"N": "1"}},
    )  # fmt: skip
    assert names(find.page(query(), USER)) == ["2"]


def test_a_long_value_is_found(put: Any, find: CallSearch) -> None:
    put(1, agent="k" * 4000)
    put(2, agent="k" * 4001)
    assert names(find.page(query(agent="k" * 4000), USER)) == ["1"]


def test_a_call_that_moves_during_a_walk_is_not_shown_again(
    put: Any, cloud: Stack, now: Clock, find: CallSearch
) -> None:
    """Its metadata comes after its recording was delivered, and says that it started earlier."""
    cards, landed = table(cloud, now), timestamp(NOW)
    put(1, 2, 3)
    cards.apply({CallName("acme", "0"): [lambda card: card.with_metadata("x", "unreadable", None, landed)]})
    now.put_to(NOW + timedelta(minutes=1))
    first = find.page(query(), USER, limit=2)
    assert names(first) == ["0", "1"]
    now.put_to(NOW + timedelta(minutes=2))
    facts = plain_facts(Facts(started=NOW - timedelta(hours=2.5)), lambda _: False)
    cards.apply({CallName("acme", "0"): [lambda card: card.with_metadata("x", "read", facts, landed)]})
    assert names(find.page(query(), USER, first.cursor)) == ["2", "3"]
    assert names(find.page(query(), USER)) == ["1", "2", "0", "3"], "a new walk finds it at its place"


# A call's hour; whether it lands while the walk goes on, and whether its metadata comes then and moves it further back.
CALLS = st.dictionaries(st.integers(0, 400), st.sampled_from(["before", "during", "moved"]), max_size=40)


@given(calls=CALLS, limit=st.integers(1, 7), shift=st.integers(1, 300))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_walk_finds_each_call_once(
    put: Any, cloud: Stack, now: Clock, calls: dict[int, str], limit: int, shift: int
) -> None:
    for item in items(cloud):
        cloud.dynamodb.delete_item(TableName=TABLE, Key={name: item[name] for name in ("tenant", "id")})
    now.put_to(NOW)
    cards = table(cloud, now)
    there = [number for number, when in calls.items() if when != "during"]
    for number in there:
        landed = timestamp(NOW - timedelta(hours=number))
        change = lambda card, landed=landed: card.with_metadata("x.xml", "unreadable", None, landed)  # noqa: E731
        cards.apply({CallName("acme", str(number)): [change]})
    now.put_to(NOW + timedelta(minutes=1))
    find = search(cloud, now)
    first = find.page(query(), USER, limit=limit)
    now.put_to(NOW + timedelta(minutes=2))
    put(*(number for number, when in calls.items() if when == "during"))
    for number in (number for number, when in calls.items() if when == "moved"):
        facts = plain_facts(Facts(started=NOW - timedelta(hours=number + shift)), lambda _: False)
        change = lambda card, facts=facts: card.with_metadata("x.xml", "read", facts, card.landed)  # noqa: E731
        cards.apply({CallName("acme", str(number)): [change]})
    found, cursor = names(first), first.cursor
    while cursor:
        page = find.page(query(), USER, cursor, limit)
        found, cursor = found + names(page), page.cursor
    assert len(set(found)) == len(found), "no call is shown twice"
    assert {str(number) for number, when in calls.items() if when == "before"} <= {*found}


def test_blind_cards_hold_no_number_agent_or_queue(put: Any, cloud: Stack, find: CallSearch) -> None:
    put(1, blind=True, caller=CALLER, callee=OTHER, agent="kari", queue="q-trading")
    assert names(find.page(query(caller=CALLER), USER)) == ["1"]
    text = json.dumps(items(cloud))
    assert not [value for value in (CALLER[1:], OTHER[1:], "kari", "q-trading") if value in text]


def test_a_deleted_salt_shreds_a_tenants_index(put: Any, cloud: Stack, now: Clock, find: CallSearch) -> None:
    put(1, blind=True, caller=CALLER)
    put(2, blind=True, tenant="beta", caller=CALLER)
    cloud.dynamodb.delete_item(TableName=TABLE, Key={"tenant": {"S": "acme"}, "id": {"S": "salt"}})
    assert names(search(cloud, now).page(query(caller=CALLER), USER)) == []
    assert names(find.page(query("beta", caller=CALLER), USER)) == ["2"]
    put(3, blind=True, caller=CALLER)
    now.pass_by(seconds=61)
    fresh = blind_index(cloud, now)
    assert fresh.hashed("acme", "number", CALLER)
    assert names(search(cloud, now).page(query(), USER)) == ["1", "3"]


def test_a_tenants_key_is_requested_once_a_minute(cloud: Stack, now: Clock) -> None:
    index, asked = blind_index(cloud, now), []
    cloud.kms.meta.events.register("before-send", lambda event_name, **_: asked.append(event_name))
    hashes = {index.hashed("acme", kind, "1234567") for kind in ("number", "agent", "queue") for _ in range(20)}
    assert (len(hashes), len(asked)) == (3, 1)
    assert all(len(each) == len("k1:") + 22 for each in hashes)
    now.pass_by(seconds=61)
    assert index.hashed("acme", "number", "1234567") in hashes
    assert index.hashed("beta", "number", "1234567") not in hashes
    assert len(asked) == 3


def test_two_workers_have_the_same_salt(cloud: Stack, now: Clock, network: Network) -> None:
    one, other = blind_index(cloud, now), blind_index(cloud, now)
    assert one.hashed("acme", "number", CALLER) == other.hashed("acme", "number", CALLER)
    assert other.find("acme", {"number": CALLER}) == {"number": one.hashed("acme", "number", CALLER)}
    assert one.find("nobody", {"number": CALLER}) == {}
    assert ALIAS in [alias["AliasName"] for alias in cloud.kms.list_aliases()["Aliases"]]
