"""Batches of queue messages: each message fails by itself, and the response names the failed ones.

Lambda's partial batch response: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from callseal.core.errors import UnreadableNotificationError
from callseal.core.log import Log, describe
from callseal.core.queue_message import Message
from callseal.inbound.notification import queue_messages

# The error of each message that failed, by the message's id.
Errors = dict[str, Exception]


def batch_messages(event: object) -> list[Message]:
    """Return the messages of a batch. Raise UnreadableNotificationError if the event is not a batch from SQS."""
    messages = queue_messages(event)
    if messages is None:
        raise UnreadableNotificationError("The event is not a batch of messages from SQS.")
    return messages


def try_each(messages: Iterable[Message], work: Callable[[Message], None]) -> Errors:
    """Process one message after the other. Return the error of each that failed, by its id."""
    errors = Errors()
    for message in messages:
        try:
            work(message)
        except Exception as exc:  # noqa: BLE001  # one bad message fails only itself
            errors[message.id] = exc
    return errors


def answer(messages: Sequence[Message], errors: Mapping[str, Exception], log: Log, text: str) -> dict[str, Any]:
    """Log each error under `text`. Return the response to Lambda, which names the failed messages in their order."""
    for identifier, error in errors.items():
        log.warning(text, extra={"message_id": identifier, **describe(error)})
    return partial_answer(message.id for message in messages if message.id in errors)


def partial_answer(failed: Iterable[str]) -> dict[str, Any]:
    """Return Lambda's partial batch response for the ids of the failed messages."""
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}
