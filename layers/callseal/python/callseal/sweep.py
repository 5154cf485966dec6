"""The sweep: whatever is still owed goes back to the queue. Lost events, dead letters and crashes heal by it.

A file that is not held goes back once it has been in landing for a while; a held one when its cause is gone, or is
another by now. A run takes so much time, and puts so much on the queue; where it ends, the next one goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Semaphore
from typing import Any

from callseal import audit
from callseal.aws.bus import AuditBus
from callseal.aws.landing_bucket import Held, LandingBucket
from callseal.aws.queue import LandedQueue
from callseal.aws.sweep_position import SweepPosition
from callseal.aws.tenants import Clock
from callseal.commit import Committer
from callseal.errors import CallsealError, HeldError, Reason, SourceGoneError
from callseal.landing import LandedObject, tenant_of
from callseal.log import Log, describe
from callseal.metrics import Sample
from callseal.planning import Plan, Planner

# Longer than a delivery takes as a rule; a repeat does no harm where one takes longer.
OVERDUE = timedelta(minutes=1)
# Below the function's timeout in template.yaml, by more than a page of 1,000 files takes.
RUN_TIME = timedelta(minutes=3)
FILES_AT_ONCE = 16
# No more than this on the queue: what waits there is not lost, and putting it back again and again would bury it.
ENOUGH_WAITING = 20_000
TOO_LONG_DAYS = (6, 3, 1)


class SweepIncompleteError(CallsealError):
    """Some files could not be swept; Lambda invokes the sweep again, and the next one looks at them anyway."""


@dataclass(slots=True)
class Swept:
    """What a run has seen: how many files were `released`, `put_back`, `held` still, and so on; ages from landing."""

    counts: Counter[str] = field(default_factory=Counter)
    oldest: dict[str, timedelta] = field(default_factory=dict)

    def add(self, state: str, age: timedelta) -> None:
        """Count a file."""
        self.counts[state] += 1
        self.oldest[state] = max(age, self.oldest.get(state, age))

    def samples(self) -> Iterator[Sample]:
        """Give the metrics of a run over all of landing."""
        for name, states in {"Held": ("held", "unreadable"), "Owed": ("put_back", "waiting", "failed")}.items():
            oldest = max((self.oldest[state] for state in states if state in self.oldest), default=timedelta())
            yield Sample(f"{name}Files", sum(self.counts[state] for state in states))
            yield Sample(f"Oldest{name}Age", oldest.total_seconds())


def prefix_of_change(event: Mapping[str, Any], tenants_prefix: str) -> str:
    """Tell the landing prefix of the tenant whose secret or parameter changed; all of landing for any other event."""
    detail = event.get("detail")
    name = detail.get("name") if isinstance(detail, dict) else None
    if not isinstance(name, str):
        return ""
    tenant = tenant_of(name.lstrip("/").removeprefix(f"{tenants_prefix}/"))
    return f"{tenant}/" if tenant else ""


class Sweep:
    """Sweeps the landing bucket, or one tenant's part of it; made anew for each run."""

    def __init__(
        self,
        landing: LandingBucket,
        planner: Planner,
        committer: Committer,
        queue: LandedQueue,
        bus: AuditBus,
        clock: Clock,
        log: Log,
    ) -> None:
        """Take what it works with."""
        self._landing, self._planner, self._committer = landing, planner, committer
        self._queue, self._bus, self._clock, self._log = queue, bus, clock, log
        self._started = clock()

    def all(self, position: SweepPosition) -> Swept:
        """Sweep the landing bucket, from where the last run had to stop."""
        begin_after = position.read()
        swept, stopped_after = self._run(self._landing.list(after=begin_after), OVERDUE)
        if stopped_after or begin_after:
            position.write(stopped_after)
        return swept

    def tenant(self, prefix: str) -> Swept:
        """Sweep a tenant's files at a change of its key or settings; what there is no time for is left to `all`.

        Those that are not held, however young, go back too: a function may be about to hold one of them for what it
        read before the change.
        """
        return self._run(self._landing.list(prefix), timedelta())[0]

    def _run(self, pages: Iterable[Sequence[LandedObject]], least_age: timedelta) -> tuple[Swept, str]:
        """Sweep until the end, or as long as there is time; gives the key to go on after, or ""."""
        room = Semaphore(max(0, ENOUGH_WAITING - self._queue.backlog()))

        def try_one(landed: LandedObject) -> tuple[str, timedelta]:
            age = self._clock() - (landed.landed_at or self._started)
            return self._try(landed, age, least_age, room), age

        swept = Swept()
        with ThreadPoolExecutor(FILES_AT_ONCE, "file") as executor:
            for page in pages:
                for state, age in executor.map(try_one, page):
                    swept.add(state, age)
                if self._clock() - self._started > RUN_TIME:
                    return swept, page[-1].key
        return swept, ""

    def _try(self, landed: LandedObject, age: timedelta, least_age: timedelta, room: Semaphore) -> str:
        """Sweep one file; its trouble, a tenant's key that cannot be fetched for one, is not the others'."""
        try:
            held = self._landing.held(landed)
            if not held and age < least_age:
                return "young"
            return self._sweep(landed, held, age, room)
        except SourceGoneError:
            return "gone"
        except Exception as exc:  # noqa: BLE001  # told by SweepIncompleteError too, once the others are done
            self._log.warning("file not swept", extra={"tenant": tenant_of(landed.key), **describe(exc)})
            return "failed"

    def _sweep(self, landed: LandedObject, held: Held | None, age: timedelta, room: Semaphore) -> str:
        if held and held.reason == Reason.SOURCE_UNREADABLE:
            return self._have_read(landed, held, age, room)
        verdict = self._judge_anew(landed) if held else None
        if held and verdict == held.reason:
            self._complain(landed, held, age)
            return "held"
        if not room.acquire(blocking=False):
            return "waiting"
        state = "put_back"
        if held and isinstance(verdict, Plan):
            # Its tags stay until it is delivered, for a crash's sake.
            version = verdict.key.version if verdict.key else None
            self._bus.put(audit.released(landed, held.reason, version, self._clock()))
            state = "released"
        # What would be held for another reason by now goes back too: who takes it up says so.
        self._queue.put(landed)
        return state

    def _have_read(self, landed: LandedObject, held: Held, age: timedelta, room: Semaphore) -> str:
        """Requeue a file that could not be read: only the queue's function has the rights to find out if it can now.

        That function reports the release, or leaves the file held without another event.
        """
        self._complain(landed, held, age)
        if room.acquire(blocking=False):
            self._queue.put(replace(landed, was_unreadable=True))
        return "unreadable"

    def _judge_anew(self, landed: LandedObject) -> Plan | Reason:
        """Plan a held file anew, or tell what it would be held for. Files of a tenant share what this run has read."""
        try:
            plan = self._planner.plan(landed, since=self._started)
            self._committer.look(plan)
        except HeldError as still:
            return still.reason
        return plan

    def _complain(self, landed: LandedObject, held: Held, age: timedelta) -> None:
        """Tell the audit, once for each of 1, 3 and 6 days, that a file is still held."""
        days = next((days for days in TOO_LONG_DAYS if age >= timedelta(days=days)), 0)
        if days > held.days:
            self._bus.put(audit.held_too_long(landed, held.reason, days, self._clock()))
            self._landing.tag_days(landed, days)
