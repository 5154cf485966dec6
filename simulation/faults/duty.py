"""A duty: what one function must do besides the delivery of recordings, attempted like a recording's story.

A duty's `story` defines what happens, step by step. Its `judge` checks the result from outside. The numbers of the
promises are those of the recordings' model, by the kind of failure: lost, sent to the wrong recipient, doubled, ...
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
# The members that two events with the same id share. The time, and texts that depend on it, may differ.
SAME = ("tenant", "reason", "key_version", "recipients", "source", "session")


class Duty(Attempt):
    """One attempt at a duty. Subclasses define the story and the expected result."""

    name: ClassVar[str]
    disturbed: ClassVar[tuple[int, ...]] = (1,)
    # Requests whose refusal the function is right to believe: S3 never reports an existing object as missing or as a
    # different object.
    believed: ClassVar[frozenset[tuple[str, int]]] = frozenset()
    # If the requests of an operation in a step are all alike, at most this many of them are disturbed.
    most_alike: ClassVar[int] = 100

    def story(self) -> None:
        """Run the story."""
        raise NotImplementedError

    def heal(self) -> None:
        """Run what happens later in any case. No faults occur any more."""

    def judge(self) -> None:
        """Record a complaint for each wrong result."""
        raise NotImplementedError

    def run(self) -> None:
        """Run the story, redrive the dead letters, then run what heals the rest."""
        self._dead: list[tuple[str, list[dict[str, Any]]]] = []
        self._events: dict[str, tuple[str, dict[str, Any]]] = {}
        self.story()
        self.next_step()
        for function, messages in self._dead:
            if self._hand_over(function, messages, lambda _: None):
                self.complain(SILENT, f"{function}: a redriven message is a dead letter again")
        self.heal()

    def look_at_end(self) -> None:
        """Check the logs, the audit events and the result."""
        WATCH.log("\n".join(self._logs))
        for event in self._cloud.audit():
            self._look_at_event(event["detail-type"], event["detail"])
        self.judge()

    def throw_away(self) -> None:
        """Restore the cloud to its state before the attempt, except for the tenant's settings and secrets."""
        self._cloud.forget_duties(self._tenant)

    def next_step(self) -> None:
        """Begin the next step of the story."""
        self._step += 1

    def hand_over_bodies(self, function: str, bodies: Iterable[Mapping[str, Any] | str]) -> None:
        """Deliver a batch from a queue repeatedly. Messages that fail every time become dead letters."""
        self.hand_over_messages(function, sqs_event(*bodies)["Records"])

    def hand_over_messages(self, function: str, messages: list[dict[str, Any]]) -> None:
        """Deliver these messages from a queue."""
        if left := self._hand_over(function, messages, lambda _: None):
            self._dead.append((function, left))

    def invoke_async(self, function: str, event: Mapping[str, Any]) -> Any:
        """Invoke a function asynchronously: Lambda retries twice, a minute apart."""
        for _ in range(INVOCATIONS):
            self._ahead += MINUTE
            if (answer := self._invoke(function, event)) is not None:
                return answer
        return None

    def told(self, kind: str, **members: Any) -> list[dict[str, Any]]:
        """Return the events of a type that have these members, one for each id."""
        return [detail for one, detail in self._events.values()
                if one == kind and all(detail[name] == value for name, value in members.items())]  # fmt: skip

    def must_be_told(self, times: int, kind: str, **members: Any) -> None:
        """Complain unless exactly this many ids of such events exist."""
        found = len(self.told(kind, **members))
        if found != times:
            self.complain(SILENT if found < times else TWICE, f"{found} ids of {kind} events, and not {times}")

    def must_equal(self, promise: int, what: str, found: object, wanted: object) -> None:
        """Complain if a value differs from the expected one."""
        if found != wanted:
            self.complain(promise, f"{what}: {found}, and not {wanted}")

    def _look_at_event(self, kind: str, detail: dict[str, Any]) -> None:
        if errors := [error.message for error in schema().iter_errors(detail)]:
            self.complain(SILENT, f"a {kind} event does not follow its schema: {errors}")
        before = self._events.setdefault(detail["id"], (kind, detail))[1]
        if differing := [name for name in SAME if before[name] != detail[name]]:
            self.complain(TWICE, f"a {kind} event, repeated, says something else of {differing}")


def notification_of(bucket: str, key: str, **members: str) -> str:
    """Return S3's notification of an object that was put."""
    s3_object = {"key": key, "size": 14, "eTag": "e", **members}
    record = {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
              "s3": {"bucket": {"name": bucket}, "object": s3_object}}  # fmt: skip
    return json.dumps({"Records": [record]})
