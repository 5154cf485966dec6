"""The decision whether a user may do something with a call. Nothing is allowed but by a grant.

A single grant must allow all of it: group, action, scope, age, and the restricted and the sensitive call. Two grants
are never added up, so no user can open by them what neither of them opens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from callseal.archive.access import ACTIONS, Access, Grant
from callseal.calls.card import Card
from callseal.calls.conditions import Hashed, fits


class Code(StrEnum):
    """Why an action is refused, as the API names it."""

    NOT_ALLOWED = "NotAllowed"
    RESTRICTED_RECORDING = "RestrictedRecording"
    SENSITIVE_RECORDING = "SensitiveRecording"


@dataclass(frozen=True, slots=True)
class User:
    """A person who has signed in: the e-mail in lower case, the groups, and the agent that the issuer names."""

    email: str
    groups: frozenset[str] = field(default_factory=frozenset)
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """The action is allowed by this grant, the first one that does."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Refused:
    """The action is refused."""

    code: Code


def may(
    access: Access, user: User, action: str, card: Card, now: datetime, hashed: Hashed | None = None
) -> Allowed | Refused:
    """Return whether a user may do an action with a call of the user's own tenant.

    `hashed` returns the keyed hash of an agent or a queue. It is needed if the card is blind: then a pattern for a
    queue matches nothing, but `*` alone matches every queue. `now` has a time zone.
    """
    public = card.public()
    restricted, sensitive = (bool(public["flags"][name]) for name in ("restricted", "sensitive"))
    near: list[tuple[bool, bool]] = []
    for grant in access.grants:
        if grant.group not in user.groups or action not in grant.may or not in_scope(grant, user, card, now, hashed):
            continue
        lacks = (restricted and not grant.restricted, sensitive and not grant.sensitive)
        if not any(lacks):
            return Allowed(grant)
        near.append(lacks)
    return Refused(_code(near))


def allowed_actions(
    access: Access, user: User, card: Card, now: datetime, hashed: Hashed | None = None
) -> Mapping[str, Allowed | Refused]:
    """Return the decision on each action."""
    return {action: may(access, user, action, card, now, hashed) for action in ACTIONS}


def in_scope(grant: Grant, user: User, card: Card, now: datetime, hashed: Hashed | None = None) -> bool:
    """Return whether a call is in a grant's scope: the user's own, by its queue, and by its age."""
    if grant.days is not None and not _is_young(card, now - timedelta(days=grant.days)):
        return False
    known = card.known
    # A blind card's values are hashes, and without the means to compare them nothing is equal.
    compare = (hashed or _unknown) if known and known.is_blind else None
    if grant.scope == "own" and not _is_own(user, known.agent if known else None, compare):
        return False
    return _has_queue(grant.queues, known.queue if known else None, compare)


def _is_young(card: Card, since: datetime) -> bool:
    return card.started is not None and datetime.fromisoformat(card.started) >= since


def _is_own(user: User, agent: str | None, compare: Hashed | None) -> bool:
    names = {name for name in (user.email, user.agent) if name}
    return agent is not None and agent in ({compare("agent", name) for name in names} if compare else names)


def _has_queue(wanted: Iterable[str], queue: str | None, compare: Hashed | None) -> bool:
    return any(_fits_queue(pattern, queue, compare) for pattern in wanted)


def _fits_queue(pattern: str, queue: str | None, compare: Hashed | None) -> bool:
    if pattern == "*":
        return True
    if queue is None:
        return False
    if compare is None:
        return fits(pattern, queue)
    return "*" not in pattern and compare("queue", pattern) == queue


def _unknown(_kind: str, _text: str) -> str:
    return ""


def _code(near: list[tuple[bool, bool]]) -> Code:
    """Return the code by the grants that allow all but the restricted or the sensitive call."""
    if (True, False) in near:
        return Code.RESTRICTED_RECORDING
    if (False, True) in near:
        return Code.SENSITIVE_RECORDING
    return Code.RESTRICTED_RECORDING if near else Code.NOT_ALLOWED
