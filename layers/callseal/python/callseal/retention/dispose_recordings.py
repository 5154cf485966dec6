"""Delete the calls that are due by their class, every hour: find, check, delete, record, end the cards.

    due by the index -> card read now -> no hold, no duty to keep -> delete every version -> record -> card's end

A run that breaks off at any request repeats nothing that a record has, and its calls stay due (`disposal_records`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from secrets import token_hex
from typing import TYPE_CHECKING

from callseal.calls.call_name import CallName
from callseal.core.audit import timestamp
from callseal.core.errors import CallsealError, TransientError
from callseal.core.log import Log, describe
from callseal.core.metrics import Metric
from callseal.inbound.run import Run
from callseal.retention.disposal_record import DisposedCall
from callseal.retention.disposal_table import POSITION, RUN, Brake, TenantBusyError, brake_of

if TYPE_CHECKING:
    from callseal.core.clock import Clock
    from callseal.retention.disposal_records import DisposalRecords
    from callseal.retention.disposal_table import DisposalTable
    from callseal.retention.dispose_calls import CallDisposal
    from callseal.retention.due_calls import DueCalls
    from callseal.retention.follow_policy import PolicyFollowing
    from callseal.retention.present_policy import PresentPolicy

# Together below the function's timeout in template.yaml, by more than the records of the fullest run take.
FOLLOW_TIME, RUN_TIME = timedelta(minutes=3), timedelta(minutes=8)
# The lines of so many calls fit into the function's memory.
MAX_CALLS = 200_000


class DisposalIncompleteError(CallsealError):
    """Some calls could not be deleted. Lambda does not retry: the next run, in an hour, looks at them again."""


@dataclass(slots=True)
class Work:
    """The work of a run on one tenant. `place` is where the next run continues, None if this one came to the end."""

    tenant: str
    run: str
    place: str | None
    calls: dict[CallName, DisposedCall] = field(default_factory=dict)
    error: TransientError | None = None


class Disposal:
    """Disposes of calls. Make a new one for each run."""

    def __init__(
        self,
        due: DueCalls,
        calls: CallDisposal,
        records: DisposalRecords,
        table: DisposalTable,
        policy: PresentPolicy,
        following: PolicyFollowing,
        clock: Clock,
        log: Log,
    ) -> None:
        """Take the collaborators."""
        self._due, self._calls, self._records, self._table = due, calls, records, table
        self._policy, self._following, self._clock, self._log = policy, following, clock, log
        self._counts = Counter[str]()

    def run(self, tenants: Iterable[str]) -> Counter[str]:
        """Dispose of what is due until RUN_TIME is over. Return counts of calls and tenants by outcome.

        `disposed`, `later`, `held`, `erasing`, `kept`, `locked`, `undelivered`, `in_part` and `judged` are calls.
        `braked`, `busy` and `failed` are tenants, but `failed` counts calls that S3 could not delete, too. `cut_short`
        is 1 if the time was over.
        """
        run = Run(self._clock, FOLLOW_TIME)
        names = run.shuffled(tenants)
        for tenant in names:
            if not run.has_time:
                self._counts["cut_short"] = 1
                break
            with self._counted(tenant):
                self._counts["judged"] += self._following.follow(tenant, run)
        run = Run(self._clock, RUN_TIME)
        for tenant in names:
            if not run.has_time:
                self._counts["cut_short"] = 1
                break
            with self._counted(tenant):
                self._dispose(tenant, run)
        return +self._counts

    @contextmanager
    def _counted(self, tenant: str) -> Iterator[None]:
        """Count and log a failure, and go on with the next tenant."""
        try:
            yield
        except TenantBusyError:
            self._counts["busy"] += 1
        except Exception as exc:  # noqa: BLE001  # counted, and raised as DisposalIncompleteError after the others
            self._counts["failed"] += 1
            self._log.warning("tenant not disposed of", extra={"tenant": tenant, **describe(exc)})

    def _dispose(self, tenant: str, run: Run) -> None:
        state = self._table.state(tenant)
        if state[RUN]:
            self._complete(tenant, state[POSITION].get("due"))
        is_due = self._due.has_any(tenant, run.started)
        brake = brake_of(state)
        is_freed = brake is not None and brake.confirmed is not None
        if self._is_stopped(tenant, run, is_due, brake) or not (is_due or is_freed):
            return
        work = Work(tenant, token_hex(8), state[POSITION].get("due"))
        self._table.begin(tenant, work.run, self._clock())
        with self._released(work):
            self._delete(work, run)
            counts = self._records.write(tenant, work.run, run.started, work.calls) if work.calls else {}
            self._table.finish(tenant, work.run, counts, work.place, freed=is_freed and work.place is None)
        self._counts["disposed"] += len(work.calls)
        if work.error:
            raise work.error

    def _complete(self, tenant: str, place: str | None) -> None:
        """Complete the records that an earlier run has left. Raise TenantBusyError if that may be still running."""
        work = Work(tenant, token_hex(8), place)
        journal = self._table.begin(tenant, work.run, self._clock())
        with self._released(work):
            counts = self._records.complete(tenant, journal)
            self._table.finish(tenant, work.run, counts, place, freed=False)
        self._counts["disposed"] += counts.total()

    @contextmanager
    def _released(self, work: Work) -> Iterator[None]:
        """Let the next run take over the tenant if this one fails."""
        try:
            yield
        except Exception:
            self._table.release(work.tenant, work.run)
            raise

    def _is_stopped(self, tenant: str, run: Run, is_due: bool, brake: Brake | None) -> bool:
        """Return whether a person must confirm the disposal first. An unusual number of calls puts the brake on."""
        if brake is None and is_due and (calls := self._due.unusual(tenant, run.started)):
            self._table.brake(tenant, calls, self._clock())
            brake = Brake(timestamp(run.started), calls)
        if brake is None or brake.confirmed:
            return False
        self._counts["braked"] += 1
        self._log.warning("disposal stopped", extra={"tenant": tenant, "calls": brake.calls, "since": brake.since})
        return True

    def _delete(self, work: Work, run: Run) -> None:
        """Delete what is due, batch by batch. After a failure, what was deleted before is recorded all the same."""
        keeps, last = self._policy.keeps(work.tenant), work.place
        for place, cards in self._due.batches(work.tenant, run.started, last):
            work.place = last
            try:
                disposed = self._calls.dispose(work.tenant, cards, keeps)
            except TransientError as exc:
                work.error = exc
                return
            work.calls |= disposed.calls
            self._counts += disposed.counts
            work.place = last = place
            if not run.has_time or len(work.calls) >= MAX_CALLS:
                self._counts["cut_short"] = 1
                return
        work.place = None


def metrics_of(counts: Mapping[str, int]) -> Iterator[Metric]:
    """Return the metrics of a run. They are 0 if nothing was deleted, or no disposal is stopped."""
    yield Metric("CallsDisposed", counts.get("disposed", 0))
    yield Metric("DisposalsStopped", counts.get("braked", 0))
