"""One tenant is stuck with thousands of files, and the next sweeps must still deliver the lost files of the others.

The stuck tenant comes first in the order of keys, and its key cannot be read: each attempt fails and is retried. Before
each sweep some files of the other tenants land, and their events are lost. The program counts for each of these files
how many sweeps ran until it was delivered. Ages and the queue's bounds are scaled down. The sweep's rules are the
functions' own.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from callseal.aws import calls, queue
from callseal.delivery import sweep_landing, sweep_retries, sweep_shares
from callseal.inbound.notification import parse_body
from localcloud.gate import Gate
from simulation.fault_proxy import Fault, Refuse, Seen
from simulation.faults import environment
from simulation.faults.ground import Ground
from simulation.faults.tenants import tenant
from simulation.faults.trial import event_of
from simulation.storm.cloud import StormCloud
from simulation.storm.workers import Runtime, Workers
from tests.support.stack import LANDING

STUCK_TENANT = "aaa"
OTHERS, FILES_EACH = 10, 2
ROUNDS, LAST_ROUNDS = 3, 2
MOST_SWEEPS_LATE = 2
# The interval between two sweeps of the real schedule.
ROUND_SECONDS = 300.0
SWEEP_SECONDS = 240.0
PUMPS = 3
# The number of files that the figures of template.yaml and sweep_shares.py are meant for.
WHOLE = 20_000


@dataclass
class Waited:
    """The number of sweeps until the others' files were delivered. `late` names those that needed too many."""

    sweeps: Counter[int] = field(default_factory=Counter)
    late: list[str] = field(default_factory=list)
    longest_queue: int = 0
    seconds: float = 0.0


def scale(stuck: int, break_it: Callable[[], None] | None) -> None:
    """Scale the sweep's bounds to this number of files, in the worker's own process; an hour of retries is a minute."""
    sweep_shares.ENOUGH_WAITING = stuck
    sweep_shares.OF_ONE_SHARE = stuck // 4
    sweep_landing.FILES_IN_A_TURN = max(1, sweep_landing.FILES_IN_A_TURN * stuck // WHOLE)
    sweep_retries.RETRY_AGES = (timedelta(), timedelta(seconds=5), timedelta(seconds=15))
    sweep_retries.RETRY_EVERY = timedelta(minutes=1)
    # No request may fail because it is slow: that is not under test, and the machine may be busy.
    calls.CONFIG.read_timeout = 60  # type: ignore[attr-defined]
    environment._client.cache_clear()
    queue.FIRST_RETRY_SECONDS, queue.MAX_RETRY_SECONDS = FIRST_RETRY, MAX_RETRY
    if break_it:
        break_it()


FIRST_RETRY, MAX_RETRY = queue.FIRST_RETRY_SECONDS, queue.MAX_RETRY_SECONDS


class Crowd:
    """Runs once."""

    def __init__(self, stuck: int, tell: Callable[[str], None], break_it: Callable[[], None] | None) -> None:
        self._stuck, self._tell = stuck, tell
        self._purged, self._requeued = set[str](), set[str]()
        self._ground = Ground(StormCloud, self._decide, after=self._after)
        self._cloud = self._ground.cloud
        self._workers = Workers(self._cloud.environment, partial(scale, stuck, break_it), 0, SWEEP_SECONDS)
        self._workers.calm = True
        self._gate = Gate()
        self._pump = self._cloud.pump(
            self._cloud.queue_url, Runtime(self._workers, "encrypt"), self._gate, lambda _: None
        )
        self._landed: dict[str, int] = {}
        self._waited = Waited()

    def run(self) -> Waited:
        """Run sweeps until every file has had enough time, and count them."""
        began = time.monotonic()
        self._land_stuck()
        self._pump.start(PUMPS)
        for number in range(ROUNDS + LAST_ROUNDS):
            if number < ROUNDS:
                self._land_others(number)
            self._round(number)
        left = set(self._landed) - self._purged
        self._waited.late += [f"{key}: not delivered after {ROUNDS + LAST_ROUNDS} sweeps" for key in sorted(left)]
        self._waited.seconds = time.monotonic() - began
        return self._waited

    def close(self) -> None:
        """Stop everything that was started."""
        self._gate.close()
        self._workers.close()
        self._ground.close()

    def _decide(self, seen: Seen) -> Fault | None:
        """Refuse every read of the stuck tenant's secret."""
        if seen.operation == "GetSecretValue" and f"/{STUCK_TENANT}/" in str(seen.members["SecretId"]):
            return Refuse(400, "AccessDeniedException")
        return None

    def _after(self, seen: Seen, status: int) -> None:
        if seen.bucket == LANDING and seen.operation.startswith("DeleteObject") and status in (200, 204):
            self._purged.update(seen.purged)
        elif seen.operation == "SendMessage" and seen.members["QueueUrl"] == self._cloud.queue_url:
            self._requeued.update(one.key for one in parse_body(seen.members["MessageBody"]))

    def _land_stuck(self) -> None:
        self._take_on(STUCK_TENANT)
        self._tell(f"landing {self._stuck} files of the stuck tenant")
        with self._cloud.unannounced(), ThreadPoolExecutor(4) as executor:
            keys = (f"{STUCK_TENANT}/{number:06}.wav" for number in range(self._stuck))
            list(executor.map(lambda key: self._cloud.put(LANDING, key, key.encode()), keys))
        for number in range(OTHERS):
            self._take_on(f"t{number:02}")

    def _take_on(self, name: str) -> None:
        self._cloud.put_settings(name, {})
        self._cloud.put_key(name, tenant("cms", "crowd").public_text)

    def _land_others(self, round_number: int) -> None:
        for number in range(OTHERS * FILES_EACH):
            key = f"t{number % OTHERS:02}/{round_number}-{number}.wav"
            self._cloud.put(LANDING, key, key.encode())
            self._landed[key] = round_number
        self._cloud.lose_announcements()

    def _round(self, number: int) -> None:
        """Sweep, then wait until the others' requeued files are delivered, at most until the next sweep is due."""
        waiting_before, began = set(self._landed) - self._purged, time.monotonic()
        swept = dict(self._workers.sweep(event_of("schedule", "")) or {"the sweep failed": 1})
        self._waited.longest_queue = max(self._waited.longest_queue, self._pump.outstanding())
        while not waiting_before & self._requeued <= self._purged and time.monotonic() - began < ROUND_SECONDS:
            time.sleep(0.2)
        for key in waiting_before & self._purged:
            sweeps = number - self._landed[key] + 1
            self._waited.sweeps[sweeps] += 1
            if sweeps > MOST_SWEEPS_LATE:
                self._waited.late.append(f"{key}: delivered after {sweeps} sweeps")
        left = len(waiting_before - self._purged)
        self._tell(f"  sweep {number + 1}: {swept}; {left} of the others' files left after "
                   f"{time.monotonic() - began:.0f} s")  # fmt: skip
