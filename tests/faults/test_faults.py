"""A selection of the fault enumeration (`make faults` runs all of it), and that each promise, broken, is seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.attempt import Case
from tests.faults.broken import VARIANTS
from tests.faults.enumeration import FEW, cases, points_of, troubles
from tests.faults.scenarios import SCENARIOS
from tests.faults.trial import Bench

SCENARIO_NAMES = [scenario.name for scenario in SCENARIOS]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


@pytest.mark.parametrize("name", SCENARIO_NAMES)
def test_no_promise_breaks(bench: Bench, name: str) -> None:
    """Each request of the scenario with one of the troubles; over all scenarios, each operation with all of them."""
    points = points_of(bench, name)
    assert points
    shift = SCENARIO_NAMES.index(name)
    tries = [Case(name), *(Case(name, point, FEW[(shift + number) % len(FEW)]) for number, point in enumerate(points))]

    results = [bench.run(case) for case in tries]

    assert [line for result in results for line in result.complaints()] == []


@pytest.mark.parametrize("number", range(1, len(VARIANTS) + 1), ids=lambda number: f"promise-{number}")
def test_broken_promise_is_seen(bench: Bench, number: int) -> None:
    broken: set[int] = set()
    for scenario in VARIANTS[number - 1].scenarios:
        for case in cases(bench, scenario, few=True, broken=number):
            broken |= {one.promise for one in bench.run(case).broken}
            if number in broken:
                return
    pytest.fail(f"nothing but {sorted(broken)} was seen broken")


def test_every_fault_and_both_kills_befall_every_request(bench: Bench) -> None:
    points = points_of(bench, "cms to sftp")
    kinds = {type(trouble.fault).__name__ for trouble in troubles(points[0], points)}
    statuses = {getattr(trouble.fault, "status", None) for trouble in troubles(points[0], points)} - {None}

    assert kinds == {"Refuse", "Hang", "CutBefore", "CutAfter", "BreakBody", "Twice", "Late", "NoneType"}
    assert statuses == {400, 403, 404, 412, 500, 503}
    assert {point.operation for point in points} >= {
        "GetParameter", "GetSecretValue", "GetObject", "PutObject", "PutEvents", "DeleteObject"
    }  # fmt: skip
