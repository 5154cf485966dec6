"""A selection of the fault enumeration (`make faults` runs all), and a check that each broken promise is detected."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import pytest

from simulation.fault_proxy import BreakBody
from simulation.faults.attempt import NEGLECTS, Case, Point, Trouble
from simulation.faults.broken import VARIANTS
from simulation.faults.call_scenarios import CALL_SCENARIOS
from simulation.faults.duties import DUTIES
from simulation.faults.enumeration import FEW, cases, cases_at, points_of, troubles
from simulation.faults.scenarios import SCENARIOS
from simulation.faults.trial import Bench

SCENARIO_NAMES = [scenario.name for scenario in SCENARIOS]
CALLS = {scenario.name for scenario in CALL_SCENARIOS}
# `make faults` fails each request. Here it is each fifth of a call, and each second of a delivery with many requests.
EACH_OF_A_CALL, EACH_OF_A_DELIVERY, FEW_POINTS = 5, 2, 12


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


@pytest.mark.parametrize("name", SCENARIO_NAMES)
def test_no_promise_breaks(bench: Bench, name: str) -> None:
    """Requests of the scenario, each with one of the troubles."""
    points, shift = points_of(bench, name), SCENARIO_NAMES.index(name)
    assert points
    each = EACH_OF_A_CALL if name in CALLS else EACH_OF_A_DELIVERY if len(points) > FEW_POINTS else 1
    points = points[shift % each :: each]
    tries = [Case(name), *(Case(name, point, FEW[(shift + number) % len(FEW)]) for number, point in enumerate(points))]

    results = [bench.run(case) for case in tries]

    assert [line for result in results for line in result.complaints()] == []


@pytest.mark.parametrize("number", range(1, len(VARIANTS) + 1), ids=lambda number: f"variant-{number}")
def test_broken_promise_is_detected(bench: Bench, number: int) -> None:
    broken, variant = set[int](), VARIANTS[number - 1]
    for scenario in variant.scenarios:
        for case in cases(bench, scenario, few=True, broken=number):
            broken |= {one.promise for one in bench.run(case).broken}
            if variant.promise in broken:
                return
    pytest.fail(f"nothing but {sorted(broken)} was seen broken")


# `make faults` runs the others.
@pytest.mark.parametrize(
    ("name", "each"),
    [("prove", 1), ("login", 2), ("open recording", 3), ("serve share", 3), ("dispose", 5), ("place a hold", 6),
     ("erase on request", 13)],
)  # fmt: skip
def test_no_duty_is_neglected(bench: Bench, name: str, each: int) -> None:
    points = points_of(bench, name)
    some = zip(points[::each], cycle(FEW), strict=False)
    tries = [case for point, trouble in some for case in cases_at(name, point, [trouble])]

    results = [bench.run(case) for case in tries]

    assert {point.step for point in points} == set(DUTIES[name].disturbed)
    assert [line for result in results for line in result.complaints()] == []


def test_half_of_the_right_code_is_not_a_wrong_code(bench: Bench) -> None:
    read = Point(2, "GetObject", "sftp", 1)
    result = bench.run(Case("prove", read, Trouble("once", BreakBody())))
    assert (result.fired, list(result.complaints())) == (True, [])


@pytest.mark.parametrize("number", range(len(NEGLECTS)), ids=lambda number: NEGLECTS[number].duty)
def test_neglected_duty_is_detected(bench: Bench, number: int) -> None:
    neglect = NEGLECTS[number]
    broken = len(VARIANTS) + number + 1
    case = Case(neglect.duty, broken=broken)
    if neglect.at:
        step, operation, occurrence = neglect.at
        point = Point(step, operation, neglect.bucket, occurrence)
        case = Case(neglect.duty, point, Trouble(neglect.how, neglect.fault), broken)

    result = bench.run(case)

    assert result.fired or not neglect.at
    assert result.broken, neglect.what
    assert neglect.promise in (None, *(one.promise for one in result.broken)), neglect.what


def test_every_request_gets_every_fault_and_both_kills(bench: Bench) -> None:
    points = points_of(bench, "cms to sftp")
    kinds = {type(trouble.fault).__name__ for trouble in troubles(points[0], points)}
    statuses = {getattr(trouble.fault, "status", None) for trouble in troubles(points[0], points)} - {None}

    assert kinds == {"Refuse", "Hang", "CutBefore", "CutAfter", "BreakBody", "Twice", "Late", "NoneType"}
    assert statuses == {400, 403, 404, 412, 500, 503}
    assert {point.operation for point in points} >= {
        "GetParameters", "GetSecretValue", "GetObject", "PutObject", "PutEvents", "DeleteObject"
    }  # fmt: skip
