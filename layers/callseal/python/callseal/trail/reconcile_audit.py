"""Compare the audit trail's two copies window by window: which events are in the log group only, or in the bucket only.

Each copy receives each event at least once, so equal counts prove nothing. Events are compared by EventBridge's id,
which is the same in both copies. A window with a gap stays open, and each run compares it until the gap is closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING

from callseal.core.log import Log
from callseal.core.metrics import Metric
from callseal.inbound.run import Run
from callseal.trail.objects import HOUR, Record, read_records, restored_key, write_records
from callseal.trail.progress import Gap, Progress, Window

if TYPE_CHECKING:
    from callseal.core.clock import Clock
    from callseal.trail.audit_bucket import AuditBucket, AuditObject
    from callseal.trail.audit_log import AuditLog
    from callseal.trail.progress_store import ReconcileProgress

# Below the function's timeout in template.yaml, by more than the fullest window takes.
RUN_TIME = timedelta(minutes=10)
# SPREAD: most events are in an object of the bucket this soon. SKEW: their time in the log differs by at most this.
SPREAD, SKEW = timedelta(minutes=5), timedelta(minutes=1)
# EventBridge and Firehose each retry for 24 hours. A restored object has the prefix of its window.
# https://docs.aws.amazon.com/firehose/latest/dev/troubleshooting.html
LATEST = timedelta(hours=49)
# About 4 MB of events, as many as Firehose puts into an object.
RESTORED_AT_ONCE = 2000


@dataclass(slots=True)
class Report:
    """A run's result: the new progress, and counts.

    The counts are `windows` compared, windows still `open`, objects found `unlocked` and events `restored`. `cut_short`
    is 1 if windows are left.
    """

    progress: Progress
    counts: Counter[str] = field(default_factory=Counter)

    def samples(self, now: datetime) -> Iterator[Metric]:
        """Return the run's metrics at a time."""
        missing = self.progress.missing()
        yield Metric("AuditGapBucket", missing.bucket)
        yield Metric("AuditGapLog", missing.log)
        yield Metric("AuditObjectsUnlocked", self.counts["unlocked"])
        yield Metric("AuditReconcileAge", self.progress.age(now).total_seconds())


class AuditReconcile:
    """Compares the log group with the bucket, locks unlocked objects, and restores events on request.

    An event belongs to a window by its time in the log group.
    """

    def __init__(
        self, audit_log: AuditLog, bucket: AuditBucket, progress: ReconcileProgress, stack: str, clock: Clock, log: Log
    ) -> None:
        """Take the collaborators. `stack` is part of the names of restored objects."""
        self._audit_log, self._bucket, self._progress = audit_log, bucket, progress
        self._stack, self._clock, self._log = stack, clock, log

    def run(self, *, restore: bool = False) -> Report:
        """Compare the due windows until RUN_TIME is over. With `restore`, write missing events into the bucket.

        The progress is written after each window, so the next run resumes one that was interrupted.
        """
        run = Run(self._clock, RUN_TIME)
        report = Report(self._progress.read(run.started))
        for window in list(report.progress.due(run.started)):
            if not run.has_time:
                report.counts["cut_short"] = 1
                break
            gap = self._compare(window, report, restore=restore)
            report.progress = report.progress.compared(window, gap)
            self._progress.write(report.progress)
            report.counts["windows"] += 1
        report.counts["open"] = len(report.progress.open)
        return report

    def _compare(self, window: Window, report: Report, *, restore: bool) -> Gap:
        logged, oldest = self._read_log(window)
        missing, unlogged = self._search_bucket(window, logged, report)
        self._discard_found(missing, self._other_records(window, oldest))
        self._discard_found(unlogged, self._records_around(window))
        if restore and missing:
            report.counts["restored"] += self._restore(window, missing)
        gap = Gap(len(missing), len(unlogged))
        if gap:
            facts = {"window": window.start.isoformat(), "bucket": gap.bucket, "log": gap.log}
            self._log.warning("audit trail has a gap", extra=facts)
        return gap

    def _read_log(self, window: Window) -> tuple[set[str], datetime]:
        """Return the ids that the log group has in the window, and the time of its oldest event.

        EventBridge may deliver an event late, so its own time can be before the window. A sender may also set any time,
        so the time returned is at most LATEST before the window, as long as EventBridge and Firehose retry.
        """
        ids, oldest = set[str](), window.start
        for record in self._audit_log.records(window.start, window.end):
            ids.add(record.id)
            oldest = min(oldest, record.time)
        return ids, max(oldest, window.start - LATEST)

    def _search_bucket(self, window: Window, logged: set[str], report: Report) -> tuple[set[str], set[str]]:
        """Return the ids that are in the log group only, and those of the window that are in the bucket only."""
        missing, unlogged = set(logged), set[str]()
        for stored in self._objects(window, window.start, window.end + SPREAD):
            data, locked = self._bucket.read(stored)
            if not locked and window.holds(stored.written):
                report.counts["unlocked"] += self._bucket.lock(stored.key, stored.version)
            for record in read_records(data):
                missing.discard(record.id)
                if record.id not in logged and window.holds(record.time):
                    unlogged.add(record.id)
        return missing, unlogged

    def _discard_found(self, ids: set[str], records: Iterator[Record]) -> None:
        """Discard the ids that are among the records. Stop reading when none is left."""
        while ids and (record := next(records, None)):
            ids.discard(record.id)

    def _other_records(self, window: Window, oldest: datetime) -> Iterator[Record]:
        """Return the records of objects written later than SPREAD after the window, then of those written before it."""
        late = self._objects(window, window.end + SPREAD, self._clock())
        early = self._bucket.objects((oldest - HOUR, window.start), (oldest, window.start))
        for stored in chain(late, early):
            yield from read_records(self._bucket.read(stored)[0])

    def _records_around(self, window: Window) -> Iterator[Record]:
        """Return the log group's records of the last SKEW before the window, and those up to LATEST after it."""
        before = self._audit_log.records(window.start - SKEW, window.start)
        return chain(before, self._audit_log.records(window.end, self._until(window)))

    def _objects(self, window: Window, since: datetime, until: datetime) -> Iterator[AuditObject]:
        hours = window.start - HOUR, min(until, self._until(window))
        return self._bucket.objects(hours, (since, until))

    def _until(self, window: Window) -> datetime:
        return min(self._clock(), window.end + LATEST)

    def _restore(self, window: Window, missing: set[str]) -> int:
        """Copy the missing events from the log group into the bucket, discard their ids, and return their number."""
        restored = 0
        logged = self._audit_log.records(window.start, window.end)
        for records in _batches(record for record in logged if record.id in missing):
            data = write_records(records)
            self._bucket.put_locked(restored_key(self._stack, window.start, data), data, self._clock())
            missing.difference_update(record.id for record in records)
            restored += len(records)
        return restored


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    remaining = iter(records)
    while batch := list(islice(remaining, RESTORED_AT_ONCE)):
        yield batch
