"""A storm: thousands of recordings, while keys change and break, events get lost and requests fail.

At the end each recording is delivered exactly once or held for the true reason, the audit accounts for each, and no
other objects exist anywhere. Meanwhile people use the archive, and get what they may and nothing else. See
simulation/storm/plan.py for what happens, simulation/storm/judge.py and simulation/storm/access_judge.py for what
counts as broken.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from random import SystemRandom

from rich.console import Console
from rich.table import Table

from simulation.storm.broken import OF_LAW, VARIANTS, unfair
from simulation.storm.crowd import Crowd
from simulation.storm.judge import Verdict, dump
from simulation.storm.law import LawStorm
from simulation.storm.plan import draw
from simulation.storm.storm import MIB, Figures, Storm
from tests.support import keys

MOST_TOLD = 40
# What people did, in the line of figures about them.
PEOPLE = ("sign-ins", "searches", "cards", "plays", "sealed plays", "downloads", "shares", "openings",
          "plays of shares", "cancellations", "expiries", "refusals")  # fmt: skip


def main() -> int:
    """Run, and return the exit code."""
    options = _options()
    if options.self_check:
        return _self_check()
    if options.stuck:
        return _crowd(options.stuck, unfair if options.broken == "unfair" else None)
    seed = options.seed if options.seed is not None else SystemRandom().randrange(10**6)
    if options.law:
        return _law(options.law, seed, options.failing / 100, OF_LAW.get(options.broken))
    _say(f"seed {seed}: {options.recordings} recordings of {options.tenants} tenants, {options.failing:g} % failing")
    if options.broken:
        _say(f"broken on purpose: {options.broken}")
    storm = Storm(draw(seed, options.recordings, options.tenants), seed, options.failing / 100, _say,
                  VARIANTS.get(options.broken))  # fmt: skip
    try:
        verdict = storm.run()
    finally:
        storm.close()
        keys.clean_up()
    _report(verdict, storm.figures)
    return int(bool(verdict.complaints))


def _self_check() -> int:
    """Run a small storm with each promise broken. Return 0 if it detected all of them."""
    missed, small = list[str](), ("--recordings", "60", "--tenants", "10")
    for promise in [*filter(None, VARIANTS), *OF_LAW]:
        kind = ("--law", "60") if promise in OF_LAW else small
        command = [sys.executable, "-m", "simulation.storm", "--seed", "9", *kind]
        done = subprocess.run([*command, "--broken", promise], capture_output=True, text=True)
        _say(f"{promise} broken on purpose: {'seen' if done.returncode == 1 else 'NOT SEEN'}")
        missed += [promise] if done.returncode != 1 else []
    return int(bool(missed))


def _crowd(stuck: int, break_it: Callable[[], None] | None) -> int:
    crowd = Crowd(stuck, _say, break_it)
    try:
        waited = crowd.run()
    finally:
        crowd.close()
        keys.clean_up()
    for line in waited.late[:MOST_TOLD]:
        _say(f"BROKEN late {line}")
    by_sweeps = ", ".join(f"{count} after {sweeps}" for sweeps, count in sorted(waited.sweeps.items()))
    _say(f"seconds: {waited.seconds:.0f}")
    _say(f"longest queue: {waited.longest_queue} messages")
    _say(f"crowd: {stuck} files of one stuck tenant; the others' were delivered by sweeps: {by_sweeps or 'none'}; "
         f"{len(waited.late)} late")  # fmt: skip
    return int(bool(waited.late))


def _law(calls: int, seed: int, share: float, break_it: Callable[[], None] | None) -> int:
    _say(f"seed {seed}: {calls} calls under the law, {100 * share:g} % of the requests failing")
    storm = LawStorm(calls, seed, share, _say, break_it)
    try:
        verdict = storm.run()
    finally:
        storm.close()
        keys.clean_up()
    for kind, what, seen in verdict.complaints[:MOST_TOLD]:
        _say(f"BROKEN {kind} {what}: {seen}")
    figures = storm.figures
    _show([("seconds", f"{figures.seconds:.0f}"), ("requests in the storm", f"{figures.requests:,}"),
           ("of these disturbed", f"{sum(figures.befallen.values()):,}"),
           *((what, f"{count:,}") for what, count in sorted((figures.counts + verdict.outcomes).items()))])  # fmt: skip
    early, late, unsaid, doubled = (verdict.count(kind) for kind in ("early", "late", "unsaid", "doubled"))
    _say(f"law: {verdict.calls} calls, {verdict.outcomes['disposed']} disposed, {verdict.outcomes['erased']} erased, "
         f"{verdict.outcomes['kept']} kept, {early} early, {late} late, {unsaid} erased in part unsaid, "
         f"{doubled} doubled")  # fmt: skip
    return int(bool(verdict.complaints))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m simulation.storm",
        description=__doc__,
        epilog="The last line counts files: N recordings, D delivered, H held, L lost, P leaked, W swapped, U doubled. "
        "The line before it counts what people did in the archive, G leaked to them and N unaudited. "
        "Exit code 1 if anything is broken, in the line or said above it (silent, against policy, told in a log, the "
        "queue, memory).",
    )
    parser.add_argument("--seed", type=int, help="draw the same plan again [a new one, which is printed]")
    parser.add_argument("--recordings", type=int, default=5000, help="how many files land [5000]")
    parser.add_argument("--tenants", type=int, default=50, help="of how many tenants [50]")
    parser.add_argument("--failing", type=float, default=5.0, metavar="PERCENT", help="of the requests [5]")
    about_stuck = "instead: one tenant is stuck with so many files [20000 is the whole]; the others' must not be late"
    parser.add_argument("--stuck", type=int, metavar="FILES", help=about_stuck)
    about_law = "instead: so many calls are kept, held, disposed of and erased; its last line counts what was broken"
    parser.add_argument("--law", type=int, metavar="CALLS", help=about_law)
    parser.add_argument("--self-check", action="store_true", help="instead: break each promise in a small storm")
    parser.add_argument(
        "--broken",
        choices=sorted([*(name for name in VARIANTS if name), *OF_LAW, "unfair"]),
        help=f"break a promise on purpose; must end with 1; `unfair` goes with --stuck, {', '.join(OF_LAW)} with --law",
    )
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, flush=True)


def _report(verdict: Verdict, figures: Figures) -> None:
    for line in dump(verdict.complaints[:MOST_TOLD]).splitlines():
        _say(line)
    if len(verdict.complaints) > MOST_TOLD:
        _say(f"and {len(verdict.complaints) - MOST_TOLD} more")
    for line in verdict.notes:
        _say(f"IN TWO FORMS {line}")
    _show(list(_rows(verdict, figures)))
    _say(f"people: {', '.join(f'{figures.people[what]} {what}' for what in PEOPLE)}, "
         f"{verdict.count('G')} leaked, {verdict.count('N')} unaudited")  # fmt: skip
    lost, leaked, swapped, doubled = (verdict.count(letter) for letter in ("L", "P", "W", "U"))
    _say(f"storm: {verdict.recordings} recordings, {verdict.delivered} delivered, {verdict.held} held, {lost} lost, "
         f"{leaked} leaked, {swapped} swapped, {doubled} doubled")  # fmt: skip


def _rows(verdict: Verdict, figures: Figures) -> Iterator[tuple[str, str]]:
    yield "seconds", f"{figures.seconds:.0f}"
    yield "requests in the storm", f"{figures.requests:,}"
    failed = sum(figures.befallen.values())
    yield "of these disturbed", f"{failed:,} ({100 * failed / max(1, figures.requests):.1f} %)"
    yield from ((f"  {what}", f"{count:,}") for what, count in sorted(figures.befallen.items()))
    yield from ((what, f"{count:,}") for what, count in sorted((figures.counts + verdict.counts).items()))
    yield from ((f"held for {reason}", f"{count:,}") for reason, count in sorted(verdict.reasons.items()))
    yield "in two forms around a change", f"{len(verdict.notes):,}"
    yield "silent", f"{verdict.count('S'):,}"
    yield "against policy", f"{verdict.count('A'):,}"
    memory = " / ".join(f"{size / MIB:.0f}" for size in figures.memory)
    yield "a worker's memory at 10 %, 50 %, the end (MiB)", memory


def _show(rows: list[tuple[str, str]]) -> None:
    if not sys.stdout.isatty():
        for what, value in rows:
            _say(f"{what}: {value}")
        return
    table = Table("figure", "value", title="The storm")
    table.columns[1].justify = "right"
    for what, value in rows:
        table.add_row(what, value)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
