"""Holds whose scopes overlap, in any order of steps: S3 keeps a call exactly while an unreleased hold has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callseal.calls.call_name import CallName
from callseal.retention.hold import Hold, HoldRefusedError
from callseal.retention.hold_messages import HoldMessage, hold_message
from tests.support.clock import StillClock
from tests.support.holds import APPROVES, ASKS, HoldScene
from tests.support.stack import Stack

ONE, TWO = "+4522334455", "+4733445566"
FACTS: Mapping[str, Mapping[str, str]] = {
    "a": {"caller": ONE, "queue": "orders"},
    "b": {"caller": ONE, "queue": "sales"},
    "c": {"caller": TWO, "queue": "orders"},
}
# By name: the scope, and the calls that are in it.
SCOPES: Mapping[str, tuple[Mapping[str, str], str]] = {
    "one": ({"party": ONE}, "ab"),
    "orders": ({"queue": "ord*"}, "ac"),
    "both": ({"party": ONE, "queue": "sales"}, "b"),
    "all": ({"queue": "*"}, "abc"),
    "named": ({}, "a"),
}
NUMBERS = count()
STEPS = st.one_of(
    st.tuples(st.just("create"), st.sampled_from([*SCOPES]), st.booleans()),
    st.tuples(st.just("release"), st.sampled_from([*SCOPES])),
    st.tuples(st.just("approve"), st.sampled_from([*SCOPES])),
    st.tuples(st.just("deliver"), st.sampled_from([*FACTS])),
    st.tuples(st.just("settle")),
    st.tuples(st.just("work"), st.integers(0, 3)),
)


@dataclass
class Run:
    """The steps of one example. Messages and events wait until a step takes one, in any order."""

    scene: HoldScene
    messages: list[HoldMessage] = field(default_factory=list)
    events: list[CallName] = field(default_factory=list)
    landed: dict[str, str] = field(default_factory=dict)

    def take(self, step: str, *arguments: Any) -> None:
        """Take a step. A refused one changes nothing."""
        self.scene.clock.pass_by(seconds=1)
        getattr(self, f"_{step}")(*arguments)
        bodies = self.scene.cloud.take(self.scene.cloud.environment["LOCK_QUEUE_URL"])
        self.messages += [message for body in bodies if (message := hold_message(body))]
        if not self.messages and not self.events:
            self.check()

    def finish(self) -> None:
        """Take all that waits."""
        while self.messages or self.events:
            self.take("settle")
            self.take("work", 0)
        self.check()

    def check(self) -> None:
        """Compare each call with the holds: its card, its bits, and the list of each hold."""
        holds = self.scene.table.all(self.scene.tenant)
        for name in self.landed:
            call = CallName(self.scene.tenant, name)
            expected = tuple(sorted(hold.name for hold in holds if self._has(hold, name)))
            assert self.scene.card(call.id).holds == expected
            assert self.scene.bits(call.id) == {bool(expected)}
            assert tuple(sorted(hold.name for hold in holds if call.id in self.scene.table.calls(hold))) == expected

    def _has(self, hold: Hold, name: str) -> bool:
        assert hold.state in ("held", "release_asked", "released")
        is_later = self.landed[name] > (hold.scope.placed_at or "") and not hold.scope.future
        is_in_scope = name in SCOPES[hold.name][1] and (hold.name == "named" or not is_later)
        return is_in_scope and hold.state != "released"

    def _create(self, name: str, future: bool) -> None:
        scope: dict[str, Any] = {**SCOPES[name][0]}
        if name == "named":
            scope["calls"] = (CallName(self.scene.tenant, "a").id,)
        _try(lambda: self.scene.create(name, future=future, **scope))

    def _release(self, name: str) -> None:
        _try(lambda: self.scene.people.ask_release(self.scene.tenant, name, ASKS))

    def _approve(self, name: str) -> None:
        _try(lambda: self.scene.people.approve_release(self.scene.tenant, name, APPROVES))

    def _deliver(self, name: str) -> None:
        self.scene.deliver(name, settle=False, **FACTS[name])
        self.events.append(CallName(self.scene.tenant, name))
        self.landed[name] = str(self.scene.card(self.events[-1].id).landed)

    def _settle(self) -> None:
        if self.events:
            self.scene.settle(self.events.pop(0))

    def _work(self, which: int) -> None:
        if self.messages:
            self.scene.do(self.messages.pop(which % len(self.messages)))


def _try(step: Callable[[], object]) -> None:
    with suppress(HoldRefusedError):
        step()


@pytest.fixture
def scene(cloud: Stack, monkeypatch: pytest.MonkeyPatch) -> Callable[[], HoldScene]:
    monkeypatch.setattr("callseal.retention.hold_messages.SETTLE_SECONDS", 0)
    return lambda: HoldScene(cloud, StillClock(), f"tenant-{next(NUMBERS)}")


@settings(max_examples=30, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=25))
def test_a_call_is_kept_exactly_while_an_unreleased_hold_has_it(
    scene: Callable[[], HoldScene], steps: list[tuple[Any, ...]]
) -> None:
    run = Run(scene())
    for step in steps:
        run.take(*step)
    run.finish()
