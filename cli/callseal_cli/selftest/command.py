"""`callseal selftest`: does this deployment do what it promises?"""

from __future__ import annotations

import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from callseal_cli.options import AsJson, Exit, StackName, now
from callseal_cli.screen import Part, Screen, Table, complain
from callseal_cli.selftest import observe, removal, runner
from callseal_cli.selftest.checks import CHECKS, sftp
from callseal_cli.selftest.model import Result, State, Wait
from callseal_cli.selftest.private_keys import gpg_program
from callseal_cli.selftest.removal import Removal
from callseal_cli.selftest.trial import PREFIX, Trial
from callseal_cli.stack import Stack, find_stack

# Longer than any run: what is younger may be another operator's.
LEFT_OVER = timedelta(minutes=15)
# Before the removal, which takes under a minute: the whole stays under five.
RUN_SECONDS = 235.0
COLUMNS = ("check", "result", "seconds", "seen")
COUNTS = {"passed": State.PASSED, "failed": State.FAILED, "only_on_aws": State.ONLY_AWS, "not_tried": State.NOT_TRIED}


def selftest(
    limit: Annotated[
        float | None, typer.Option("--limit", min=1, metavar="SECONDS", help="Wait no longer than this in any check.")
    ] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> int:
    """Prove a deployment on the spot, in under five minutes; exit code 1 if something fails.

    Canary tenants with keys made on the spot land a recording in each envelope; it is delivered, opened and compared,
    fetched by SFTP, and looked for in the audit. All of it is removed again but logged and locked audit events.
    What only AWS can answer is never shown as passed on the local cloud.
    """
    screen, found, whole = Screen(as_json), find_stack(stack), Wait(RUN_SECONDS)
    began = time.monotonic()
    gpg_program()
    sftp.require_client(found)
    leftovers = observe.leftovers(found, now() - LEFT_OVER)
    swept = removal.remove(found, leftovers)
    with tempfile.TemporaryDirectory(prefix="cs-") as folder, _terminated_as_interrupted():
        results, removed = _tried(Trial(found, Path(folder), now()), screen, whole, limit)
    took = time.monotonic() - began
    document = _document(found, results, leftovers, swept, removed, took)
    screen.show(document, *_parts(document, results))
    return Exit.NO if document["failed"] or document["not_removed"] else Exit.DONE


def _tried(trial: Trial, screen: Screen, whole: Wait, limit: float | None) -> tuple[list[Result], Removal]:
    """Run the checks and remove what they made, also if they break off."""
    results: list[Result] = []
    try:
        with screen.steps(len(CHECKS)) as step:
            trial.take_on()
            results = runner.run(CHECKS, trial, whole, limit, step)
    finally:
        with _uninterrupted():
            trial.close()
            removed = removal.remove(trial.stack, trial.tenants)
            if not results:
                for problem in removed.problems:
                    complain(f"Not removed of {trial.name}: {problem}", as_json=False)
    return results, removed


def _document(
    stack: Stack, results: Sequence[Result], leftovers: Sequence[str], swept: Removal, removed: Removal, took: float
) -> dict[str, Any]:
    counts = Counter(result.state for result in results)
    return {
        "stack": stack.name,
        "region": stack.region,
        "local": stack.is_local,
        **{name: counts[state] for name, state in COUNTS.items()},
        "seconds": round(took, 1),
        "checks": [result.document for result in results],
        "removed": dict(removed.removed),
        "not_removed": [*swept.problems, *removed.problems],
        "leftovers_removed": list(leftovers),
        "remains": _remains(stack),
    }


def _remains(stack: Stack) -> list[str]:
    """Name what is not removed: what records that the trial took place."""
    events = f"audit events of the tenants {PREFIX}..."
    locked = stack.outputs.get("AuditBucketName")
    return [
        f"{events} in the log group {stack.output('AuditLogGroupName')}",
        *([f"{events} in the locked bucket {locked}"] if locked else []),
        "lines of the functions' own logs",
    ]


def _parts(document: dict[str, Any], results: Sequence[Result]) -> Iterator[Part]:
    # A long message would make the table wider than any terminal.
    yield Table(COLUMNS, [(one.check.name, one.state, f"{one.seconds:.1f}", _seen(one)) for one in results])
    if questions := [f"  {one.check.name}: {one.check.only_aws}" for one in results if one.state is State.ONLY_AWS]:
        yield "\n".join(["\nOnly AWS can show:", *questions])
    for one in results:
        if one.state is State.FAILED:
            yield f"\n{one.check.name} failed: {one.message}\n  What should hold: {one.check.proves}"
            yield f"  What it means: {one.check.means}\n  Where to look: docs/operations.md, '{one.check.look}'."
    counts = ", ".join(f"{document[name]} {state}" for name, state in COUNTS.items())
    yield f"\n{counts}; {document['seconds']:.0f} s."
    yield from (f"Not removed: {problem}" for problem in document["not_removed"])
    if document["leftovers_removed"]:
        yield f"An interrupted run had left {len(document['leftovers_removed'])} canary tenants: they are removed."
    yield "\n".join(["Everything was removed but for:", *(f"  {one}" for one in document["remains"])])


def _seen(result: Result) -> str:
    return "see below" if result.state is State.FAILED else result.message


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """End by SIGTERM as by Ctrl-C: with what was made removed."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let a second Ctrl-C not stop the removal."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
