"""Runs the table: one cloud with all states is built, and each action is done in a copy of the process.

`python -m tests.functions.law.run` compares every state, and with `--third` a third, as the suite does
(tests/functions/test_law_table.py). It is a process of its own, because one with threads of others cannot be copied.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

import pytest

from callseal.aws.calls import CONFIG
from tests.support import functions
from tests.support.clock import Clock
from tests.support.network import Network
from tests.support.stack import REGION, stack

from .deeds import DEEDS
from .ground import Ground
from .rules import RULES
from .states import STATES, State, every_third

Seen = Mapping[str, list[str]]


def see(states: Sequence[State], patch: pytest.MonkeyPatch) -> Seen:
    """Return what each action does to a call of each state."""
    with stack() as cloud, redirect_stdout(sys.stderr):
        clock, network = Clock(), Network(cloud.s3)
        patch.setattr("callseal.wiring.container.now", clock)
        patch.setattr("callseal.wiring.container.Session", network.session)
        patch.setattr("callseal.retention.hold_messages.SETTLE_SECONDS", 0)
        patch.setattr("moto.s3.models.utcnow", lambda: clock().replace(tzinfo=None))
        patch.setitem(CONFIG.retries, "total_max_attempts", 1)  # type: ignore[attr-defined]
        patch.setenv("AWS_REGION", REGION)
        names = ("dispose_recordings", "erase_recordings", "lock_recordings")
        ground = Ground(cloud, clock, *(functions.load(name) for name in names))
        ground.build(states)
        return {action: in_a_copy(lambda act=act: act(ground, states)) for action, act in DEEDS.items()}


def in_a_copy(work: Any) -> Any:
    """Return the result of some work that is done in a copy of this process, with moto and all that it stores."""
    reads, writes = os.pipe()
    with warnings.catch_warnings():
        # No other thread of ours runs now.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            answer = True, work()
        except BaseException:
            answer = False, traceback.format_exc()
        with os.fdopen(writes, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        is_done, result = pickle.load(pipe)
    os.waitpid(child, 0)
    if not is_done:
        raise AssertionError(result)
    return result


def wrong(states: Sequence[State], seen: Seen) -> list[str]:
    """Return the cells in which something else was seen than the rules want."""
    return [
        f"{', '.join(state)}: {action}: {RULES[action](state)!r} expected, {found!r} seen"
        for action, of_action in seen.items()
        for state, found in zip(states, of_action, strict=True)
        if RULES[action](state) != found
    ]


def main() -> int:
    """Compare all states, or a third of them. Return 1 if a cell differs."""
    states = every_third(STATES) if sys.argv[1:] == ["--third"] else STATES
    with pytest.MonkeyPatch.context() as patch:
        differing = wrong(states, seen := see(states, patch))
    print(*differing, sep="\n" if differing else "")
    print(f"law: {len(states)} states, {sum(map(len, seen.values()))} cells, {len(differing)} differ")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
