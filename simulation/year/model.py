"""The judge's model of the law: for each call of the year, what must be there, what may go, and since when.

It is written from the documents (docs/retention.md, docs/erasure.md) and uses no product code for dates and decisions.
Only what people and platforms did, and when functions ran, reaches it: never what the product answered.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from callseal.calls.call_name import CallName
from simulation.year.dates import DAY, Term, term_of

GRACE = timedelta(days=3)
# The brake's rule: more calls in a run than a number, over so many times the mean day, over this part of all calls.
BRAKE_TIMES, BRAKE_PART = 3, 0.05


@dataclass
class Edition:
    """A tenant's policy since a moment. `seen` is the first run that saw it, `followed` when all calls follow it."""

    at: datetime
    policy: Mapping[str, Any]
    seen: datetime | None = None
    followed: datetime | None = None


@dataclass(frozen=True)
class Lock:
    """A lock of S3."""

    mode: str
    until: datetime


@dataclass(eq=False)
class Call:
    """A call that landed. `versions` are the keys in the archive by version id, as its delivery left them."""

    tenant: str
    name: str
    queue: str | None
    caller: str | None
    started: datetime
    ended: datetime
    landed: datetime
    edition: Edition
    lock: Lock | None = None
    followed: datetime | None = None
    versions: dict[str, str] = field(default_factory=dict)
    request: Request | None = None
    gone: datetime | None = None

    @cached_property
    def id(self) -> str:
        """The call's public id."""
        return CallName(self.tenant, self.name).id

    @property
    def term(self) -> Term:
        """The class by the edition that the call follows."""
        return term_of(self.edition.policy, self.queue)


@dataclass
class Hold:
    """A hold, from when it was asked for until a second person approved its release."""

    tenant: str
    name: str
    placed: datetime
    calls: frozenset[str] = frozenset()
    caller: str | None = None
    queue: str | None = None
    since: datetime | None = None
    future: bool = False
    asked: datetime | None = None
    freed: datetime | None = None

    def covers(self, call: Call) -> bool:
        """Return whether a call is in its scope."""
        if call.tenant != self.tenant:
            return False
        if self.calls:
            return call.name in self.calls
        is_in_time = (self.future or call.landed <= self.placed) and (not self.since or call.started >= self.since)
        is_of_party = self.caller in (None, call.caller) and self.queue in (None, call.queue)
        return is_in_time and is_of_party


@dataclass
class Request:
    """A request for erasure: its calls are those that were there when it was started."""

    tenant: str
    id: str
    calls: list[Call]
    approved: datetime | None = None
    answered: bool = False


@dataclass
class Brake:
    """That a tenant's disposal is stopped."""

    since: datetime
    calls: int
    confirmed: datetime | None = None


