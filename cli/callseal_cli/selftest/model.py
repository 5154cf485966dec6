"""Checks and their results, as plain values without AWS."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from callseal.core.errors import CallsealError

if TYPE_CHECKING:
    from callseal_cli.selftest.trial import Trial

PAUSE_SECONDS = 0.5
T = TypeVar("T")


class State(StrEnum):
    """The outcome of a check."""

    PASSED = "passed"
    FAILED = "failed"
    ONLY_AWS = "only on AWS"
    NOT_TRIED = "not tried"


class CheckFailedError(CallsealError):
    """The check failed. The message says what happened."""


class NotTriedError(CallsealError):
    """The check does not apply to this deployment. The message says why."""


class Wait:
    """A time limit."""

    def __init__(self, seconds: float) -> None:
        """Start the limit now."""
        self.seconds = seconds
        self._ends = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """The remaining seconds, 0 after the end."""
        return max(0.0, self._ends - time.monotonic())

    @property
    def passed(self) -> float:
        """The elapsed seconds, at most the limit."""
        return self.seconds - self.left

    def until(self, poll: Callable[[], T]) -> T:
        """Call `poll` until its result is true or the time is over, and return the last result."""
        while not (found := poll()) and self.left:
            time.sleep(min(PAUSE_SECONDS, self.left))
        return found


Run = Callable[["Trial", Wait], str]


@dataclass(frozen=True, slots=True)
class Check:
    """A check: `run` returns what was seen, or raises CheckFailedError or NotTriedError.

    `proves` is a sentence, `means` says what a failure means, and `look` is a heading of docs/operations.md. The check
    is not tried unless all of `needs` hold. `only_aws` is the question that only AWS can answer: on the local cloud
    such a check never passes, and without `local` it is not run there.
    """

    name: str
    proves: str
    run: Run
    seconds: float
    means: str
    look: str
    needs: tuple[str, ...] = ()
    only_aws: str | None = None
    local: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a check: its state, what was seen, and its duration in seconds."""

    check: Check
    state: State
    message: str
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether the checks that need this one can be tried."""
        return self.state in (State.PASSED, State.ONLY_AWS)

    @property
    def document(self) -> Mapping[str, object]:
        """The result as a JSON object. `means` and `look` are null unless the check failed."""
        failed = self.state is State.FAILED
        return {
            "check": self.check.name,
            "state": self.state,
            "seconds": round(self.seconds, 1),
            "proves": self.check.proves,
            "message": self.message,
            "only_aws": self.check.only_aws,
            "means": self.check.means if failed else None,
            "look": f"docs/operations.md, '{self.check.look}'" if failed else None,
        }


def check(
    name: str,
    *,
    seconds: float,
    means: str,
    look: str,
    needs: tuple[str, ...] = (),
    only_aws: str | None = None,
    local: bool = True,
) -> Callable[[Run], Check]:
    """Turn a function into a check. Its docstring becomes the sentence `proves`."""

    def made(run: Run) -> Check:
        proves = (run.__doc__ or "").strip()
        return Check(name, proves, run, seconds, means, look, needs, only_aws, local)

    return made
