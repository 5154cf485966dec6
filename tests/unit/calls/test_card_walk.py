"""The walk over all cards of a span, and how a card is compared by two policies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_facts import plain_facts
from callseal.calls.card_table import CardTable
from callseal.calls.card_walk import walk_cards
from callseal.calls.facts import Facts, Flags
from callseal.calls.outcome_member import stored_outcome
from callseal.calls.policy import default_outcome
from callseal.calls.policy_diff import compare, decided_call
from callseal.core.audit import timestamp
from tests.support import calls
from tests.support.clock import Clock
from tests.support.stack import Stack, stack
from tests.unit.calls.policies import country_of, hashed, policy

DAY = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def cloud() -> Iterator[Stack]:
    with stack() as made:
        yield made


@pytest.fixture
def table(cloud: Stack) -> CardTable:
    return calls.table(cloud, Clock())


def started(number: int) -> datetime:
    return DAY + timedelta(minutes=number)


def put(table: CardTable, name: str, start: datetime) -> CallName:
    call, known = CallName("acme", name), plain_facts(Facts(started=start), lambda _: False)
    changes = [lambda card: card.with_metadata(f"acme/{name}.xml", "read", known, timestamp(DAY))]
    assert table.apply({call: changes}) == {}
    return call


def names(table: CardTable, *span: datetime | None) -> list[str]:
    since, until = span or (None, None)
    return [card.call.name for card in walk_cards(table, "acme", since, until)]


def test_each_call_of_the_span_is_yielded_once_newest_first(table: CardTable) -> None:
    for number in range(205):
        put(table, str(number), started(number))
    everything = [str(number) for number in reversed(range(205))]
    assert names(table) == everything
    assert names(table, started(3), started(202)) == everything[3:-3]
    assert list(walk_cards(table, "beta", None, None)) == []


def test_card_that_moves_back_during_the_walk_is_yielded_once(table: CardTable) -> None:
    for number in range(150):
        put(table, str(number), started(number))
    walk = walk_cards(table, "acme", None, None)
    found = [next(walk).call.name]
    put(table, "149", DAY - timedelta(days=1))
    found += [card.call.name for card in walk]
    assert sorted(found, key=int) == [str(number) for number in range(150)]


def test_call_that_waits_for_its_erasure_is_left_out(cloud: Stack, table: CardTable) -> None:
    put(table, "1", started(1))
    call = put(table, "2", started(2))
    cloud.dynamodb.update_item(
        TableName=calls.TABLE, Key={"tenant": {"S": "acme"}, "id": {"S": call.id}},
        UpdateExpression="SET erasure_pending = :yes", ExpressionAttributeValues={":yes": {"N": "1"}},
    )  # fmt: skip
    assert names(table) == ["1"]


def changes(card: Card, old: Any, new: Any) -> dict[str, int]:
    call = decided_call(card, old, country_of, hashed)
    return {name: count for name, count in compare(old, new, [call], country_of, started(0)).items() if count}


def test_call_without_metadata_has_the_outcome_of_default() -> None:
    card = Card(CallName("acme", "1"), landed=timestamp(DAY - timedelta(days=30)))
    not_denied = policy({"when": {"denied": False}, "record": "never"})
    assert changes(card, policy(), not_denied) == {"calls": 1}
    assert changes(card, not_denied, policy(default={"record": "never"})) == {"calls": 1, "would_be_held": 1}
    assert changes(card, policy(), policy(default={"class": "x"}, x={"delete_after": "30d"})) == {
        "calls": 1, "class_changes": 1, "deletable_tonight": 1
    }  # fmt: skip


def test_card_that_no_file_has_reached_is_refused() -> None:
    with pytest.raises(ValueError, match="no file"):
        decided_call(Card(CallName("acme", "1")), policy(), country_of, hashed)


def test_call_that_had_no_policy_is_compared_with_the_stored_one() -> None:
    facts = Facts(ended=DAY, flags=Flags(denied=True))
    card = Card(
        CallName("acme", "1"), metadata="read", known=plain_facts(facts, lambda _: False), landed=timestamp(DAY)
    )
    never = policy({"when": {"denied": True}, "record": "never"})
    assert changes(card, never, never) == {"calls": 1}
    assert changes(card, policy(), never) == {"calls": 1, "would_be_held": 1}
    assert changes(replace(card, known=None), policy(), never) == {"calls": 1}


def test_stored_outcome_of_the_old_version_counts_as_it_was_judged() -> None:
    """The facts were in the clear then, and a card's hashes may not show what a pattern met."""
    facts = Facts(ended=DAY, flags=Flags(denied=True))
    old, new = policy({"when": {"denied": True}, "record": "never"}), policy(default={"record": "never"})
    card = Card(
        CallName("acme", "1"), metadata="read", known=plain_facts(facts, lambda _: False), landed=timestamp(DAY)
    )
    kept = stored_outcome(default_outcome(old), old.version, "judged", old.classes["default"], DAY)

    assert changes(card, old, new) == {"calls": 1}
    assert changes(card.with_outcome(kept), old, new) == {"calls": 1, "would_be_held": 1}
    assert changes(card.with_outcome({**kept, "version": "another"}), old, new) == {"calls": 1}
