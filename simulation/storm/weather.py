"""The weather: a share of the requests fails, drawn from the seed by each request's identity and its count so far."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable
from random import Random
from threading import Lock

from simulation.fault_proxy import BreakBody, CutAfter, CutBefore, Fault, Hang, Late, Refuse, Seen, Twice
from simulation.storm.plan import Kill
from simulation.storm.workers import READ_TIMEOUT, STEADY

TOO_LATE = READ_TIMEOUT + 0.3
# A hung or late request costs a worker's thread two seconds, so these are rarer.
FAULTS: dict[Fault, int] = {
    Refuse(500, "InternalError"): 4, Refuse(503, "SlowDown"): 4, Refuse(403, "AccessDenied"): 3, CutBefore(): 4,
    CutAfter(): 4, BreakBody(): 4, Twice(): 3, Late(0.2): 2, Hang(TOO_LATE): 1, Late(TOO_LATE): 1,
}  # fmt: skip


class Weather:
    """Decides for the proxy. No faults occur once `share` is 0."""

    def __init__(self, seed: int, share: float, kills: Iterable[Kill], kill: Callable[[str], None]) -> None:
        self._seed, self.share, self._kill = seed, share, kill
        self._planned, self._due = deque(kills), deque[Kill]()
        self._after: dict[int, str] = {}
        self._lock = Lock()
        self._nth: Counter[str] = Counter()
        self.requests = 0
        self.befallen: Counter[str] = Counter()

    def landed(self, count: int) -> None:
        """Make the kills due that were planned for this number of landings."""
        with self._lock:
            while self._planned and self._planned[0].after <= count:
                self._due.append(self._planned.popleft())

    def decide(self, seen: Seen) -> Fault | None:
        """Return the fault of a request."""
        with self._lock:
            self.requests += 1
            worker = self._doomed(seen)
            fault = None if worker or not self.share else self._draw(seen)
            if fault:
                self.befallen[str(fault)] += 1
        if worker:
            self._kill(worker)
            return CutBefore()
        return fault

    def carried_out(self, seen: Seen) -> None:
        """Kill the worker that was to die after this request."""
        with self._lock:
            worker = self._after.pop(seen.number, None)
        if worker:
            self._kill(worker)

    def _doomed(self, seen: Seen) -> str | None:
        """Return the worker to kill before its request. A worker to be killed after the request is recorded."""
        worker = seen.headers.get("user-agent", "").partition(" ")[0]
        due = next((kill for kill in self._due if _is_of(kill, seen, worker)), None)
        if due is None or worker == STEADY or not self.share:
            return None
        self._due.remove(due)
        self.befallen[f"killed {due.when} {due.operation}"] += 1
        if due.when == "after":
            self._after[seen.number] = worker
            return None
        return worker

    def _draw(self, seen: Seen) -> Fault | None:
        what = f"{seen.operation} {seen.bucket} {seen.key or _named(seen)}"
        self._nth[what] += 1
        random = Random(f"{self._seed} {what} {self._nth[what]}")
        if random.random() >= self.share:
            return None
        return random.choices(list(FAULTS), list(FAULTS.values()))[0]


def _is_of(kill: Kill, seen: Seen, worker: str) -> bool:
    return kill.operation == seen.operation and worker.startswith(f"{kill.of}-")


def _named(seen: Seen) -> str:
    """Return the name of the object of a request without a key."""
    if seen.service == "s3" or not seen.body:
        return ""
    members = json.loads(seen.body)
    return str(members.get("SecretId") or members.get("Name") or "")
