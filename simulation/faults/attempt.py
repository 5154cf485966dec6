"""An attempt: one fault occurs while functions work, and failed work is repeated as Lambda and SQS repeat it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from simulation.fault_proxy import CARRIED_OUT, CutBefore, Fault, Seen
from simulation.faults.broken import OTHER_KEY, VARIANTS
from simulation.faults.broken_duties import BROKEN_DUTIES
from simulation.faults.broken_law import BROKEN_LAW
from simulation.faults.cloud import Cloud
from simulation.faults.environment import DiedError, Environment
from simulation.faults.model import Broken
from simulation.faults.tenants import tenant
from tests.security.privacy.watch import WATCH

# By number, from 1: variants that break one of the seven promises, then variants that break a duty.
NEGLECTS = (*BROKEN_DUTIES, *BROKEN_LAW)
BREAKAGES = (*VARIANTS, *NEGLECTS)
RECEIVES = 5  # maxReceiveCount of the queues; afterwards the message goes to the dead-letter queue


@dataclass(frozen=True)
class Point:
    """A request: the n-th of its operation at a bucket (or none) in a step of the story, as in a run without faults."""

    step: int
    operation: str
    bucket: str
    occurrence: int

    def __str__(self) -> str:
        return f"step {self.step}, {self.operation} {self.bucket} #{self.occurrence}".replace("  ", " ")


@dataclass(frozen=True)
class Trouble:
    """What goes wrong: a fault, or a kill of the process.

    A fault applies `once`, until the `invocation` ends, or for the whole `step`.
    """

    how: Literal["once", "invocation", "step", "kill before", "kill after"]
    fault: Fault | None = None

    @property
    def is_kill(self) -> bool:
        """Return whether the process is killed."""
        return self.fault is None

    def __str__(self) -> str:
        return self.how if self.is_kill else f"{self.fault} {self.how}"


@dataclass(frozen=True)
class Case:
    """What to attempt; without a point and a trouble, the undisturbed story. `broken` is the number of a variant."""

    scenario: str
    point: Point | None = None
    trouble: Trouble | None = None
    broken: int | None = None


@dataclass(frozen=True)
class Result:
    """The outcome of an attempt.

    `fired` is True if the disturbed request was made. `requests` are all that were made.
    """

    case: Case
    broken: Sequence[Broken]
    fired: bool
    requests: Sequence[Point]

    def complaints(self) -> Iterator[str]:
        """Report what broke, and at which request."""
        where = f"{self.case.scenario}: {self.case.point or 'undisturbed'}: {self.case.trouble or ''}"
        if self.case.point and not self.fired:
            yield f"NOT TRIED: {where}: the request never came"
        for one in self.broken:
            yield f"BROKEN promise {one.promise}: {where}: {one.seen}"


class Attempt:
    """Decides the faults of one attempt, and owns the process that makes the requests.

    `broken` collects broken promises.
    """

    clock_skew: timedelta | None = None

    def __init__(self, cloud: Cloud, case: Case, tenant_name: str) -> None:
        """Take the case, and a tenant name that no other attempt uses."""
        self._cloud, self._case, self._tenant = cloud, case, tenant_name
        self._ahead = timedelta()
        self._step, self._invocation = 0, 0
        self._counted: Counter[tuple[int, str, str]] = Counter()
        self.fired_at: Seen | None = None
        self._fired_in = 0
        self.requests: list[Point] = []
        self._logs: list[str] = []
        self.broken: list[Broken] = []
        self.environment = self._new_environment()

    def asked(self, seen: Seen) -> None:
        """Inspect a request before it is executed."""

    def changed(self, seen: Seen) -> None:
        """Inspect what a request changed after it was executed."""

    def befalling_by_story(self, _seen: Seen) -> Fault | None:
        """Return the fault that the story itself prescribes for a request, in every case."""
        return None

    def complain(self, promise: int, seen: str) -> None:
        """Record a broken promise."""
        broken = Broken(promise, seen)
        if broken not in self.broken:
            self.broken.append(broken)

    # ---- the proxy's side -------------------------------------------------------------------------------------------

    def decide(self, seen: Seen) -> Fault | None:
        """Count a request and return its fault."""
        kind = self._step, seen.operation, seen.bucket
        self._counted[kind] += 1
        this = Point(*kind, self._counted[kind])
        self.requests.append(this)
        self.asked(seen)
        if seen.operation == "PutEvents" and self._case.broken is None:
            WATCH.put_events(seen.members["Entries"])
        fault, by_story = self._befalling(seen, this), self.befalling_by_story(seen)
        # S3 refuses what the story prescribes, regardless of doubled or delayed requests.
        return by_story if by_story and (fault is None or isinstance(fault, CARRIED_OUT)) else fault

    def _befalling(self, seen: Seen, this: Point) -> Fault | None:
        point, trouble = self._case.point, self._case.trouble
        if not point or not trouble:
            return None
        if this == point:
            self.fired_at, self._fired_in = seen, self._invocation
            if trouble.how == "kill before":
                self.environment.kill()
                return CutBefore()
            return trouble.fault
        return trouble.fault if self._lasts(trouble) and replace(this, occurrence=point.occurrence) == point else None

    def after(self, seen: Seen) -> None:
        """Inspect what a request changed."""
        trouble = self._case.trouble
        if seen is self.fired_at and trouble and trouble.how == "kill after":
            self.environment.kill()
        self.changed(seen)

    def _lasts(self, trouble: Trouble) -> bool:
        if not self.fired_at:
            return False
        return trouble.how == "step" or (trouble.how == "invocation" and self._fired_in == self._invocation)

    # ---- Lambda's and SQS's side ------------------------------------------------------------------------------------

    def _hand_over(
        self, function: str, waiting: list[dict[str, Any]], acknowledge: Callable[[dict[str, Any]], None]
    ) -> list[dict[str, Any]]:
        """Deliver messages until they are acknowledged, and return those that failed on every receive."""
        for receive in range(1, RECEIVES + 1):
            if not waiting:
                break
            waiting = self._hand_over_once(function, waiting, receive, acknowledge)
        return waiting

    def _hand_over_once(
        self, function: str, waiting: list[dict[str, Any]], receive: int, acknowledge: Callable[[dict[str, Any]], None]
    ) -> list[dict[str, Any]]:
        """Deliver a batch for the n-th time, and return the messages that failed."""
        for message in waiting:
            message["attributes"]["ApproximateReceiveCount"] = str(receive)
        answer = self._invoke(function, {"Records": waiting})
        failed = [message["messageId"] for message in waiting]
        if answer is not None:
            failed = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
        for message in waiting:
            if message["messageId"] not in failed:
                acknowledge(message)
        return [message for message in waiting if message["messageId"] in failed]

    def _invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        self._invocation += 1
        try:
            return self.environment.invoke(function, event, self._ahead)
        except DiedError as exc:
            trouble = self._case.trouble
            if str(exc) != "killed" or not (trouble and trouble.is_kill):
                self.complain(6, f"{function} ended without an answer: {exc}")
            self.end_environment()
            self.environment = self._new_environment()
            return None

    def end_environment(self) -> None:
        """Kill the process and keep its log."""
        self.environment.kill()
        self._logs.append(self.environment.log())
        self.environment.close()

    def _new_environment(self) -> Environment:
        variables = self._cloud.environment | {OTHER_KEY: tenant("cms", "other").public_text}
        break_it = BREAKAGES[self._case.broken - 1].break_it if self._case.broken else None
        return Environment(variables, break_it, self.clock_skew)
