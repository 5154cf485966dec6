"""The enumeration: every fault for every request of a scenario."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from simulation.fault_proxy import BreakBody, CutAfter, CutBefore, Fault, Hang, Late, Refuse, Twice
from simulation.faults.attempt import Case, Point, Trouble
from simulation.faults.duties import DUTIES
from simulation.faults.scenarios import BY_NAME
from simulation.faults.trial import Bench

# Errors that the SDK does not retry.
FINAL = (Refuse(400, "InvalidRequest"), Refuse(403, "AccessDenied"), Refuse(404, "NoSuchKey"),
         Refuse(412, "PreconditionFailed"))  # fmt: skip
# Requests that were not executed, and requests that were executed without a (complete) answer. The SDK retries both.
UNDONE: tuple[Fault, ...] = (Refuse(500, "InternalError"), Refuse(503, "SlowDown"), Hang(), CutBefore())
DONE: tuple[Fault, ...] = (CutAfter(), BreakBody(), Late())
MANY = 10_000
KILLS = (Trouble("kill before"), Trouble("kill after"))
# One lasting fault of each kind: enough for a quick run.
FEW = (Trouble("invocation", Refuse(503, "SlowDown")), Trouble("invocation", CutAfter()),
       Trouble("invocation", BreakBody()), Trouble("once", Refuse(404, "NoSuchKey")), *KILLS)  # fmt: skip


def cases(bench: Bench, scenario: str, *, few: bool = False, broken: int | None = None) -> list[Case]:
    """List the undisturbed story, and each trouble at each request of its first run."""
    story = Case(scenario, broken=broken)
    points = points_of(bench, scenario)
    return [story] + [
        case for point in points for case in cases_at(scenario, point, FEW if few else troubles(point, points), broken)
    ]


def cases_at(scenario: str, point: Point, several: Iterable[Trouble], broken: int | None = None) -> list[Case]:
    """List the troubles at a request, except those that no service causes."""
    return [Case(scenario, point, trouble, broken) for trouble in several if not _is_believed(scenario, point, trouble)]


def troubles(point: Point, points: Sequence[Point]) -> Iterator[Trouble]:
    """List the troubles of a request: once, for an invocation, and until the message is a dead letter."""
    for fault in (*FINAL, Refuse(503, "SlowDown"), *DONE, Twice()):
        yield Trouble("once", fault)
    # An error that the SDK does not retry can last only if the functions make the same request again.
    again = any((one.step, one.operation, one.bucket) == (point.step, point.operation, point.bucket)
                and one.occurrence > point.occurrence for one in points)  # fmt: skip
    for fault in (*(FINAL if again else ()), *UNDONE, *DONE):
        yield Trouble("invocation", fault)
    yield Trouble("step", Refuse(503, "SlowDown"))
    yield Trouble("step", CutAfter())
    yield from KILLS


@cache
def points_of(bench: Bench, scenario: str) -> list[Point]:
    """List the requests of a scenario by running it undisturbed.

    It runs twice and keeps the requests that both runs made, because the SDK also retries when the machine is slow.
    """
    duty = DUTIES.get(scenario)
    disturbed = duty.disturbed if duty else BY_NAME[scenario].disturbed
    most_alike = duty.most_alike if duty else MANY
    first, second = (bench.run(Case(scenario)).requests for _ in range(2))
    return [
        point
        for point in first
        if point in second and point.occurrence <= most_alike and (not disturbed or point.step in disturbed)
    ]


def _is_believed(scenario: str, point: Point, trouble: Trouble) -> bool:
    duty, status = DUTIES.get(scenario), getattr(trouble.fault, "status", 0)
    return duty is not None and (point.operation, status) in duty.believed
