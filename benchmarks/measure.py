"""Measure ours and a peer alternately, and build rows of medians, ratios and goals."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

ROUNDS = 5


@dataclass(frozen=True)
class Row:
    """One result. `ours` and `peer` are in `unit`. `goal` is a bound for `ratio`, such as `<= 1.3` or `>= 0.9`."""

    name: str
    ours: float
    peer: float
    unit: str
    ratio: float
    goal: str
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the ratio meets the goal."""
        sign, _, bound = self.goal.partition(" ")
        return self.ratio <= float(bound) if sign == "<=" else self.ratio >= float(bound)

    def as_json(self) -> dict[str, Any]:
        """Return the row's members in results.json."""
        return {**asdict(self), "met": self.met}


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def take_turns(ours: Callable[[], object], peer: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float]:
    """Return the median seconds of ours and of the peer, after one warm-up round."""
    ours()
    peer()
    pairs = []
    for number in range(rounds):
        # The order changes with each round, so that neither always runs with warm caches.
        if number % 2:
            pairs.append((seconds(ours), seconds(peer)))
        else:
            after = seconds(peer)
            pairs.append((seconds(ours), after))
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def speed(name: str, size: int, times: tuple[float, float], goal: str, note: str = "") -> Row:
    """Return a row of speeds in MB/s. The ratio is ours divided by the peer's, and more is better."""
    ours, peer = (size / 1e6 / time_taken for time_taken in times)
    return Row(name, round(ours, 1), round(peer, 1), "MB/s", round(ours / peer, 3), goal, note)


def duration(name: str, times: tuple[float, float], goal: str, note: str = "") -> Row:
    """Return a row of times in ms. The ratio is ours divided by the peer's, and less is better."""
    ours, peer = (time_taken * 1e3 for time_taken in times)
    return Row(name, round(ours, 2), round(peer, 2), "ms", round(ours / peer, 3), goal, note)
