"""The scope of a hold: which calls are in it, also without the means to compare hashes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callseal.calls.call_file import Delivery
from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_facts import blind_facts, plain_facts
from callseal.calls.facts import Facts
from callseal.core.audit import timestamp
from callseal.retention.hold import Hold, HoldInvalidError, holds_over, is_same_person, new_hold
from callseal.retention.scope import Scope, matches, stored_scope

BEGAN = datetime(2026, 11, 24, 10, tzinfo=UTC)
CALLER = "+4522334455"
FACTS = Facts(started=BEGAN, caller=CALLER, queue="orders", agent="kari", direction="incoming")
CALL = CallName("acme", "1")


def at(minutes: float) -> str:
    return timestamp(BEGAN + timedelta(minutes=minutes))


def hashed(kind: str, text: str) -> str:
    return f"k1:{kind}:{text}"


def card(*, blind: bool = False, landed: float = 1, facts: Facts = FACTS) -> Card:
    known = blind_facts(facts, lambda _: False, hashed) if blind else plain_facts(facts, lambda _: False)
    return Card(CALL).with_metadata("acme/1.xml", "read", known, at(landed))


@pytest.mark.parametrize(("scope", "expected"), [
    (Scope(party=CALLER), True),
    (Scope(party=CALLER, queue="orders", agent="kari"), True),
    (Scope(party=CALLER, queue="sales"), False),
    (Scope(queue="ord*"), True), (Scope(queue="*ers"), True), (Scope(queue="*rd*"), True), (Scope(queue="ord"), False),
    (Scope(party="+45*"), False),
    (Scope(queue="*"), True),
    (Scope(since=at(0)), True), (Scope(since=at(0.01)), False),
    (Scope(until=at(0)), False), (Scope(until=at(0.01)), True),
    (Scope(calls=(CALL.id,)), True), (Scope(calls=("0" * 32,)), False),
    (Scope(party=CALLER, placed_at=at(1)), True), (Scope(party=CALLER, placed_at=at(0.9)), False),
    (Scope(party=CALLER, placed_at=at(0.9), future=True), True),
    (Scope(calls=(CALL.id,), placed_at=at(0.9)), True),
])  # fmt: skip
def test_which_calls_are_in_a_scope(scope: Scope, expected: bool) -> None:
    assert matches(scope, card()) is expected
    names = {name: getattr(scope, name) for name in ("party", "queue", "agent")}
    if any("*" in (value or "") and value != "*" for value in names.values()):
        return
    kinds = {"party": "number", "queue": "queue", "agent": "agent"}
    hashes = {name: value if value in (None, "*") else hashed(kinds[name], value) for name, value in names.items()}
    of_blind = replace(scope, is_blind=True, **hashes)
    assert matches(of_blind, card(blind=True)) is expected
    assert matches(scope, card(blind=True), hashed) is expected
    assert matches(of_blind, card(), hashed) is expected


def test_a_fact_that_is_not_known_is_in_no_scope_but_any() -> None:
    recording = Card(CALL).with_delivery(("archive", "archive", "acme/1.wav"), Delivery("d", at(1), 4, None, "none"))
    for known in (recording, card(facts=Facts(started=BEGAN))):
        assert not matches(Scope(party=CALLER), known)
        assert not matches(Scope(queue="o*"), known)
        assert matches(Scope(queue="*"), known)
        assert matches(Scope(since=at(0)), known)


@pytest.mark.parametrize(("scope", "blind"), [
    (Scope(party=CALLER), True), (Scope(party="k1:other", is_blind=True), False), (Scope(queue="sales"), True),
])  # fmt: skip
def test_what_cannot_be_compared_is_in_the_scope_until_the_hold_is_placed(scope: Scope, blind: bool) -> None:
    assert matches(scope, card(blind=blind))
    assert not matches(replace(scope, placed_at=at(5)), card(blind=blind))
    assert not matches(Scope(queue="s*"), card(blind=True)), "a pattern fits no hash"


def test_a_call_that_has_ended_is_in_no_scope() -> None:
    ended = card().ended_by("disposed", at(2))
    assert not matches(Scope(calls=(CALL.id,)), ended)
    assert not matches(Scope(queue="*"), Card(CALL)), "nothing of it has landed"


@pytest.mark.parametrize("members", [
    {}, {"calls": ("a", "b"), "future": True}, {"party": "p", "since": at(0), "until": at(1), "placed_at": at(2)},
    {"queue": "q", "agent": "a", "is_blind": True, "is_mixed": True},
])  # fmt: skip
def test_a_scope_is_stored_whole(members: dict[str, Any]) -> None:
    scope = Scope(**members)
    assert stored_scope(json.loads(json.dumps(scope.stored()))) == scope


def hold(name: str, scope: Scope) -> Hold:
    return new_hold("acme", name, "Because", scope, "kari", BEGAN)


def test_which_holds_a_call_has() -> None:
    """Those on its card may be newer, or older, than those that were read."""
    of_card = card().with_holds(["on-card"])
    assert holds_over([hold("b", Scope(queue="orders")), hold("c", Scope(queue="x"))], of_card) == ["b", "on-card"]
    assert holds_over([], card()) == []


@pytest.mark.parametrize(("one", "other", "expected"), [
    ("kari", "ola", False),
    ("kari", " Kari ", True),
    ("arn:aws:sts::1:assumed-role/Legal/kari@acme", "arn:aws:sts::1:assumed-role/Admin/Kari@acme", True),
    ("arn:aws:sts::1:assumed-role/Legal/kari@acme", "kari@acme", True),
    ("arn:aws:sts::1:assumed-role/Legal/kari", "arn:aws:sts::1:assumed-role/Legal/ola", False),
    ("arn:aws:iam::1:user/legal/kari", "arn:aws:iam::1:user/kari", True),
    ("arn:aws:iam::1:root", "arn:aws:iam::2:root", False),
])  # fmt: skip
def test_one_person_with_several_names(one: str, other: str, expected: bool) -> None:
    assert is_same_person(one, other) is is_same_person(other, one) is expected


@given(st.text(max_size=70))
def test_no_name_breaks_the_ids_of_items(name: str) -> None:
    try:
        made = hold(name, Scope(queue="*"))
    except HoldInvalidError:
        return
    assert made.name == name and "#" not in name and name.isascii() and 1 <= len(name) <= 64


@pytest.mark.parametrize("reason", ["", "\n", "a\nb", "a" * 1001, "Of 004522334455", "\x1b[1m"])
def test_reasons_that_no_hold_can_have(reason: str) -> None:
    with pytest.raises(HoldInvalidError, match="reason"):
        new_hold("acme", "case", reason, Scope(queue="*"), "kari", BEGAN)
