"""Compare the archive with the cards of calls, tenant by tenant: each file in S3's own listing, then each card.

A comparison of a large archive takes longer than a function may run. Its progress is written after each batch, and the
next run continues there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from callseal.calls.card_walk import next_cards
from callseal.core.audit import timestamp
from callseal.core.metrics import Metric
from callseal.inbound.run import Run
from callseal.retention.disposal_events import retention_verified
from callseal.retention.reconcile_progress import FINDINGS, Pass
from callseal.retention.verdict import Rules

if TYPE_CHECKING:
    from callseal.aws.bus import AuditBus
    from callseal.calls.card_table import CardTable
    from callseal.core.clock import Clock
    from callseal.retention.reconcile_findings import Findings
    from callseal.retention.reconcile_progress import ReconcilePasses
    from callseal.retention.version_store import VersionStore

# Below the function's timeout in template.yaml, by more than a batch takes.
RUN_TIME = timedelta(minutes=12)
EVERY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of the whole comparison so far, and of the findings of this run."""

    counts: Mapping[str, int]
    found: int
    began: str

    def metrics(self, now: datetime) -> Iterator[Metric]:
        """Return the metrics of a run."""
        age = now - datetime.fromisoformat(self.began)
        yield Metric("RetentionFindings", self.found)
        yield Metric("RetentionReconcileAge", age.total_seconds())


class ArchiveReconcile:
    """Compares the archive with the cards."""

    def __init__(
        self,
        versions: VersionStore,
        cards: CardTable,
        findings: Findings,
        rules: Callable[[str], Rules],
        has_index: Callable[[str], bool],
        passes: ReconcilePasses,
        bus: AuditBus,
        clock: Clock,
    ) -> None:
        """Take the collaborators.

        `rules` returns what stops a tenant's disposal now, `has_index` whether its calls are indexed.
        """
        self._versions, self._cards, self._findings = versions, cards, findings
        self._rules, self._has_index = rules, has_index
        self._passes, self._bus, self._clock = passes, bus, clock

    def run(self, tenants: Callable[[], Iterable[str]], *, is_scheduled: bool) -> Report:
        """Compare until RUN_TIME is over. Return counts by finding, and of the `calls`, `files` and tenants `left`.

        A scheduled run begins a comparison only if the last one began a week ago.
        """
        run, state = Run(self._clock, RUN_TIME), self._passes.read()
        if state is None or (state.is_over and not (is_scheduled and self._is_recent(state))):
            state = Pass(timestamp(run.started), tuple(sorted(tenants())))
        before = _found(state)
        while not state.is_over and run.has_time:
            state = self._step(state)
            self._passes.write(state)
        counts = {**dict.fromkeys(("calls", "files", *FINDINGS), 0), **state.totals, "left": len(state.tenants)}
        return Report(counts, _found(state) - before, state.began)

    def _is_recent(self, state: Pass) -> bool:
        return self._clock() - datetime.fromisoformat(state.began) < EVERY

    def _step(self, state: Pass) -> Pass:
        """Compare one batch of the tenant in work."""
        tenant = state.tenants[0]
        if state.part == "files":
            return self._files(tenant, state)
        cards, place = next_cards(self._cards, tenant, state.position)
        done = state.after(place, self._findings.of_cards(tenant, cards, self._rules(tenant)))
        if place:
            return done
        if not done.has_finding:
            counts = {name: done.counts.get(name, 0) for name in ("calls", "files")}
            self._bus.put(retention_verified(tenant, counts, done.began, self._clock()))
        return done.next_tenant()

    def _files(self, tenant: str, state: Pass) -> Pass:
        if not self._has_index(tenant):
            return state.after(None, {})
        versions, mark = self._versions.page(f"{tenant}/", state.position)
        return state.after(mark, self._findings.of_files(tenant, versions))


def _found(state: Pass) -> int:
    return sum(state.totals.get(name, 0) for name in FINDINGS)
