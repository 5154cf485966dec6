"""The workers: processes that run the real handlers, two of them at a time, sometimes on the same messages."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random
from threading import Lock, Thread
from typing import Any

from callseal.aws import calls, queue
from callseal.delivery import sweep_retries
from callseal.tenants import directory
from localcloud.runtime import Result
from simulation.faults import environment
from simulation.faults.environment import DiedError, Environment
from simulation.storm.history import CLOCK_SKEW_SECONDS, REMEMBERED_SECONDS

READ_TIMEOUT = 2.0
OVERDUE = timedelta(seconds=20)
TWINS = 0.2
COUNT = 3
# Those of the archive, which answer people and write cards.
ARCHIVE_COUNT = 2
INVOCATION_SECONDS = 12.0
# In the calm no request hangs, and a sweep over all held files may take long on a busy machine.
CALM_SECONDS = 600.0
# The timeout of the functions that answer people, in template.yaml.
ANSWER_SECONDS = 29.0
INVOCATIONS = 3  # of an asynchronous invocation that fails
# This worker is never killed, so that its memory can be observed from the beginning to the end.
STEADY = "worker-0"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def prepare(name: str, break_it: Callable[[], None] | None) -> None:
    """Shorten what only costs time, in the worker's own process, and name the worker in its requests."""
    calls.CONFIG.read_timeout = READ_TIMEOUT  # type: ignore[attr-defined]
    calls.CONFIG.user_agent = name  # type: ignore[attr-defined]
    environment._client.cache_clear()
    directory.CACHE_TIME = timedelta(seconds=REMEMBERED_SECONDS)
    directory.CLOCK_SKEW = timedelta(seconds=CLOCK_SKEW_SECONDS)
    sweep_retries.RETRY_AGES, sweep_retries.RETRY_EVERY = (OVERDUE, 2 * OVERDUE, 3 * OVERDUE), 3 * OVERDUE
    queue.FIRST_RETRY_SECONDS = queue.MAX_RETRY_SECONDS = 1
    if break_it:
        break_it()


@dataclass(frozen=True)
class Runtime:
    """A function, as the event pump calls it: of the delivery, or of the archive."""

    workers: Workers
    function: str
    of_archive: bool = False

    def invoke(self, event: Any) -> Result:
        """Invoke the function with a batch."""
        invoke = self.workers.serve_archive if self.of_archive else self.workers.invoke
        return invoke(self.function, event)


class Workers:
    """Run until closed."""

    def __init__(
        self,
        variables: Mapping[str, str],
        break_it: Callable[[], None] | None,
        seed: int,
        sweep_seconds: float = INVOCATION_SECONDS,
        archive: int = 0,
    ) -> None:
        """`archive` is the number of processes of the archive."""
        self._sweep_seconds = sweep_seconds
        self._variables, self._break_it, self._random = variables, break_it, Random(f"{seed} twins")
        self._lock = Lock()
        self._idle, self._waiting = SimpleQueue[str](), SimpleQueue[str]()
        for number in range(COUNT):
            self._idle.put(f"worker-{number}")
        for number in range(archive):
            self._waiting.put(f"archive-{number}")
        names = [*(f"worker-{n}" for n in range(COUNT)), *(f"archive-{n}" for n in range(archive)), "sweeper"]
        self._all = {name: self._start(name) for name in names}
        self.counts: Counter[str] = Counter()
        self.logs: list[str] = []
        self.calm = False

    def invoke(self, function: str, event: Any) -> Result:
        """Pass a batch to a worker, and sometimes to two workers at the same moment."""
        name, twin = self._idle.get(), self._twin()
        if twin:
            self.counts["batches for two workers at once"] += 1
            Thread(target=self._work, args=(twin, function, event), daemon=True).start()
        return self._work(name, function, event)

    def serve_archive(self, function: str, event: Any, ahead: timedelta = timedelta()) -> Result:
        """Pass a request of the API, or a batch, to a process of the archive, with the clock this far ahead."""
        name = self._waiting.get()
        try:
            return self._run(name, function, event, ahead, ANSWER_SECONDS)
        finally:
            self._waiting.put(name)

    def sweep(self, event: Any, ahead: timedelta = timedelta()) -> Mapping[str, int] | None:
        """Run the sweeper, retried as Lambda retries failures. Return its counts, or None if all attempts failed."""
        for _ in range(INVOCATIONS):
            result = self._run("sweeper", "sweep", event, ahead)
            self.counts["sweeps"] += 1
            if result.error is None:
                return dict(result.payload)
        return None

    def kill(self, name: str) -> None:
        """Kill a worker."""
        self.counts["workers killed"] += 1
        self._all[name].kill()

    def memory(self, name: str = STEADY) -> int:
        """Return a worker's resident memory in bytes."""
        return int(Path(f"/proc/{self._all[name].pid}/statm").read_text().split()[1]) * PAGE_BYTES

    def close(self) -> None:
        """End all workers."""
        for one in self._all.values():
            self._end(one)

    def _twin(self) -> str | None:
        with self._lock:
            if self.calm or self._random.random() >= TWINS:
                return None
        try:
            return self._idle.get_nowait()
        except Empty:
            return None

    def _work(self, name: str, function: str, event: Any) -> Result:
        self.counts[f"batches to {function}"] += 1
        try:
            return self._run(name, function, event)
        finally:
            self._idle.put(name)

    def _run(
        self, name: str, function: str, event: Any, ahead: timedelta = timedelta(), longest: float | None = None
    ) -> Result:
        usual = self._sweep_seconds if function == "sweep" else INVOCATION_SECONDS
        seconds = CALM_SECONDS if self.calm else longest or usual
        try:
            answer = self._all[name].invoke(function, event, ahead, seconds)
        except DiedError as exc:
            self.counts["invocations without an answer"] += 1
            self._end(self._all[name])
            self._all[name] = self._start(name)
            return Result(error={"errorType": "Runtime.ExitError", "errorMessage": str(exc)})
        if answer is None:
            return Result(error={"errorType": "Unhandled", "errorMessage": "the handler raised"})
        return Result(payload=answer)

    def _start(self, name: str) -> Environment:
        return Environment(self._variables, partial(prepare, name, self._break_it))

    def _end(self, one: Environment) -> None:
        one.kill()
        with self._lock:
            self.logs.append(one.log())
        one.close()
