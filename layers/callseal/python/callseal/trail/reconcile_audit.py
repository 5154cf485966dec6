"""Compare the audit trail's two copies window by window: what is in the log group and not in the bucket, or vice versa.

Both copies get each event at least once, so equal counts prove nothing: events are compared by EventBridge's id, which
is the same in both. A window with a gap stays open, and is compared at each run until the gap is closed.
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
# Most events are in an object within so long, and in the log under a time so near their own.
SPREAD, SKEW = timedelta(minutes=5), timedelta(minutes=1)
# EventBridge and Firehose each try for 24 hours; a restored object has the prefix of its window.
# https://docs.aws.amazon.com/firehose/latest/dev/troubleshooting.html
LATEST = timedelta(hours=49)
# Some 4 MB of events, about as many as Firehose puts into an object.
RESTORED_AT_ONCE = 2000


@dataclass(slots=True)
class Report:
    """What a run found: how far it came, and counts of windows compared, objects unlocked and events restored."""

    progress: Progress
    counts: Counter[str] = field(default_factory=Counter)

    def samples(self, now: datetime) -> Iterator[Metric]:
        """Return the metrics of a run."""
        missing = self.progress.missing()
        yield Metric("AuditGapBucket", missing.bucket)
        yield Metric("AuditGapLog", missing.log)
        yield Metric("AuditObjectsUnlocked", self.counts["unlocked"])
        yield Metric("AuditReconcileAge", self.progress.age(now).total_seconds())


class AuditReconcile:
    """Compares the log group with the bucket, locks what was left unlocked, and restores on request.

    The log group's own time of an event says which window it belongs to.
    """

    def __init__(
        self, audit_log: AuditLog, bucket: AuditBucket, progress: ReconcileProgress, stack: str, clock: Clock, log: Log
    ) -> None:
        """Take what it works with; `stack` names the objects that it writes."""
        self._audit_log, self._bucket, self._progress = audit_log, bucket, progress
        self._stack, self._clock, self._log = stack, clock, log

    def run(self, *, restore: bool = False) -> Report:
        """Compare the windows that are due, as far as there is time; with `restore`, put events back into the bucket.

        The progress is kept after each window: a run that breaks off is resumed by the next one.
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
        self._forget_found(missing, self._other_records(window, oldest))
        self._forget_found(unlogged, self._records_around(window))
        if restore and missing:
            report.counts["restored"] += self._restore(window, missing)
        gap = Gap(len(missing), len(unlogged))
        if gap:
            facts = {"window": window.start.isoformat(), "bucket": gap.bucket, "log": gap.log}
            self._log.warning("audit trail has a gap", extra=facts)
        return gap

    def _read_log(self, window: Window) -> tuple[set[str], datetime]:
        """Return the ids that the log group has in the window, and the time of its oldest event.

        EventBridge may hand an event over late: its own time is then before the window. A sender may also set that time
        to any moment, so it counts only as far back as EventBridge and Firehose try.
        """
        ids, oldest = set[str](), window.start
        for record in self._audit_log.records(window.start, window.end):
            ids.add(record.id)
            oldest = min(oldest, record.time)
        return ids, max(oldest, window.start - LATEST)

    def _search_bucket(self, window: Window, logged: set[str], report: Report) -> tuple[set[str], set[str]]:
        """Return the ids that are in the log group alone, and those of the window that are in the bucket alone."""
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

    def _forget_found(self, ids: set[str], records: Iterator[Record]) -> None:
        """Take away what is found after all; reads no further than needed."""
        while ids and (record := next(records, None)):
            ids.discard(record.id)

    def _other_records(self, window: Window, oldest: datetime) -> Iterator[Record]:
        """Return the records of the objects that were written later than most, and of those from before the window."""
        late = self._objects(window, window.end + SPREAD, self._clock())
        early = self._bucket.objects((oldest - HOUR, window.start), (oldest, window.start))
        for stored in chain(late, early):
            yield from read_records(self._bucket.read(stored)[0])

    def _records_around(self, window: Window) -> Iterator[Record]:
        """Return what the log group has right before the window, and after it."""
        before = self._audit_log.records(window.start - SKEW, window.start)
        return chain(before, self._audit_log.records(window.end, self._until(window)))

    def _objects(self, window: Window, since: datetime, until: datetime) -> Iterator[AuditObject]:
        hours = window.start - HOUR, min(until, self._until(window))
        return self._bucket.objects(hours, (since, until))

    def _until(self, window: Window) -> datetime:
        return min(self._clock(), window.end + LATEST)

    def _restore(self, window: Window, missing: set[str]) -> int:
        """Write what is missing from the log group into the bucket; return how many events, and forget their ids."""
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
