"""A simulated year of the law: calls land, classes change, holds are placed and released, erasures are asked for.

The functions run against moto in this process, with a clock that passes by days. An independent judge looks at every
call each day: whether it must be there, may go, or must be gone. See simulation/year/model.py for its rules.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import timedelta
from random import SystemRandom

from rich.console import Console
from rich.table import Table

from simulation.year.broken import VARIANTS
from simulation.year.findings import KINDS
from simulation.year.year import Verdict, simulate
from tests.support import keys

WEEKS_DAYS = 40


def main() -> int:
    """Run, and return the exit code."""
    options = _options()
    if options.self_check:
        return _self_check(options.seed or 1)
    seed = options.seed if options.seed is not None else SystemRandom().randrange(10**6)
    _say(f"seed {seed}: {options.days} days")
    if options.broken:
        _say(f"broken on purpose: {options.broken}")
    began = time.monotonic()
    try:
        verdict = simulate(seed, options.days, _say, options.broken)
    finally:
        keys.clean_up()
    _report(verdict, timedelta(seconds=int(time.monotonic() - began)))
    return int(bool(verdict.findings.lines))


def _self_check(seed: int) -> int:
    """Let some weeks pass with each variant of the product that is broken. Return 0 if the judge found all of them."""
    missed = 0
    for name, (_, kinds) in VARIANTS.items():
        found = set(simulate(seed, WEEKS_DAYS, lambda _: None, name).findings.counts)
        is_seen = bool(found & kinds)
        _say(f"{name} broken on purpose: {'seen' if is_seen else 'NOT SEEN'}, {', '.join(sorted(found)) or 'nothing'}")
        missed += not is_seen
    keys.clean_up()
    return int(bool(missed))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m simulation.year",
        description=__doc__,
        epilog="The last line counts what is broken. Exit code 1 if anything is.",
    )
    parser.add_argument("--days", type=int, default=366, help="how many days pass [366]")
    parser.add_argument("--seed", type=int, help="let the same happen again [a new one, which is printed]")
    about_check = "instead: break the product in each way, for some weeks"
    parser.add_argument("--self-check", action="store_true", help=about_check)
    about_broken = "break the product on purpose; must end with 1"
    parser.add_argument("--broken", choices=sorted(VARIANTS), help=about_broken)
    return parser.parse_args()


def _report(verdict: Verdict, took: timedelta) -> None:
    rows = [(what, f"{count:,}") for what, count in sorted(verdict.figures.items())]
    rows += [("longest time from the end to the delete", str(verdict.latest).partition(".")[0]), ("time", str(took))]
    _show(rows)
    found = ", ".join(f"{verdict.findings.counts[kind]} {kind}" for kind in KINDS)
    _say(f"year: {verdict.figures['calls landed']} calls, {found}")


def _show(rows: list[tuple[str, str]]) -> None:
    if not sys.stdout.isatty():
        for what, value in rows:
            _say(f"{what}: {value}")
        return
    table = Table("figure", "value", title="The year")
    table.columns[1].justify = "right"
    for what, value in rows:
        table.add_row(what, value)
    Console().print(table)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
