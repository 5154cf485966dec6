"""The audit bus: events go out, and only those that EventBridge has accepted count."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from callseal.audit import SOURCE, AuditEvent
from callseal.aws.calls import calling
from callseal.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

TRIES = 3
PAUSE_SECONDS = 0.2


class AuditBus:
    """Puts audit events on a bus of EventBridge."""

    def __init__(self, events: EventBridgeClient, name: str) -> None:
        """Take the client and the bus's name or ARN."""
        self._events = events
        self._name = name

    def put(self, event: AuditEvent) -> None:
        """Put an event; raises TransientError where it was not accepted.

        PutEvents answers 200 even where it took nothing: FailedEntryCount tells
        (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html).
        """
        entry: Any = {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": event.detail_type,
            "Detail": json.dumps(event.detail),
        }
        for attempt in range(1, TRIES + 1):
            with calling("Putting the audit event"):
                answer = self._events.put_events(Entries=[entry])
            if not answer["FailedEntryCount"]:
                return
            time.sleep(PAUSE_SECONDS * attempt)
        code = answer["Entries"][0].get("ErrorCode", "unknown")
        raise TransientError(f"The audit bus refused the event {TRIES} times: {code}.")
