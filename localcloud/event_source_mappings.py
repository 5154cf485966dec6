"""Event source mappings: batches from a queue to a function, with Lambda's rules for partial failures.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import base64
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.gate import Gate, GateClosedError
from localcloud.processes import LineSink
from localcloud.runtime import FunctionRuntime, Result
from localcloud.stack import QueueMapping

_POLL_SECONDS = 0.2
# An idle queue is read by a long poll, which ends when a message arrives. `pause` and `close` wait for its end.
_LONG_POLL_SECONDS = 1
_RECEIVE_LIMIT = 10
Message = Mapping[str, Any]


class QueuePump:
    """Invokes one function with batches from one queue, in several threads."""

    def __init__(self, mapping: QueueMapping, runtime: FunctionRuntime, sqs: Any, gate: Gate, log: LineSink) -> None:
        self._mapping, self._runtime, self._sqs, self._gate, self._log = mapping, runtime, sqs, gate, log
        self._region = mapping.queue_arn.split(":")[3]
        self._at_work = set[int]()
        self.queue_url: str = sqs.get_queue_url(QueueName=mapping.queue_arn.split(":")[5])["QueueUrl"]

    def start(self, workers: int) -> list[threading.Thread]:
        """Start the threads and return them."""
        threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(workers)]
        for thread in threads:
            thread.start()
        return threads

    def outstanding(self) -> int:
        """Return the number of messages in the queue: waiting, delayed and in flight."""
        # moto counts one state after the other, and may miss a message that changes its state: 0 is counted again.
        return self._count() or self._count()

    def _count(self) -> int:
        keys = [f"ApproximateNumberOfMessages{name}" for name in ("", "Delayed", "NotVisible")]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=keys)["Attributes"]
        return sum(int(attributes[key]) for key in keys)

    def _run(self, number: int) -> None:
        closed = False
        while not closed:
            if number > len(self._at_work):  # a thread before this one is idle and polls
                closed = self._gate.wait_closed(_POLL_SECONDS)
                continue
            try:
                with self._gate.passage():
                    self._pump_batch()
            except GateClosedError:
                return
            except Exception as exc:  # noqa: BLE001 - a pump that ends silently would look like an empty queue
                closed = self._gate.wait_closed(1.0)
                if not closed:
                    self._log(f"[PUMP] {self._mapping.logical_id}: {exc}")

    def _pump_batch(self) -> None:
        messages = self._gather()
        if messages:
            started = time.monotonic()
            result = self._invoke(messages)
            if self._gate.wait_closed(0):
                return
            failed = self._failed_ids(messages, result)
            self._delete([message for message in messages if message["MessageId"] not in failed])
            took = time.monotonic() - started
            self._log(f"[PUMP] batch of {len(messages)}: {len(failed)} failed, {took:.2f} s")

    def _invoke(self, messages: Sequence[Message]) -> Result:
        self._at_work.add(threading.get_ident())
        try:
            return self._runtime.invoke({"Records": [self._record(message) for message in messages]})
        finally:
            self._at_work.discard(threading.get_ident())

    def _gather(self) -> list[Message]:
        """Receive messages until the batch is full, or its window since the first message is over."""
        messages = self._receive(self._mapping.batch_size, _LONG_POLL_SECONDS)
        deadline = time.monotonic() + self._mapping.window
        while messages and len(messages) < self._mapping.batch_size and time.monotonic() < deadline:
            more = self._receive(self._mapping.batch_size - len(messages))
            messages += more
            if not more and self._gate.wait_closed(min(_POLL_SECONDS, self._mapping.window)):
                break
        return messages

    def _receive(self, wanted: int, wait: int = 0) -> list[Message]:
        answer = self._sqs.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=min(wanted, _RECEIVE_LIMIT),
            WaitTimeSeconds=wait,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages: list[Message] = answer.get("Messages", [])
        return messages

    def _record(self, message: Message) -> dict[str, Any]:
        attributes = message.get("MessageAttributes", {})
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {name: _attribute(attribute) for name, attribute in attributes.items()},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._mapping.queue_arn,
            "awsRegion": self._region,
        }

    def _failed_ids(self, messages: Sequence[Message], result: Result) -> set[str]:
        """Return the ids of the messages that stay in the queue until their visibility timeout is over."""
        everything = {message["MessageId"] for message in messages}
        if result.error is not None:
            return everything
        if not self._mapping.reports_item_failures:
            return set()
        reported = reported_failures(result.payload)
        return reported if reported is not None and reported <= everything else everything

    def _delete(self, messages: Sequence[Message]) -> None:
        for start in range(0, len(messages), _RECEIVE_LIMIT):
            batch = messages[start : start + _RECEIVE_LIMIT]
            entries = [{"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]} for i, message in enumerate(batch)]
            self._sqs.delete_message_batch(QueueUrl=self.queue_url, Entries=entries)


def reported_failures(payload: Any) -> set[str] | None:
    """Return the failed ids of a partial batch response, or None if it is malformed, which fails the whole batch."""
    if payload is None or payload == {}:
        return set()
    failures = payload.get("batchItemFailures", []) if isinstance(payload, Mapping) else "malformed"
    if failures is None:
        return set()
    if not isinstance(failures, list):
        return None
    ids = [failure.get("itemIdentifier") for failure in failures if isinstance(failure, Mapping)]
    named = {identifier for identifier in ids if isinstance(identifier, str) and identifier}
    return named if len(ids) == len(failures) and all(identifier in named for identifier in ids) else None


def _attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": attribute["DataType"]}
    if "BinaryValue" in attribute:
        return event | {"binaryValue": base64.b64encode(attribute["BinaryValue"]).decode()}
    return event | {"stringValue": attribute.get("StringValue")}
