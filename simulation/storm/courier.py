"""Brings the landing bucket's announcements to the encrypt queue: some late, some twice, some never."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from random import Random
from threading import Event, Thread

from simulation.storm.cloud import StormCloud
from simulation.storm.plan import Fate

POLL_SECONDS = 0.1


class Courier:
    """Works in a thread until ended."""

    def __init__(self, cloud: StormCloud, seed: int) -> None:
        self._cloud, self._random = cloud, Random(f"{seed} courier")
        self._fates: dict[tuple[str, str], deque[Fate]] = defaultdict(deque)
        self._end = Event()
        self.counts: Counter[str] = Counter()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def expect(self, key: str, etag: str, fate: Fate) -> None:
        """Record the fate of the announcement of a file that is about to land."""
        self._fates[key, etag].append(fate)

    def end(self) -> None:
        """Pass on the remaining announcements and end the thread."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        ending = False
        while not ending:
            ending = self._end.wait(POLL_SECONDS)
            for body, key, etag in self._cloud.announcements():
                fate = self._fates[key, etag].popleft()
                self.counts[fate] += 1
                for delay in self._delays(fate):
                    self._cloud.announce(body, delay)

    def _delays(self, fate: Fate) -> list[int]:
        match fate:
            case "lost":
                return []
            case "late":
                return [self._random.randrange(1, 8)]
            case "doubled":
                return [0, 0]
            case "doubled late":
                return [0, self._random.randrange(1, 10)]
        return [0]
