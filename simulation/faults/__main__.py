"""Inject every fault into the requests around one recording, one request at a time, and check that each promise holds.

Every request of a scenario is refused, hung, cut, broken, doubled and delayed, and the function's process is killed
directly before and after it. A model watches from outside. `model.py` defines what counts as a broken promise,
`scenarios.py` the stories and `enumeration.py` the faults. The duties of the other functions (`duties.py`) have their
own stories and judges.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from simulation.faults import worker
from simulation.faults.attempt import Case, Result
from simulation.faults.broken import VARIANTS
from simulation.faults.duties import DUTIES
from simulation.faults.scenarios import SCENARIOS

AT_A_TIME = 10
# An attempt waits about as long as it works: for hung and delayed requests, and for the other processes.
WORKERS = 2 * (os.cpu_count() or 1)
TELL_SECONDS = 20.0
NAMES = [*(scenario.name for scenario in SCENARIOS), *DUTIES]


def main() -> int:
    """Run, and return the exit code."""
    options = _options()
    few = options.few or options.broken is not None
    names = [name for name in NAMES if not options.scenario or name in options.scenario]
    if options.broken:
        variant = VARIANTS[options.broken - 1]
        names = [name for name in names if name in variant.scenarios]
        print(f"promise {variant.promise} is broken on purpose: {variant.what}")
    context = get_context("spawn")
    with ProcessPoolExecutor(options.workers, mp_context=context, initializer=worker.set_up) as pool:
        cases = [
            case
            for some in pool.map(worker.list_cases, names, [few] * len(names), [options.broken] * len(names))
            for case in some
        ]
        return _report(cases, _tried(pool, cases))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m simulation.faults",
        description=__doc__,
        epilog="The last line, `faults: N tried, K kills, B broken promises`: N counts (request, fault) pairs, kills "
        "included; B counts the promises that were seen broken, each once for a pair. Exit code 1 if B is not 0, or if "
        "a request that was to be disturbed never came.",
    )
    parser.add_argument("--broken", type=int, choices=range(1, len(VARIANTS) + 1), metavar="N",
                        help="break a promise, in the N-th way of broken.py; the run must end with 1")  # fmt: skip
    parser.add_argument("--scenario", action="append", choices=NAMES, metavar="NAME")
    parser.add_argument("--few", action="store_true", help="a few faults of each kind instead of all")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"processes that try at once [{WORKERS}]")
    return parser.parse_args()


def _report(cases: Sequence[Case], results: Iterator[Result]) -> int:
    started = reported = time.monotonic()
    tried = kills = broken = missed = 0
    for result in results:
        tried += result.fired
        missed += result.case.point is not None and not result.fired
        kills += bool(result.case.trouble and result.case.trouble.is_kill)
        broken += len({one.promise for one in result.broken})
        print("".join(f"{line}\n" for line in result.complaints()), end="", flush=True)
        if time.monotonic() - reported > TELL_SECONDS:
            reported = time.monotonic()
            print(f"  {tried} of {len(cases)} after {reported - started:.0f} s", flush=True)
    if missed:
        print(f"{missed} requests never came, so what was to befall them was not tried.")
    print(f"faults: {tried} tried, {kills} kills, {broken} broken promises")
    return int(broken > 0 or missed > 0)


def _tried(pool: ProcessPoolExecutor, cases: Sequence[Case]) -> Iterator[Result]:
    pieces = [cases[start : start + AT_A_TIME] for start in range(0, len(cases), AT_A_TIME)]
    for done in as_completed([pool.submit(worker.attempt, piece) for piece in pieces]):
        yield from done.result()


if __name__ == "__main__":
    sys.exit(main())
