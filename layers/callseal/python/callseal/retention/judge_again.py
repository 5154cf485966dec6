"""Judge a delivered call by another version of its tenant's policy, from its card."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from callseal.calls.call_policy import TenantPolicy
from callseal.calls.card import Card, Outcome
from callseal.calls.conditions import Hashed
from callseal.calls.numbers import country_of
from callseal.calls.outcome_member import stored_outcome
from callseal.calls.policy import default_outcome, judge
from callseal.core.errors import NotJudgedError

# Returns the hash of a tenant's value, of a kind.
HashOf = Callable[[str, Any, str], str]


def judged_again(card: Card, tenant: TenantPolicy, hash_of: HashOf) -> Outcome | None:
    """Return the outcome of a card by a tenant's present policy.

    Return None if the call keeps the outcome that it has: it was judged by this version, there is no policy, or a rule
    that a blind card cannot decide comes before the first one that the call meets.
    """
    policy = tenant.policy
    if policy is None or (card.outcome or {}).get("version") == policy.version:
        return None
    known = card.known
    hashed: Hashed | None = (lambda kind, text: hash_of(card.call.tenant, kind, text)) if _is_blind(card) else None
    try:
        outcome = judge(policy, known.with_hashes, country_of, hashed) if known else default_outcome(policy)
    except NotJudgedError:
        return None
    class_ = policy.classes[outcome.class_]
    return stored_outcome(outcome, policy.version, str(tenant.judged_by), class_, ended(card))


def with_judgement(outcome: Outcome, seen: Card) -> Callable[[Card], Card]:
    """Return the change of a card to an outcome. A card that was judged meanwhile, or has other facts, stays."""

    def change(card: Card) -> Card:
        is_same = (card.outcome, card.known) == (seen.outcome, seen.known) and card.is_listed
        return card.with_outcome(outcome) if is_same else card

    return change


def ended(card: Card) -> datetime:
    """Return when a listed call ended, or else when its first file was reported."""
    return card.facts.ended or datetime.fromisoformat(str(card.landed))


def _is_blind(card: Card) -> bool:
    return card.known is not None and card.known.is_blind
