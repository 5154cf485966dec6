"""`callseal selftest`: run the checks on canary tenants, remove these, and print the results."""

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
from callseal_cli.screen import Part, Screen, Table, print_error
from callseal_cli.selftest import observe, removal, runner
from callseal_cli.selftest.checks import CHECKS, sftp
from callseal_cli.selftest.model import Result, State, Wait
from callseal_cli.selftest.private_keys import gpg_program
from callseal_cli.selftest.removal import Removal
from callseal_cli.selftest.trial import PREFIX, Trial
from callseal_cli.stack import Stack, find_stack

# Longer than any run: younger canaries may belong to another operator's run.
LEFT_OVER = timedelta(minutes=15)
# Without the removal, which takes under a minute: the whole run stays under five minutes.
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
    """Test a deployment in under five minutes. Exit code 1 if something fails.

    Canary tenants with new keys land recordings for each envelope. The recordings are delivered, opened, compared,
    fetched by SFTP, and looked up in the audit trail. Then everything is removed except logged and locked audit events.
    A question that only AWS can answer is never shown as passed on the local cloud.
    """
    screen, found, total = Screen(as_json), find_stack(stack), Wait(RUN_SECONDS)
    began = time.monotonic()
    gpg_program()
    sftp.require_client(found)
    leftovers = observe.leftovers(found, now() - LEFT_OVER)
    swept = removal.remove(found, leftovers)
    with tempfile.TemporaryDirectory(prefix="cs-") as folder, _terminated_as_interrupted():
        results, removed = _run_checks(Trial(found, Path(folder), now()), screen, total, limit)
    took = time.monotonic() - began
    document = _document(found, results, leftovers, swept, removed, took)
    screen.show(document, *_parts(document, results))
    return Exit.NO if document["failed"] or document["not_removed"] else Exit.DONE


def _run_checks(trial: Trial, screen: Screen, total: Wait, limit: float | None) -> tuple[list[Result], Removal]:
    """Run the checks and remove what they created, even if they are interrupted. Return results and removal."""
    results: list[Result] = []
    try:
        with screen.steps(len(CHECKS)) as step:
            trial.add_tenants()
            results = runner.run(CHECKS, trial, total, limit, step)
    finally:
        with _uninterrupted():
            trial.close()
            removed = removal.remove(trial.stack, trial.tenants)
            if not results:
                for problem in removed.problems:
                    print_error(f"Not removed of {trial.name}: {problem}", as_json=False)
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
    """Return what is never removed: the records of the trial in logs and in the audit bucket."""
    events = f"audit events of the tenants {PREFIX}..."
    locked = stack.outputs.get("AuditBucketName")
    return [
        f"{events} in the log group {stack.output('AuditLogGroupName')}",
        *([f"{events} in the locked bucket {locked}"] if locked else []),
        "lines of the functions' own logs",
    ]


def _parts(document: dict[str, Any], results: Sequence[Result]) -> Iterator[Part]:
    yield Table(COLUMNS, [(each.check.name, each.state, f"{each.seconds:.1f}", _seen(each)) for each in results])
    if questions := [f"  {each.check.name}: {each.check.only_aws}" for each in results if each.state is State.ONLY_AWS]:
        yield "\n".join(["\nOnly AWS can show:", *questions])
    for result in results:
        if result.state is State.FAILED:
            yield f"\n{result.check.name} failed: {result.message}\n  What should hold: {result.check.proves}"
            yield f"  What it means: {result.check.means}\n  Where to look: docs/operations.md, '{result.check.look}'."
    counts = ", ".join(f"{document[name]} {state}" for name, state in COUNTS.items())
    yield f"\n{counts}; {document['seconds']:.0f} s."
    yield from (f"Not removed: {problem}" for problem in document["not_removed"])
    if document["leftovers_removed"]:
        yield f"An interrupted run had left {len(document['leftovers_removed'])} canary tenants. They were removed."
    yield "\n".join(["Everything was removed except:", *(f"  {remains}" for remains in document["remains"])])


def _seen(result: Result) -> str:
    # The message of a failure would make the table wider than any terminal, so it is printed below.
    return "see below" if result.state is State.FAILED else result.message


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Handle SIGTERM like Ctrl-C, so that the canaries are removed."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore SIGINT and SIGTERM during the removal."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
