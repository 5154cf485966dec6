"""A worker process: it makes one bench at its start and shares the attempts with other workers."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.util import Finalize

from simulation.faults import enumeration
from simulation.faults.attempt import Case, Result
from simulation.faults.trial import Bench
from tests.support import keys

_bench: Bench


def set_up() -> None:
    """Make the process's bench."""
    global _bench
    _bench = Bench()
    Finalize(None, _bench.close, exitpriority=100)
    Finalize(None, keys.clean_up, exitpriority=50)


def list_cases(scenario: str, few: bool, broken: int | None) -> list[Case]:
    """List the cases of a scenario."""
    return enumeration.cases(_bench, scenario, few=few, broken=broken)


def attempt(cases: Sequence[Case]) -> list[Result]:
    """Run these cases."""
    return [_bench.run(case) for case in cases]
