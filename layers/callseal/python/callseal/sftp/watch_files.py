"""Watching: who does not fetch its files is told of, 3 days and 1 day before they expire, and once they have.

The audit comes first and what was told is remembered after it: a run that breaks off, or two at once, tell the same
again under the same ids, and nothing is passed over. What a run has no time for stays due, and is the next one's.
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
# Their events go out ten at a time, as many as one request takes.
FILES_AT_ONCE = 20


class FilesUnwatchedError(CallsealError):
    """Some files could not be reported. Lambda does not retry: they stay due for the next run, in an hour."""


class Watch:
    """Tells of the files that are due."""

    def __init__(
        self, files: FileRegister, bus: AuditBus, window: BatchWindow, bucket: str, clock: Clock, log: Log
    ) -> None:
        """Take what it works with; `bucket` is where the files are."""
        self._files, self._bus, self._window = files, bus, window
        self._bucket, self._clock, self._log = bucket, clock, log

    def run(self) -> Counter[str]:
        """Tell of all that is due, as far as there is time; counts what became of the files."""
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
                return self._tell(*name)
        except Exception as exc:  # noqa: BLE001  # told by FilesUnwatchedError too, once the others are done
            self._log.warning("file not watched", extra={"tenant": name[0], **describe(exc)})
            return "failed"

    def _tell(self, tenant: str, key: str) -> str:
        file, now = self._files.find(tenant, key), self._clock()
        days = file.reached(now)
        if days is None:
            return "settled"  # since the index was read
        told = events.file_unfetched(self._bucket, file, days, now)
        self._bus.put(told)
        with suppress(ChangedMeanwhileError):  # fetched, or told by somebody else; what is still due comes once more
            self._files.keep(replace(file, told=days), file)
        return "unfetched" if days else "expired"


def metrics_of(counts: Mapping[str, int]) -> Iterator[Metric]:
    """Give the metrics of a run; 0 is a run in which nothing was due."""
    yield Metric("FilesUnfetched", counts.get("unfetched", 0))
    yield Metric("FilesExpired", counts.get("expired", 0))
