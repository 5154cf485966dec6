"""What a new policy changes for the calls that are there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callseal.calls.facts import Facts, Flags
from callseal.calls.policy import Policy, judge
from callseal.calls.policy_diff import COUNTS, DecidedCall, compare
from tests.unit.calls import policies
from tests.unit.calls.policies import country_of, hashed, policy

NOW = datetime(2026, 11, 23, 10, 11, 12, tzinfo=UTC)
NOTHING = dict.fromkeys(COUNTS, 0)
ONE = NOTHING | {"calls": 1}


def call(old: Policy | None, days_ago: float = 30, facts: Facts | None = None) -> DecidedCall:
    found = facts or Facts()
    return DecidedCall(found, NOW - timedelta(days=days_ago), judge(old, found, country_of) if old else None)


def counts(old: Policy | None, new: Policy, *cards: DecidedCall) -> dict[str, int]:
    return compare(old, new, cards or [call(old)], country_of, NOW)


def one_class(**members: Any) -> Policy:
    return policy(default={"class": "x"}, x=members)


CASES: list[tuple[Policy | None, Policy, dict[str, int]]] = [
    (policy(), policy(), {}),
    (policy(), policy(default={"restricted": True}), {}),
    (policy(), one_class(), {"class_changes": 1}),
    (None, policy(), {"class_changes": 1}),
    (None, policy(default={"record": "never"}), {"class_changes": 1, "would_be_held": 1}),
    (policy(), policy(default={"record": "never"}), {"would_be_held": 1}),
    (policy(default={"record": "never"}), policy(), {}),
    (policy(default={"record": "never"}), policy(default={"consent": "required"}), {}),
    (one_class(delete_after="90d"), one_class(delete_after="30d"), {"deletable_tonight": 1}),
    (one_class(delete_after="90d"), one_class(delete_after="31d"), {}),
    (one_class(delete_after="20d"), one_class(delete_after="10d"), {}),
    (one_class(), one_class(delete_after="30d"), {"deletable_tonight": 1}),
    (one_class(), one_class(delete_after="30d", keep="40d"), {}),
    (one_class(keep="1y"), one_class(keep="1y", lock="governance"), {"locked_longer": 1}),
    (one_class(keep="1y", lock="governance"), one_class(keep="2y", lock="governance"), {"locked_longer": 1}),
    (one_class(keep="2y", lock="governance"), one_class(keep="1y", lock="governance"), {}),
    (one_class(keep="1y", lock="governance"), one_class(keep="1y", lock="compliance"), {}),
    (one_class(), one_class(keep="10d", lock="governance"), {}),
    (one_class(keep="1y"), one_class(keep="2y"), {}),
]


@pytest.mark.parametrize(("old", "new", "changes"), CASES)
def test_change_is_counted(old: Policy | None, new: Policy, changes: dict[str, int]) -> None:
    assert counts(old, new) == ONE | changes


def test_call_on_a_blind_card_that_cannot_be_judged_keeps_its_outcome() -> None:
    old = policy()
    new = policy({"when": {"queue": ["x*"]}, "record": "never"}, default={"class": "x"}, x={})
    facts = Facts(queue=hashed("queue", "sales"))
    blind = DecidedCall(facts, NOW, judge(old, facts, country_of), hashed)
    assert counts(old, new, blind, call(old)) == NOTHING | {"calls": 2, "class_changes": 1, "not_judged": 1}


def test_class_of_an_earlier_policy_that_is_gone_kept_nothing() -> None:
    card = call(one_class(delete_after="10d"))
    assert counts(policy(), one_class(delete_after="10d"), card) == ONE | {"deletable_tonight": 1}


def test_calls_are_counted_one_by_one() -> None:
    old, new = policy(), policy({"when": {"denied": True}, "record": "never"})
    cards = [call(old), call(old, facts=Facts(flags=Flags(denied=True))), call(old)]
    assert counts(old, new, *cards) == NOTHING | {"calls": 3, "would_be_held": 1}
    assert compare(old, new, [], country_of, NOW) == NOTHING


@given(policies.policies, st.lists(policies.facts, max_size=5))
def test_same_policy_changes_nothing(found: Policy, facts: list[Facts]) -> None:
    cards = [call(found, facts=each) for each in facts]
    assert compare(found, found, cards, country_of, NOW) == NOTHING | {"calls": len(cards)}
