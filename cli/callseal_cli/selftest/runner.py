"""Run checks one after the other, each with its own time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from callseal_cli.errors import explain
from callseal_cli.selftest.model import Check, CheckFailedError, NotTriedError, Result, State, Wait
from callseal_cli.selftest.trial import Trial


def run(
    checks: Sequence[Check], trial: Trial, total: Wait, limit: float | None, step: Callable[[str], None]
) -> list[Result]:
    """Return the results in the order of the checks.

    `total` limits the time of all checks, and `limit` that of each check, in seconds. `step` is called with each name.
    """
    results: dict[str, Result] = {}
    for check in checks:
        step(check.name)
        results[check.name] = _result(check, trial, results, min(check.seconds, limit or check.seconds, total.left))
    return list(results.values())


def _result(check: Check, trial: Trial, before: dict[str, Result], seconds: float) -> Result:
    if trial.stack.is_local and not check.local:
        return Result(check, State.ONLY_AWS, "Not run here.")
    if missing := [name for name in check.needs if not before[name].holds]:
        return Result(check, State.NOT_TRIED, f"It needs {', '.join(repr(name) for name in missing)}.")
    if not seconds:
        return Result(check, State.NOT_TRIED, "No time was left for it.")
    started = time.monotonic()
    state, message = _outcome(check, trial, Wait(seconds))
    return Result(check, state, message, time.monotonic() - started)


def _outcome(check: Check, trial: Trial, wait: Wait) -> tuple[State, str]:
    try:
        seen = check.run(trial, wait)
    except NotTriedError as exc:
        return State.NOT_TRIED, str(exc)
    except CheckFailedError as exc:
        return State.FAILED, str(exc)
    except Exception as exc:
        # An error of AWS or of the stack fails the check. A fault of this program is raised.
        if not (sentence := explain(exc)):
            raise
        return State.FAILED, sentence
    if trial.stack.is_local and check.only_aws:
        return State.ONLY_AWS, f"Here: {seen[0].lower()}{seen[1:]}"
    return State.PASSED, seen
