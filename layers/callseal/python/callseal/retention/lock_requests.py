"""Asks lock_recordings to extend the locks of calls, by messages in its queue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.core.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from callseal.calls.call_name import CallName

MAX_MESSAGES = 10


class LockRequests:
    """Sends messages."""

    def __init__(self, sqs: SQSClient, url: str) -> None:
        """Take the client, and the queue's URL."""
        self._sqs, self._url = sqs, url

    def put(self, calls: Sequence[CallName]) -> None:
        """Ask for the locks of calls. Raise TransientError if a message was not accepted."""
        for first in range(0, len(calls), MAX_MESSAGES):
            entries: Any = [
                {"Id": str(number), "MessageBody": json.dumps({"tenant": call.tenant, "call": call.id})}
                for number, call in enumerate(calls[first : first + MAX_MESSAGES])
            ]
            with calling("Asking for locks"):
                answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                raise TransientError("Asking for locks failed for some calls.")
