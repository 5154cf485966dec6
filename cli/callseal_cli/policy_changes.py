"""What a new policy changes for a tenant's calls so far, from their cards."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from callseal.calls.conditions import Hashed
from callseal.calls.numbers import country_of
from callseal.calls.policy import Policy
from callseal.calls.policy_diff import compare, decided_call
from callseal.calls.policy_text import policy_text
from callseal_cli.cards import blind_index, cards_between
from callseal_cli.errors import CannotError
from callseal_cli.options import now
from callseal_cli.policy_input import checked
from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

DAYS = 30
FIRST = "It is the tenant's first policy, so all its calls follow it at once."
LATER = (
    "Calls that landed before it is stored follow it after 3 days, if it deletes more or locks longer. "
    "Later calls follow it at once."
)


def count_changes(
    stack: Stack, screen: Screen, tenant: str, old: Policy | None, new: Policy, days: int = DAYS
) -> dict[str, int]:
    """Return how many calls of the last days the new policy changes, and in which way. Raise CannotError."""
    moment, hashed = now(), _hashed(stack, tenant)
    cards = cards_between(stack, screen, tenant, moment - timedelta(days=days), None)
    calls = (decided_call(card, old, country_of, hashed) for card in cards)
    return compare(old, new, calls, country_of, moment)


def by_name(changes: Mapping[str, int]) -> dict[str, int]:
    """Return the counts by their names for a person."""
    return {name.replace("_", " "): count for name, count in changes.items()}


def preview(stored: str | None, new: Policy, changes: Mapping[str, int]) -> list[str]:
    """Return lines for the question: what changes in the policy's text, and for the calls of the last DAYS."""
    old = stored_policy(stored)
    before = (policy_text(old) if old else stored or "").splitlines()
    text = difflib.unified_diff(before, policy_text(new).splitlines(), "stored", "new", lineterm="")
    counts = (f"  {name}: {count}" for name, count in by_name(changes).items())
    return [*text, f"Of the calls of the last {DAYS} days:", *counts, effect(old)]


def stored_policy(text: str | None) -> Policy | None:
    """Return the stored policy, or None if there is none that the functions could use."""
    try:
        return checked(text) if text is not None else None
    except CannotError:
        return None


def effect(old: Policy | None) -> str:
    """Return the sentence about when calls that landed before follow a new policy."""
    return LATER if old else FIRST


def _hashed(stack: Stack, tenant: str) -> Hashed:
    """Return a function that hashes a fact. Without a salt no card has hashes that could be compared."""
    blind = blind_index(stack)

    @cache
    def hashed(kind: Any, text: str) -> str:
        return blind.find(tenant, {kind: text}).get(kind, "")

    return hashed
