"""The sweep: requeue pending files, and held files whose cause is gone. It recovers from lost events and crashes.

The tenants take turns, some files at a time, so that neither one tenant's million files nor its failures delay another.
A run has a time limit and sends a limited number of messages. The next run continues each tenant where it ended.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from callseal.aws.bus import AuditBus
from callseal.aws.queue import LandedQueue
from callseal.calls.call_policy import LAST_TRY
from callseal.core import audit
from callseal.core.clock import Clock
from callseal.core.errors import (
    ERASED_FOR,
    CallsealError,
    HeldError,
    NotIndexedError,
    Reason,
    SourceGoneError,
    TransientError,
)
from callseal.core.landing import LandedObject, tenant_of
from callseal.core.log import Log, describe
from callseal.delivery.commit import Committer
from callseal.delivery.hold_tags import HoldTags
from callseal.delivery.landing_bucket import LandingBucket
from callseal.delivery.planning import Plan, Planner
from callseal.delivery.sweep_position import SweepPosition
from callseal.delivery.sweep_report import SweepReport
from callseal.delivery.sweep_retries import retries
from callseal.delivery.sweep_shares import NEVER, Progress, Room, State, Turns, turns_of
from callseal.inbound.run import Run

# Below the function's timeout in template.yaml, by more than the slowest request takes.
RUN_TIME = timedelta(minutes=3)
FILES_AT_ONCE = 16
# The number of tenants that have a turn at once, and the files in a turn. 200 files cost one request to list them and
# 200 to read their tags.
SHARES_AT_ONCE, FILES_IN_A_TURN = 16, 200
# After this many failures to read a tenant's settings or key, a run stops reading them: the cause is the same.
MAX_FAILURES = 3
# A run logs no more of one tenant's failures, and no more stuck tenants, than this.
LOGGED = 20
TOO_LONG_DAYS = (6, 3, 1)


class SweepIncompleteError(CallsealError):
    """Some files could not be swept. Lambda does not retry: the next sweep, in 5 minutes, looks at them again."""


class Sweep:
    """Sweeps the landing bucket, or one tenant's part of it. Make a new one for each run."""

    def __init__(
        self,
        landing: LandingBucket,
        planner: Planner,
        committer: Committer,
        queue: LandedQueue,
        bus: AuditBus,
        position: SweepPosition,
        clock: Clock,
        log: Log,
    ) -> None:
        """Take what it works with."""
        self._landing, self._planner, self._committer = landing, planner, committer
        self._queue, self._bus, self._position = queue, bus, position
        self._clock, self._log = clock, log
        self._time_box, self._report = Run(clock, RUN_TIME), SweepReport()
        self._started = self._time_box.started
        self._room, self._at_any_age = Room(0), False
        self._failures, self._unreadable = Counter[str](), Counter[str]()

    def all(self) -> SweepReport:
        """Sweep the landing bucket, each tenant from where the last run ended."""
        before = self._position.read()
        turns = turns_of(self._landing.names(), before, self._started)
        self._run(turns)
        shares = {share_turns.share: progress for share_turns in turns if (progress := share_turns.progress())}
        shares |= self._position.read().changed_since(before)
        stuck = frozenset(self._report.stuck)
        self._report.newly_stuck = stuck - before.stuck
        # A tenant may still be stuck if this run has not seen all its files.
        self._position.write(State(self._started, shares, stuck | (before.stuck & shares.keys())))
        self._report_stuck()
        return self._report

    def tenant(self, tenant: str) -> SweepReport:
        """Sweep a tenant's files after a change of its key or settings. `all` continues where time or room ended.

        Pending files are requeued whatever their age: a function may be about to hold one of them because of values
        that it read before the change.
        """
        self._at_any_age = True
        turns = Turns(tenant, [f"{tenant}/"], Progress(NEVER, NEVER), self._started)
        self._run([turns])
        if progress := turns.progress():
            state = self._position.read()
            self._position.write(replace(state, shares={**state.shares, turns.share: progress}))
        return self._report

    def _run(self, all_turns: Iterable[Turns]) -> None:
        """Let the shares take turns until everything has been listed or the time is over."""
        self._room, waiting = Room(self._queue.backlog()), deque(all_turns)
        with ThreadPoolExecutor(FILES_AT_ONCE, "file") as executor:
            while waiting and self._time_box.has_time:
                turns = [waiting.popleft() for _ in range(min(len(waiting), SHARES_AT_ONCE))]
                pages = executor.map(self._list, turns)
                files = [
                    (share_turns, landed) for share_turns, page in zip(turns, pages, strict=True) for landed in page
                ]
                for (share_turns, landed), state in zip(files, executor.map(self._try, files), strict=True):
                    self._note(share_turns, landed, state)
                waiting += [share_turns for share_turns in turns if not share_turns.ended]

    def _list(self, turns: Turns) -> Sequence[LandedObject]:
        # A key at the top of the bucket is the first of those that it is a prefix of.
        is_folder = turns.prefix.endswith("/")
        files, more = self._landing.list_page(turns.prefix, turns.after, FILES_IN_A_TURN if is_folder else 1)
        turns.listed(files[-1].key if files else "", more and is_folder)
        return files

    def _note(self, turns: Turns, landed: LandedObject, state: str) -> None:
        turns.note(landed.key, state)
        if state != "left":
            self._report.add(turns.share, state, self._age(landed))

    def _age(self, landed: LandedObject) -> timedelta:
        return self._clock() - (landed.landed_at or self._started)

    def _try(self, file: tuple[Turns, LandedObject]) -> str:
        """Sweep one file and return its state. A failure, for example an unreadable key, does not stop other files."""
        turns, landed = file
        if not self._time_box.has_time:
            return "left"
        try:
            held = self._landing.held(landed)
            if held:
                return self._sweep_held(turns, landed, held)
            return self._sweep_pending(turns, landed)
        except SourceGoneError:
            return "gone"
        except Exception as exc:  # noqa: BLE001  # SweepIncompleteError reports it too, once the others are done
            self._failures[turns.share] += 1
            if self._failures[turns.share] <= LOGGED:
                self._log.warning("file not swept", extra={"tenant": tenant_of(landed.key), **describe(exc)})
            return "failed"

    def _sweep_pending(self, turns: Turns, landed: LandedObject) -> str:
        landed_at = landed.landed_at or self._started
        if not self._at_any_age and not retries(self._started - landed_at):
            return "young"
        if not self._at_any_age and not turns.is_due(landed.key, landed_at):
            return "pending"
        if not self._room.take(turns.share):
            return "waiting"
        self._queue.put(landed)
        return "put_back"

    def _sweep_held(self, turns: Turns, landed: LandedObject, held: HoldTags) -> str:
        if held.reason == Reason.SOURCE_UNREADABLE:
            return self._requeue_unreadable(turns, landed, held)
        verdict = self._plan_again(turns, landed)
        # A released file that was not delivered must be held again by a delivery, with an event.
        if isinstance(verdict, HeldError) and verdict.reason == held.reason and not held.released:
            if held.reason in ERASED_FOR:
                return "denied"
            self._report_held_too_long(landed, held)
            return "overdue" if verdict.is_overdue else "held"
        if not self._room.take(turns.share):
            return "waiting"
        if isinstance(verdict, Plan):
            # The tags stay until the file is delivered: the delivery may crash.
            version = verdict.key.version if verdict.key else None
            released = audit.released(landed, held.reason, version, self._clock())
            self._bus.put(audit.numbered(released, held.number))
            self._landing.tag_released(landed, held)
            self._queue.put(landed)
            return "released"
        # A file that would now be held for another reason is requeued too: the delivery reports the new reason. So is a
        # file of a call that must be judged again: the delivery passes it to read_metadata.
        self._queue.put(replace(landed, was_held=True))
        return "put_back"

    def _requeue_unreadable(self, turns: Turns, landed: LandedObject, held: HoldTags) -> str:
        """Requeue a file that was held as unreadable: only encrypt_recording has the permissions to read it.

        That function reports the release, or leaves the file held without another event.
        """
        self._report_held_too_long(landed, held)
        if self._room.take(turns.share):
            self._queue.put(replace(landed, was_unreadable=True))
        return "unreadable"

    def _plan_again(self, turns: Turns, landed: LandedObject) -> Plan | HeldError | None:
        """Return a held file's plan, the error it is held for, or None if read_metadata must judge its call again.

        A tenant's files share what this run has read.
        """
        landed = replace(landed, was_indexed=True, receives=LAST_TRY)
        try:
            plan = self._plan(turns, landed)
            self._committer.find_existing(plan)
        except HeldError as held:
            return held
        except NotIndexedError:
            return None
        return plan

    def _plan(self, turns: Turns, landed: LandedObject) -> Plan:
        if self._unreadable[turns.share] >= MAX_FAILURES:
            raise TransientError(
                "This tenant's settings or key could not be read in this run. The next run tries again."
            )
        try:
            return self._planner.plan(landed, since=self._started)
        except TransientError:
            self._unreadable[turns.share] += 1
            raise

    def _report_held_too_long(self, landed: LandedObject, held: HoldTags) -> None:
        """Report to the audit, once for each of 1, 3 and 6 days, that a file is still held."""
        days = next((days for days in TOO_LONG_DAYS if self._age(landed) >= timedelta(days=days)), 0)
        if days > held.days:
            self._bus.put(audit.held_too_long(landed, held.reason, days, self._clock()))
            self._landing.tag_days(landed, days)

    def _report_stuck(self) -> None:
        """Log the tenants with files that have been pending for too long, the longest first."""
        longest_first = sorted(self._report.stuck.items(), key=lambda item: item[1].oldest, reverse=True)
        for share, stuck in longest_first[:LOGGED]:
            facts = {"tenant": share, "files": stuck.files, "oldest_seconds": int(stuck.oldest.total_seconds())}
            self._log.warning("tenant is stuck", extra=facts)
