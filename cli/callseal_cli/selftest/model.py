"""What a check is and what comes out of it: plain values, without AWS."""

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
    """What came out of a check."""

    PASSED = "passed"
    FAILED = "failed"
    ONLY_AWS = "only on AWS"
    NOT_TRIED = "not tried"


class CheckFailedError(CallsealError):
    """The check failed; the message says what happened."""


class NotTriedError(CallsealError):
    """The check does not apply to this deployment; the message says why."""


class Wait:
    """The time that a check has, in seconds."""

    def __init__(self, seconds: float) -> None:
        """Start the time."""
        self.seconds = seconds
        self._ends = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left, 0 at the end."""
        return max(0.0, self._ends - time.monotonic())

    @property
    def passed(self) -> float:
        """The seconds that have passed."""
        return self.seconds - self.left

    def until(self, look: Callable[[], T]) -> T:
        """Return the first answer of `look` that is true, or its last answer when the time is over."""
        while not (found := look()) and self.left:
            time.sleep(min(PAUSE_SECONDS, self.left))
        return found


Run = Callable[["Trial", Wait], str]


@dataclass(frozen=True, slots=True)
class Check:
    """A check: `run` returns what was seen, or raises CheckFailedError or NotTriedError.

    `proves` is a sentence; `means` says what a failure means; `look` is a heading of docs/operations.md; `needs` are
    the checks without which it cannot be tried. `only_aws` is what only AWS can answer: on the local cloud such a check
    never passes, and it is not even run there if it is not `local`.
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
    """What came out of a check: its state, what was seen, and the seconds that it took."""

    check: Check
    state: State
    message: str
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether checks that need this one can be tried."""
        return self.state in (State.PASSED, State.ONLY_AWS)

    @property
    def document(self) -> Mapping[str, object]:
        """The result for JSON; `means` and `look` are null unless it failed, `only_aws` unless it asks AWS."""
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
    """Make a check of a function, whose docstring is the sentence that it proves."""

    def made(run: Run) -> Check:
        proves = (run.__doc__ or "").strip()
        return Check(name, proves, run, seconds, means, look, needs, only_aws, local)

    return made
