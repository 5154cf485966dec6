"""Who uses a storm's archive, what operators grant them, and what they may get: the contract's table once more.

The decisions share no code with the functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from simulation.storm.calls import AGENTS, QUEUES, is_restricted
from simulation.storm.plan import ARCHIVED, Plan

Action = Literal["search", "play", "download", "share", "audit"]
NOT_ALLOWED, RESTRICTED = "NotAllowed", "RestrictedRecording"
# Of the tenants with an archive, by their numbers: one has blind cards and wants reasons, and one has terms.
BLIND, WITH_TERMS = 1, 3
REASON_FOR = ("play", "download", "share")
TERMS = {"version": "2026-11", "text": "Recordings are confidential."}


@dataclass(frozen=True)
class Role:
    """What a group may do: with calls of one queue or of the user's own alone, and with restricted calls or not."""

    may: tuple[Action, ...]
    queue: str | None = None
    own: bool = False
    restricted: bool = False


ROLES: Mapping[str, Role] = {
    "agents": Role(("search", "play"), own=True),
    "leads": Role(("search", "play", "download"), queue=QUEUES[0]),
    "trusted": Role(("search", "play", "download"), queue=QUEUES[0], restricted=True),
    "officers": Role(("search", "play", "download", "share", "audit"), restricted=True),
}


@dataclass(frozen=True)
class Identity:
    """A person as the issuer names one, and what the tenant wants before it opens a recording."""

    email: str
    tenant: str
    groups: tuple[str, ...]
    agent: str = ""
    needs_reason: bool = False
    needs_terms: bool = False

    def may_sometimes(self, action: Action) -> bool:
        """Return whether a group of the person has an action, with whatever calls."""
        return any(action in role.may for role in self.roles)

    @property
    def roles(self) -> list[Role]:
        """The roles of the person's groups."""
        return [ROLES[group] for group in self.groups if group in ROLES]


# By the number of their tenant. All roles are there, and so is a person whose group has no grant.
_PEOPLE: tuple[tuple[int, str, tuple[str, ...], str], ...] = (
    (0, "lead", ("leads",), ""),
    (0, "agent", ("agents", "cooks"), AGENTS[0]),
    (0, "officer", ("officers",), ""),
    (0, "cook", ("cooks",), ""),
    (1, "officer", ("officers",), ""),
    (1, "lead", ("leads", "agents"), AGENTS[1]),
    (3, "officer", ("officers",), ""),
    (3, "trusted", ("trusted",), ""),
)


@dataclass(frozen=True)
class KnownCall:
    """A call of the plan: what its metadata says, nothing if that cannot be read, and its files' landing keys.

    A call has a card from its metadata on, even if the metadata cannot be read.
    """

    tenant: str
    name: str
    queue: str | None = None
    agent: str | None = None
    restricted: bool = False
    has_card: bool = True
    keys: set[str] = field(default_factory=set, compare=False)

    @property
    def id(self) -> str:
        """The id by which the archive knows the call."""
        return sha256(f"{self.tenant}\0{self.name}".encode()).hexdigest()[:32]


def archived(plan: Plan) -> dict[int, str]:
    """Return the tenants of a plan whose archive has people, by their numbers."""
    return {number: plan.tenants[number] for number in ARCHIVED if number < len(plan.tenants)}


def people_of(plan: Plan) -> list[Identity]:
    """Return the people of a plan."""
    tenants = archived(plan)
    return [
        Identity(f"{name}@{tenants[number]}.example", tenants[number], groups, agent, number == BLIND,
                 number == WITH_TERMS)
        for number, name, groups, agent in _PEOPLE
        if number in tenants
    ]  # fmt: skip


def access_of(number: int) -> dict[str, Any]:
    """Return a tenant's access, as an operator puts it. A blind card's queue is found by its whole name alone."""
    grants = []
    for group, role in ROLES.items():
        queue = {"queues": [role.queue if number == BLIND else f"{role.queue[:5]}*"]} if role.queue else {}
        scope = {"scope": "own"} if role.own else {}
        grants.append({"group": group, "may": list(role.may), "restricted": role.restricted, **queue, **scope})
    access: dict[str, Any] = {"grants": grants, "reason_for": REASON_FOR if number == BLIND else []}
    return access | ({"terms": TERMS} if number == WITH_TERMS else {})


def known_calls(plan: Plan) -> dict[str, KnownCall]:
    """Return the calls with a policy, by their ids."""
    calls: dict[str, KnownCall] = {}
    with_metadata = {landing.call for landing in plan.landings if landing.is_metadata}
    for landing in plan.landings:
        facts, name = landing.facts, landing.call.partition("/")[2]
        if not facts:
            continue
        has_card = landing.call in with_metadata
        call = KnownCall(landing.tenant, name, has_card=has_card)
        if has_card and not facts.unreadable:
            restricted = is_restricted(plan.policies[landing.tenant], facts)
            call = KnownCall(landing.tenant, name, facts.queue, facts.agent, restricted)
        calls.setdefault(call.id, call).keys.add(landing.key)
    return calls


def decide(person: Identity, call: KnownCall, action: Action) -> str:
    """Return the code by which an action with a call of the person's tenant is refused, "" if it is allowed."""
    codes = set()
    for role in person.roles:
        is_in_scope = role.queue in (None, call.queue) and (not role.own or call.agent == person.agent)
        if action in role.may and is_in_scope:
            codes.add(RESTRICTED if call.restricted and not role.restricted else "")
    return min(codes, default=NOT_ALLOWED)