class Model:
    """What happened, and what follows from it. The brake acts above `brake_calls`."""

    def __init__(self, brake_calls: int) -> None:
        self._brake_calls = brake_calls
        self.calls: dict[tuple[str, str], Call] = {}
        self.editions: dict[str, list[Edition]] = defaultdict(list)
        self.holds: list[Hold] = []
        self.requests: list[Request] = []
        self.brakes: dict[str, Brake] = {}
        self.freed_brakes: dict[str, datetime] = {}
        self.disposed: dict[str, Counter[date]] = defaultdict(Counter)
        self._ends: dict[tuple[int, str], datetime | None] = {}

    def alive(self, tenant: str) -> list[Call]:
        """Return a tenant's calls that are there."""
        return [call for call in self.calls.values() if call.tenant == tenant and call.gone is None]

    def put_policy(self, tenant: str, at: datetime, policy: Mapping[str, Any]) -> None:
        """Note another policy."""
        self.editions[tenant].append(Edition(at, policy))

    def land(self, call: Call) -> None:
        """Note a call that lands. It follows the present policy at once."""
        self.calls[call.tenant, call.name] = call
        call.lock = self._lock(call, call.landed)

    def follow(self, at: datetime) -> None:
        """Note a run: the first one that sees a policy starts the grace, after which all calls follow the policy."""
        for tenant, editions in self.editions.items():
            last = editions[-1]
            if last.seen is None:
                last.seen = at
            elif last.followed is None and at - last.seen >= GRACE:
                last.followed = at
                for call in self.alive(tenant):
                    if call.edition is not last:
                        call.edition, call.followed = last, at
                        call.lock = self._longer(call.lock, self._lock(call, at), at)

    def stopped(self, tenant: str, at: datetime) -> bool:
        """Return whether the brake must stop a run. An unusual number of calls puts it on."""
        if tenant not in self.brakes and self._is_unusual(tenant, at):
            self.brakes[tenant] = Brake(at, len(self.due(tenant, at)))
        brake = self.brakes.get(tenant)
        return brake is not None and brake.confirmed is None

    def ran(self, tenant: str) -> None:
        """Note that a run disposed of a tenant's calls: a confirmation frees one disposal."""
        brake = self.brakes.get(tenant)
        if brake and brake.confirmed:
            self.freed_brakes[tenant] = brake.confirmed
            del self.brakes[tenant]

    def freed_since(self, tenant: str) -> datetime | None:
        """Return when a tenant's disposal was last freed, by the confirmation of a brake."""
        brake = self.brakes.get(tenant)
        return (brake.confirmed if brake else None) or self.freed_brakes.get(tenant)

    def due(self, tenant: str, at: datetime) -> list[Call]:
        """Return the calls that a run may dispose of."""
        return [call for call in self.alive(tenant) if self.disposable_since(call, at)]

    def holds_of(self, call: Call, at: datetime) -> list[Hold]:
        """Return the holds that protect a call."""
        return [hold for hold in self.holds if hold.covers(call) and not (hold.freed and hold.freed <= at)]

    def approve(self, request: Request, at: datetime) -> None:
        """Note that a second person approved a request: its calls wait for their erasure from then on."""
        request.approved = at
        for call in request.calls:
            call.request = call.request or request

    def may_go_since(self, call: Call, at: datetime) -> datetime | None:
        """Return since when a call may go, None if it must be there."""
        if call.request is None or call.request.approved is None:
            return self.disposable_since(call, at)
        lock = [call.lock.until] if call.lock and call.lock.mode == "COMPLIANCE" else []
        return self._unless_held(call, [call.request.approved, *lock], at)

    def disposable_since(self, call: Call, at: datetime) -> datetime | None:
        """Return since when a call may be disposed of, None if it may not."""
        if call.request:
            return None
        present = self.editions[call.tenant][-1]
        ends = [self._end(call, call.edition), self._end(call, present)]
        if None in ends:
            return None
        lock = [call.lock.until] if call.lock else []
        return self._unless_held(call, [*filter(None, ends), call.followed or call.landed, present.at, *lock], at)

    def is_in_grace(self, call: Call, at: datetime) -> bool:
        """Return whether the present policy would let a call go, and the one that it follows does not yet."""
        ends = [self._end(call, edition) for edition in (self.editions[call.tenant][-1], call.edition)]
        return ends[0] is not None and ends[0] <= at and (ends[1] is None or ends[1] > at)

    def _unless_held(self, call: Call, moments: list[datetime], at: datetime) -> datetime | None:
        """Return the last of moments, and of the releases of a call's holds, None if that has not come."""
        if max(moments) > at or self.holds_of(call, at):
            return None
        return max([*moments, *(hold.freed for hold in self.holds if hold.freed and hold.covers(call))])

    def _end(self, call: Call, edition: Edition) -> datetime | None:
        key = id(edition), call.id
        if key not in self._ends:
            self._ends[key] = term_of(edition.policy, call.queue).dispose_on(call.ended)
        return self._ends[key]

    def _is_unusual(self, tenant: str, at: datetime) -> bool:
        due = len(self.due(tenant, at))
        days = [count for day, count in self.disposed[tenant].items() if (at - 7 * DAY).date() <= day and count]
        mean = sum(days) / len(days) if days else 0
        return due > max(self._brake_calls, BRAKE_TIMES * mean) and due > BRAKE_PART * len(self.alive(tenant))

    def _lock(self, call: Call, at: datetime) -> Lock | None:
        until = call.term.keep_until(call.ended)
        is_locked = call.term.lock != "none" and until is not None and until > at
        return Lock(call.term.lock.upper(), until) if is_locked and until else None

    def _longer(self, present: Lock | None, wanted: Lock | None, at: datetime) -> Lock | None:
        if wanted is None:
            return present
        if present is None or present.until <= at:
            return wanted
        return Lock(present.mode, max(present.until, wanted.until))
