"""Delivery streams: write their records into a bucket, with the format and the object names of Firehose.

https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
"""

import gzip
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localcloud.gate import Gate, GateClosedError
from localcloud.processes import LineSink
from localcloud.stack import DeliveryStream

# An empty stream is read by a long poll, which ends when a record arrives.
_LONG_POLL_SECONDS = 1
_RECEIVE_LIMIT = 10
# Firehose's number for the first version of a stream's configuration, which never changes here.
_VERSION = 1
# About as many as fit into the 5 MB that Firehose buffers.
_MAX_RECORDS = 1000


class StreamPump:
    """Writes one stream's records into its bucket, and removes a record when it is in an object."""

    def __init__(self, stream: DeliveryStream, client: Callable[[str], Any], gate: Gate, log: LineSink) -> None:
        self._stream, self._sqs, self._s3, self._gate, self._log = stream, client("sqs"), client("s3"), gate, log
        queue = stream.queue_arn.rpartition(":")[2]
        self.queue_url: str = self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]

    def start(self) -> threading.Thread:
        """Start the thread and return it."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        closed = False
        while not closed:
            try:
                with self._gate.passage():
                    self._deliver()
            except GateClosedError:
                return
            except Exception as exc:  # noqa: BLE001 - a stream that ends silently would look like an empty one
                closed = self._gate.wait_closed(1.0)
                if not closed:
                    self._log(f"[PUMP] {self._stream.logical_id}: {exc}")

    def _deliver(self) -> None:
        messages = self._receive()
        if messages:
            now = datetime.now(UTC)
            key = f"{now:{self._stream.prefix}}{self._stream.name}-{_VERSION}-{now:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}"
            self._write(key, "".join(f"{message['Body']}{self._stream.delimiter}" for message in messages).encode())
            self._delete(messages)

    def _receive(self) -> list[Any]:
        messages: list[Any] = []
        while len(messages) < _MAX_RECORDS:
            answer = self._sqs.receive_message(
                QueueUrl=self.queue_url,
                MaxNumberOfMessages=_RECEIVE_LIMIT,
                WaitTimeSeconds=0 if messages else _LONG_POLL_SECONDS,
            )
            more = answer.get("Messages", [])
            messages += more
            if not more:
                break
        return messages

    def _write(self, key: str, data: bytes) -> None:
        if self._stream.gzip:
            key, data = f"{key}.gz", gzip.compress(data)
        self._s3.put_object(Bucket=self._stream.bucket, Key=key, Body=data, ContentType="application/octet-stream")

    def _delete(self, messages: list[Any]) -> None:
        for start in range(0, len(messages), _RECEIVE_LIMIT):
            batch = messages[start : start + _RECEIVE_LIMIT]
            entries = [{"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]} for i, message in enumerate(batch)]
            self._sqs.delete_message_batch(QueueUrl=self.queue_url, Entries=entries)
