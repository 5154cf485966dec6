"""Batches: work on the records of a batch at once. Each record fails by itself.

The result is Lambda's partial batch response:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from callseal.core.errors import (
    ERASED_FOR,
    CallsealError,
    MetadataNotYetError,
    TransientError,
    UnreadableNotificationError,
)
from callseal.core.landing import LandedObject
from callseal.core.log import Log, describe
from callseal.core.metrics import Metric
from callseal.core.queue_message import Message
from callseal.delivery.deliver import Outcome
from callseal.inbound.notification import parse_body, parse_notification, queue_messages
from callseal.inbound.partial_batch import partial_answer

if TYPE_CHECKING:
    from callseal.aws.batching import BatchWindow
    from callseal.aws.metrics import MetricsEmitter
    from callseal.aws.queue import LandedQueue

Item = TypeVar("Item")
Result = TypeVar("Result")


class BatchFailedError(CallsealError):
    """Some files of a directly invoked notification failed. Invoke again: finished files are not processed twice."""


class Batch:
    """Handles an invocation: messages of a queue of landed objects, or a bare S3 notification."""

    def __init__(
        self,
        work: Callable[[LandedObject], Outcome],
        queue: Callable[[], LandedQueue],
        landing_bucket: str,
        window: BatchWindow,
        metrics: MetricsEmitter,
        workers: int,
        log: Log,
    ) -> None:
        """Take the work on a landed object, its queue (a function: few calls need it), and the number of threads."""
        self._work, self._queue, self._landing_bucket = work, queue, landing_bucket
        self._window, self._metrics, self._log = window, metrics, log
        self._executor = ThreadPoolExecutor(workers, "record")

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Handle an event. Return the failed messages in `batchItemFailures`.

        Raise UnreadableNotificationError if the event cannot be read. A bare notification has no partial response:
        raise BatchFailedError if one of its files failed.
        """
        messages = queue_messages(event)
        if messages is None:
            return self._handle_bare(event)
        tried = self._at_once(self._handle_message, messages)
        self._metrics.put(_samples(outcome for outcomes in tried for outcome in outcomes))
        failed = [message.id for message, outcomes in zip(messages, tried, strict=True) if None in outcomes]
        return partial_answer(failed)

    def _handle_bare(self, event: Mapping[str, Any]) -> dict[str, Any]:
        tried = self._at_once(self._try, parse_notification(event))
        self._metrics.put(_samples(tried))
        if None in tried:
            raise BatchFailedError(f"{tried.count(None)} of {len(tried)} files failed. Invoke again.")
        return partial_answer([])

    def _at_once(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Work on items at once. Return their results in the same order.

        A thread that submits a request waits briefly for the others, including those that have not started yet.
        """
        self._window.change(at_work=len(items))

        def leave_after(item: Item) -> Result:
            try:
                return work(item)
            finally:
                self._window.change(at_work=-1)

        return list(self._executor.map(leave_after, items))

    def _handle_message(self, message: Message) -> list[Outcome | None]:
        """Handle all files of a message, even after a failure. Return an outcome for each, None for a failure."""
        try:
            landed_objects = parse_body(message.body)
            outcomes = [self._try(replace(landed, receives=message.receives), message) for landed in landed_objects]
        except UnreadableNotificationError as exc:
            self._log.warning("message unreadable", extra={"message_id": message.id, "why": str(exc)})
            outcomes = [None]
        if None in outcomes:
            with suppress(TransientError):  # the message then returns after the queue's visibility timeout
                self._queue().retry_soon(message)
        return outcomes

    def _try(self, landed: LandedObject, message: Message | None = None) -> Outcome | None:
        message_id = message.id if message else None
        try:
            if landed.bucket != self._landing_bucket:
                raise UnreadableNotificationError("The message names a bucket that is not the landing bucket.")
            outcome = self._work(landed)
        except MetadataNotYetError:
            self._log.info("recording awaits its metadata", extra={"message_id": message_id})
            return None
        except Exception as exc:  # noqa: BLE001  # one bad record fails only itself, whatever is wrong with it
            self._log.warning("record failed", extra={"message_id": message_id, **describe(exc)})
            return None
        self._log.info(f"recording {outcome.state}", extra={"message_id": message_id, **_facts(outcome, landed)})
        return outcome


def _samples(outcomes: Iterable[Outcome | None]) -> Iterator[Metric]:
    for outcome in outcomes:
        if outcome and outcome.state == "held":
            yield Metric("RecordingsHeld", 1, outcome.reason)
            if outcome.reason in ERASED_FOR:
                yield Metric("RecordingsDenied", 1)
        elif outcome and outcome.state == "delivered":
            yield Metric("RecordingsDelivered", 1)
            yield Metric("BytesSealed", outcome.bytes_sealed)
            if outcome.seconds is not None:
                yield Metric("SecondsToDelivery", max(0.0, outcome.seconds))


def _facts(outcome: Outcome, landed: LandedObject) -> dict[str, object]:
    """Return what may be logged of a file.

    Its key is never logged, because it may contain a caller's number. The event's id finds the key in the audit trail.
    """
    return {
        "tenant": outcome.tenant,
        "event_id": outcome.event_id,
        "reason": outcome.reason,
        "size": landed.size,
    }
