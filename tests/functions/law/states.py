"""The states of the table: each combination of lock, hold, erasure and file that can exist, and why others cannot."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

from callseal.calls.call_name import CallName

NONE, GOVERNANCE, COMPLIANCE = "none", "governance", "compliance"
RUNNING, ENDED = "running", "ended"
HELD, FUTURE, ASKED, RELEASED = "held", "future", "release asked", "released"
REQUESTED, APPROVED, ANONYMISE, REST = "requested", "approved", "anonymise", "done but for a rest"
SEALED, PLAIN, FETCHED = "archive, sealed", "archive, plain", "archive, fetched"
SFTP_ONLY, LANDING, GONE = "SFTP only", "held in landing", "gone"

# The values of each dimension, in the order of `State`.
DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "lock": (NONE, GOVERNANCE, COMPLIANCE),
    "until": (RUNNING, ENDED),
    "hold": (NONE, HELD, FUTURE, ASKED, RELEASED),
    "erasure": (NONE, REQUESTED, APPROVED, ANONYMISE, REST),
    "file": (SEALED, PLAIN, FETCHED, SFTP_ONLY, LANDING, GONE),
}
ARCHIVED, IN_FORCE, OPEN = (SEALED, PLAIN, FETCHED), (HELD, FUTURE, ASKED), (APPROVED, ANONYMISE, REST)


class State(NamedTuple):
    """What a recording is under, and where it is. `until` says whether the class's `keep` still runs."""

    lock: str
    until: str
    hold: str
    erasure: str
    file: str

    @property
    def call(self) -> CallName:
        """The call in this state."""
        return CallName("acme", "-".join(self).replace(" ", "_").replace(",", ""))

    @property
    def class_(self) -> str:
        """The class of the call, which its agent has as well."""
        return f"{self.lock}-{self.until}"

    @property
    def is_locked(self) -> bool:
        """Whether S3 has a lock on the file that still runs."""
        return self.lock != NONE and self.until == RUNNING and self.file in ARCHIVED


def impossible(state: State) -> str | None:
    """Return why a state cannot exist, or None if it can."""
    if state.file == GONE and state.hold in IN_FORCE:
        return "a held recording is never gone"
    if state.file == GONE and state.erasure in (NONE, REQUESTED) and state.until == RUNNING:
        return "nothing but an erasure deletes a recording while `keep` runs"
    if state.file == GONE and state.erasure in OPEN and (state.lock, state.until) == (COMPLIANCE, RUNNING):
        return "a lock in mode COMPLIANCE that runs is never passed"
    if state.erasure == REST and state.file == GONE:
        return "an erasure of a recording that is gone has no rest"
    if state.erasure == REST and state.hold == NONE and not (state.lock == COMPLIANCE and state.file in ARCHIVED):
        return "only a hold, or a lock in mode COMPLIANCE, leaves a rest"
    return None


def all_states() -> list[State]:
    """Return each combination."""
    return [State(*values) for values in product(*DIMENSIONS.values())]


STATES = [state for state in all_states() if impossible(state) is None]


def every_third(states: list[State]) -> list[State]:
    """Return a third of the states, in which each pair of values that can meet still meets."""
    places = {value: number for values in DIMENSIONS.values() for number, value in enumerate(values)}
    return [state for state in states if sum(places[value] for value in state) % 3 == 0]
