"""The audit bus: puts events on EventBridge, and fails for each event that EventBridge did not accept."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from callseal.aws.batching import BatchWindow, RequestBatcher
from callseal.aws.calls import calling
from callseal.core.audit import SOURCE, AuditEvent
from callseal.core.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

TRIES = 3
PAUSE_SECONDS = 0.2
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
MAX_ENTRIES = 10


class AuditBus:
    """Puts audit events on an EventBridge bus. Thread-safe: several threads' events share a request.

    The events of a request have one detail type. A role's policy allows detail types by the condition key
    `events:detail-type`, which AWS documents as a single value:
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
    """

    def __init__(self, events: EventBridgeClient, name: str, window: BatchWindow) -> None:
        """`name` is the bus's name or ARN. `window` makes threads that work at the same time share requests."""
        self._events = events
        self._name = name
        self._batcher = RequestBatcher(self._put, MAX_ENTRIES, window)

    def put(self, event: AuditEvent) -> None:
        """Put an event. Raises TransientError if it was not accepted."""
        self._batcher.put(event)

    def put_all(self, events: Sequence[AuditEvent]) -> list[Exception | None]:
        """Put events in few requests. Return a list with None for each accepted event, and an error for any other."""
        outcomes: list[Exception | None] = []
        for first in range(0, len(events), MAX_ENTRIES):
            chunk = events[first : first + MAX_ENTRIES]
            try:
                outcomes += self._put(chunk)
            except TransientError as exc:
                outcomes += [exc] * len(chunk)
        return outcomes

    def _put(self, events: Sequence[AuditEvent]) -> list[Exception | None]:
        """Put events, one detail type after the other, so that a type that fails does not affect the others."""
        kinds = dict.fromkeys(event.detail_type for event in events)
        errors = {kind: iter(self._try([event for event in events if event.detail_type == kind])) for kind in kinds}
        return [next(errors[event.detail_type]) for event in events]

    def _try(self, events: Sequence[AuditEvent]) -> Sequence[Exception | None]:
        try:
            return self._put_one_kind(events)
        except TransientError as exc:
            return [exc] * len(events)

    def _put_one_kind(self, events: Sequence[AuditEvent]) -> list[Exception | None]:
        """Put events, and repeat the rejected ones: three attempts in all.

        PutEvents returns status 200 even if it accepted no event.
        """
        refused = dict.fromkeys(range(len(events)), "")
        for attempt in range(1, TRIES + 1):
            with calling("Putting the audit event"):
                answer = self._events.put_events(Entries=[self._entry(events[index]) for index in refused])
            entries = zip(refused, answer["Entries"], strict=True)
            refused = {index: entry.get("ErrorCode", "unknown") for index, entry in entries if not entry.get("EventId")}
            if not refused:
                break
            time.sleep(PAUSE_SECONDS * attempt)
        return [_error(refused[index]) if index in refused else None for index in range(len(events))]

    def _entry(self, event: AuditEvent) -> Any:
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": event.detail_type,
            "Detail": json.dumps(event.detail),
        }


def _error(code: str) -> TransientError:
    return TransientError(f"The audit bus rejected the event {TRIES} times: {code}.")
