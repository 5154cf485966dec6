"""Who may do what: a brute-force oracle over the grants, and the cases that people argue about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callseal.archive.access import ACTIONS, Access, Grant
from callseal.archive.may import Allowed, Code, Refused, User, allowed_actions, may
from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_facts import blind_facts, plain_facts
from callseal.calls.facts import Facts, Flags
from callseal.core.audit import timestamp

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
KARI = User("kari@firma.no", frozenset({"agents"}), "4711")
GROUPS, QUEUES, AGENTS = ("agents", "leads"), ("invoice_no", "invoice_se", "support"), ("kari@firma.no", "4711", "ola")
PATTERNS = ("*", "invoice_*", "*_no", "*voice*", "support")


def hashed(kind: str, text: str) -> str:
    """Return a stand-in for the keyed hash of a fact."""
    return f"hash of {kind} {text}"


def card(*, blind: bool = False, days: float = 1, outcome: dict[str, Any] | None = None, **facts: Any) -> Card:
    """Return the card of a call that started so many days before now; None for the facts of no metadata."""
    landed = timestamp(NOW - timedelta(days=days))
    if "flags" not in facts and not facts:
        return Card(CallName("acme", "1"), landed=landed, outcome=outcome)
    found = Facts(started=NOW - timedelta(days=days), **facts)
    known = blind_facts(found, lambda _: False, hashed) if blind else plain_facts(found, lambda _: False)
    return Card(CallName("acme", "1"), metadata="read", known=known, landed=landed, outcome=outcome)


def decide(grants: list[Grant], of: Card, action: str = "play", user: User = KARI) -> str:
    """Return `allowed` or the code."""
    decision = may(Access(tuple(grants)), user, action, of, NOW, hashed)
    return "allowed" if isinstance(decision, Allowed) else str(decision.code)


def grant(*may: str, group: str = "agents", **members: Any) -> Grant:
    return Grant(group, may or ("play",), **members)


def test_nobody_may_anything_without_a_grant() -> None:
    for action, decision in allowed_actions(Access(), KARI, card(), NOW).items():
        assert (action in ACTIONS, decision) == (True, Refused(Code.NOT_ALLOWED))


@pytest.mark.parametrize(
    ("given_grant", "of", "expected"),
    [
        (grant(), card(), "allowed"),
        (grant("search"), card(), "NotAllowed"),
        (grant(group="leads"), card(), "NotAllowed"),
        (grant(group="Agents"), card(), "NotAllowed"),
        (grant(scope="own"), card(agent="kari@firma.no"), "allowed"),
        (grant(scope="own"), card(agent="4711"), "allowed"),
        (grant(scope="own"), card(agent="47110"), "NotAllowed"),
        (grant(scope="own"), card(queue="support"), "NotAllowed"),
        (grant(scope="own"), card(), "NotAllowed"),
        (grant(scope="own"), card(agent="4711", blind=True), "allowed"),
        (grant(scope="own"), card(agent="ola", blind=True), "NotAllowed"),
        (grant(queues=("invoice_*",)), card(queue="invoice_no"), "allowed"),
        (grant(queues=("invoice_*",)), card(queue="Invoice_no"), "NotAllowed"),
        (grant(queues=("invoice_*",)), card(agent="ola"), "NotAllowed"),
        (grant(queues=("invoice_*",)), card(), "NotAllowed"),
        (grant(queues=("*",)), card(), "allowed"),
        (grant(queues=("invoice_*",)), card(queue="invoice_no", blind=True), "NotAllowed"),
        (grant(queues=("*",)), card(queue="invoice_no", blind=True), "allowed"),
        (grant(queues=("invoice_no",)), card(queue="invoice_no", blind=True), "allowed"),
        (grant(days=30), card(days=30), "allowed"),
        (grant(days=30), card(days=30.01), "NotAllowed"),
        (grant(days=30), card(days=30.01, queue="support"), "NotAllowed"),
        (grant(), card(flags=Flags(restricted=True)), "RestrictedRecording"),
        (grant(restricted=True), card(flags=Flags(restricted=True)), "allowed"),
        (grant(), card(flags=Flags(sensitive=True)), "SensitiveRecording"),
        (grant(sensitive=True), card(flags=Flags(sensitive=True)), "allowed"),
        (grant(), card(flags=Flags(restricted=True, sensitive=True)), "RestrictedRecording"),
        (grant(restricted=True), card(flags=Flags(restricted=True, sensitive=True)), "SensitiveRecording"),
        (grant(), card(outcome={"restricted": True}), "RestrictedRecording"),
        (grant(), card(outcome={"sensitive": True}), "SensitiveRecording"),
        (grant(group="leads", restricted=True), card(flags=Flags(restricted=True)), "NotAllowed"),
    ],
)
def test_one_grant(given_grant: Grant, of: Card, expected: str) -> None:
    assert decide([given_grant], of) == expected


def test_two_grants_are_not_added_up() -> None:
    both = card(flags=Flags(restricted=True, sensitive=True))
    assert decide([grant(restricted=True), grant(sensitive=True)], both) == "RestrictedRecording"
    assert (
        decide([grant(queues=("support",)), grant(scope="own")], card(agent="ola", queue="invoice_no")) == "NotAllowed"
    )


def test_blind_card_without_its_key_allows_only_what_needs_no_hash() -> None:
    blind = card(agent="4711", queue="support", blind=True)
    for each in (grant(scope="own"), grant(queues=("support",))):
        assert may(Access((each,)), KARI, "play", blind, NOW) == Refused(Code.NOT_ALLOWED)
    assert may(Access((grant(),)), KARI, "play", blind, NOW) == Allowed(grant())


def test_agent_with_stars_is_no_pattern() -> None:
    stars = replace(KARI, agent="*")
    assert decide([grant(scope="own")], card(agent="ola"), user=stars) == "NotAllowed"


grants = st.builds(
    Grant,
    st.sampled_from(GROUPS),
    st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=3, unique=True).map(tuple),
    st.sampled_from(("all", "own")),
    st.just(("*",)) | st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2, unique=True).map(tuple),
    st.none() | st.sampled_from((1, 30, 90)),
    st.booleans(),
    st.booleans(),
)
users = st.builds(
    User,
    st.sampled_from(("kari@firma.no", "ola@firma.no")),
    st.frozensets(st.sampled_from((*GROUPS, "others"))),
    st.none() | st.sampled_from(("4711", "*")),
)
cards = st.builds(
    card,
    blind=st.booleans(),
    days=st.sampled_from((0.5, 29, 31, 100)),
    agent=st.none() | st.sampled_from(AGENTS),
    queue=st.none() | st.sampled_from(QUEUES),
    flags=st.builds(Flags, restricted=st.booleans(), sensitive=st.booleans()),
)


def fits_all(each: Grant, user: User, action: str, of: Card) -> bool:
    """Say the contract once more, from the facts in the clear alone."""
    agent, queue = of.known.agent, of.known.queue  # type: ignore[union-attr]
    is_blind = of.known.is_blind  # type: ignore[union-attr]
    clear = {hashed("agent", name): name for name in AGENTS} | {hashed("queue", name): name for name in QUEUES}
    agent, queue = clear.get(agent or "", agent), clear.get(queue or "", queue)
    fitting = {
        "*": True,
        "invoice_*": not is_blind and queue in ("invoice_no", "invoice_se"),
        "*_no": not is_blind and queue == "invoice_no",
        "*voice*": not is_blind and queue in ("invoice_no", "invoice_se"),
        "support": queue == "support",
    }
    age = NOW - datetime.fromisoformat(of.started or "")
    return (
        each.group in user.groups
        and action in each.may
        and (each.scope == "all" or (agent is not None and agent in (user.email, user.agent)))
        and any(fitting[pattern] for pattern in each.queues)
        and (each.days is None or age <= timedelta(days=each.days))
    )


@settings(max_examples=400)
@given(st.lists(grants, max_size=4), users, st.sampled_from(ACTIONS), cards)
def test_decision_is_that_of_the_contract(given_grants: list[Grant], user: User, action: str, of: Card) -> None:
    flags = of.facts.flags
    near = [each for each in given_grants if fits_all(each, user, action, of)]
    allowed = [each for each in near if each.restricted >= flags.restricted and each.sensitive >= flags.sensitive]
    decision = may(Access(tuple(given_grants)), user, action, of, NOW, hashed)
    if allowed:
        assert decision == Allowed(allowed[0])
    elif not near:
        assert decision == Refused(Code.NOT_ALLOWED)
    elif any(each.sensitive >= flags.sensitive for each in near):
        assert decision == Refused(Code.RESTRICTED_RECORDING)
    elif any(each.restricted >= flags.restricted for each in near):
        assert decision == Refused(Code.SENSITIVE_RECORDING)
    else:
        assert decision == Refused(Code.RESTRICTED_RECORDING)
