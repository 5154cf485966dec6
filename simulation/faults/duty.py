"""A duty: what one function owes besides the delivery of recordings, tried like a recording's story.

A duty's `story` says what happens, step by step. Its `judge` looks at what it came to, from outside. The numbers of the
promises are those of the recordings' model, by what is broken: something lost, something to the wrong one, twice, ...
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from simulation.faults.attempt import Attempt
from simulation.faults.model import SILENT, TWICE, schema
from tests.security.privacy.watch import WATCH
from tests.support.stack import sqs_event

INVOCATIONS = 3  # of an asynchronous invocation that fails
MINUTE = timedelta(minutes=1)
# What two events with one id have in common; the moment, and words that depend on it, may differ.
SAME = ("tenant", "reason", "key_version", "recipients", "source", "session")


class Duty(Attempt):
    """One try of a duty; subclasses say what happens and what must have become of it."""

    name: ClassVar[str]
    disturbed: ClassVar[tuple[int, ...]] = (1,)
    # Requests whose refusal the function is right to believe: S3 does not say of an object that stands there that it
    # does not, nor that it is another.
    believed: ClassVar[frozenset[tuple[str, int]]] = frozenset()
    # So many of the requests of one kind in a step are disturbed, where they are all alike.
    most_alike: ClassVar[int] = 100

    def story(self) -> None:
        """Let happen what happens."""
        raise NotImplementedError

    def heal(self) -> None:
        """Let happen what comes later anyway; nothing goes wrong any more."""

    def judge(self) -> None:
        """Complain of what should not be."""
        raise NotImplementedError

    def run(self) -> None:
        """Tell the story, redrive what became a dead letter, and let the rest heal."""
        self._dead: list[tuple[str, list[dict[str, Any]]]] = []
        self._events: dict[str, tuple[str, dict[str, Any]]] = {}
        self.story()
        self.next_step()
        for function, messages in self._dead:
            if self._hand_over(function, messages, lambda _: None):
                self.complain(SILENT, f"{function}: a redriven message is a dead letter again")
        self.heal()

    def look_at_end(self) -> None:
        """Look at what it came to."""
        WATCH.log("\n".join(self._logs))
        for event in self._cloud.audit():
            self._look_at_event(event["detail-type"], event["detail"])
        self.judge()

    def throw_away(self) -> None:
        """Leave the cloud as it was found, but for the tenant's settings and secrets."""
        self._cloud.forget_duties(self._tenant)

    def next_step(self) -> None:
        """Begin the next step of the story."""
        self._step += 1

    def hand_over_bodies(self, function: str, bodies: Iterable[Mapping[str, Any] | str]) -> None:
        """Let a queue hand over a batch, again and again; what fails to the last is a dead letter."""
        self.hand_over_messages(function, sqs_event(*bodies)["Records"])

    def hand_over_messages(self, function: str, messages: list[dict[str, Any]]) -> None:
        """Let a queue hand over these messages."""
        if left := self._hand_over(function, messages, lambda _: None):
            self._dead.append((function, left))

    def invoke_async(self, function: str, event: Mapping[str, Any]) -> Any:
        """Invoke a function as an event does: Lambda tries again twice, a minute later."""
        for _ in range(INVOCATIONS):
            self._ahead += MINUTE
            if (answer := self._invoke(function, event)) is not None:
                return answer
        return None

    def told(self, kind: str, **members: Any) -> list[dict[str, Any]]:
        """Return the events of a kind that have these members, one for each id."""
        return [detail for one, detail in self._events.values()
                if one == kind and all(detail[name] == value for name, value in members.items())]  # fmt: skip

    def must_be_told(self, times: int, kind: str, **members: Any) -> None:
        """Complain unless there are so many ids of such events."""
        found = len(self.told(kind, **members))
        if found != times:
            self.complain(SILENT if found < times else TWICE, f"{found} ids of {kind} events, and not {times}")

    def must_equal(self, promise: int, what: str, found: object, wanted: object) -> None:
        """Complain if something is not what it should be."""
        if found != wanted:
            self.complain(promise, f"{what}: {found}, and not {wanted}")

    def _look_at_event(self, kind: str, detail: dict[str, Any]) -> None:
        if errors := [error.message for error in schema().iter_errors(detail)]:
            self.complain(SILENT, f"a {kind} event does not follow its schema: {errors}")
        before = self._events.setdefault(detail["id"], (kind, detail))[1]
        if differing := [name for name in SAME if before[name] != detail[name]]:
            self.complain(TWICE, f"a {kind} event, repeated, says something else of {differing}")


def notification_of(bucket: str, key: str, **members: str) -> str:
    """Write S3's notification of an object that was put."""
    thing = {"key": key, "size": 14, "eTag": "e", **members}
    record = {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
              "s3": {"bucket": {"name": bucket}, "object": thing}}  # fmt: skip
    return json.dumps({"Records": [record]})
