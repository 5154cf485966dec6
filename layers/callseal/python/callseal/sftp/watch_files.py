"""Report delivered files that are not fetched: 3 days and 1 day before they expire, and when they have expired.

The event is emitted before the report is recorded on the file. A run that is interrupted, or two runs at once, can
therefore emit an event again under the same id, but never skip one. Files that a run has no time for stay due for the
next run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from callseal.aws.batching import BatchWindow
from callseal.aws.bus import AuditBus
from callseal.aws.items import ChangedMeanwhileError
from callseal.core.clock import Clock
from callseal.core.errors import CallsealError
from callseal.core.log import Log, describe
from callseal.core.metrics import Metric
from callseal.inbound.run import Run
from callseal.sftp import events
from callseal.sftp.file_table import SHARDS, FileRegister

# Below the function's timeout in template.yaml, by more than a page of files takes.
RUN_TIME = timedelta(minutes=3)
# Their events are sent ten at a time, the most that one request accepts.
FILES_AT_ONCE = 20


class FilesUnwatchedError(CallsealError):
    """Some files could not be reported. Lambda does not retry. They stay due for the next run, in an hour."""


class Watch:
    """Emits an audit event for each unfetched file that is due."""

    def __init__(
        self, files: FileRegister, bus: AuditBus, window: BatchWindow, bucket: str, clock: Clock, log: Log
    ) -> None:
        """Take the collaborators. `bucket` is the SFTP bucket's name."""
        self._files, self._bus, self._window = files, bus, window
        self._bucket, self._clock, self._log = bucket, clock, log

    def run(self) -> Counter[str]:
        """Report the files that are due until RUN_TIME is over. Return counts of files by outcome.

        The outcomes are `unfetched`, `expired`, `settled` (no longer due) and `failed`. `cut_short` is 1 if the time
        was over.
        """
        counts, run = Counter[str](), Run(self._clock, RUN_TIME)
        shards = run.shuffled(SHARDS)
        with ThreadPoolExecutor(FILES_AT_ONCE, "file") as executor:
            for page in (page for shard in shards for page in self._files.due(shard, run.started)):
                counts.update(executor.map(self._try, page))
                if not run.has_time:
                    counts["cut_short"] = 1
                    break
        return counts

    def _try(self, name: tuple[str, str]) -> str:
        try:
            with self._window.at_work():
                return self._report(*name)
        except Exception as exc:  # noqa: BLE001  # counted, and raised as FilesUnwatchedError after the others
            self._log.warning("file not watched", extra={"tenant": name[0], **describe(exc)})
            return "failed"

    def _report(self, tenant: str, key: str) -> str:
        file, now = self._files.find(tenant, key), self._clock()
        days = file.reached(now)
        if days is None:
            return "settled"  # since the index was read
        self._bus.put(events.file_unfetched(self._bucket, file, days, now))
        with suppress(ChangedMeanwhileError):  # fetched, or reported by another run; if still due, the next run has it
            self._files.save(replace(file, told=days), file)
        return "unfetched" if days else "expired"


def metrics_of(counts: Mapping[str, int]) -> Iterator[Metric]:
    """Return the metrics of a run. They are 0 if nothing was due."""
    yield Metric("FilesUnfetched", counts.get("unfetched", 0))
    yield Metric("FilesExpired", counts.get("expired", 0))
