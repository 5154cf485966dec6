"""Queues of landed objects: requeues files, requests rechecks, and shortens the delay of failed messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from callseal.aws.calls import calling
from callseal.core.queue_message import FLAGS, PUT_BACK

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from callseal.core.landing import LandedObject
    from callseal.core.queue_message import Message

FIRST_RETRY_SECONDS = 5
MAX_RETRY_SECONDS = 900


class LandedQueue:
    """Sends and delays the messages of the encrypt queue, or of the recheck queue."""

    def __init__(self, sqs: SQSClient, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def put(self, landed: LandedObject) -> None:
        """Send a landed object's notification in S3's format, with an event name of Callseal."""
        flags = "".join(word for flag, word in FLAGS.items() if getattr(landed, flag))
        landed_object = {"key": quote_plus(landed.key, safe="/"), "size": landed.size, "eTag": landed.etag}
        record = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": f"ObjectCreated:{PUT_BACK}{flags}",
            "eventTime": landed.landed_at.isoformat() if landed.landed_at else None,
            "s3": {"bucket": {"name": landed.bucket}, "object": landed_object},
        }
        with calling("Putting a file on the queue"):
            self._sqs.send_message(QueueUrl=self._url, MessageBody=json.dumps({"Records": [record]}))

    def backlog(self) -> int:
        """Return the approximate number of messages that are waiting or in flight."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with calling("Looking at the queue's length"):
            attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def retry_soon(self, message: Message) -> None:
        """Set a failed message's visibility timeout to 5, 20, 80, 320 or 900 s, instead of the queue's long one."""
        delay = min(FIRST_RETRY_SECONDS * 4 ** min(message.receives - 1, 10), MAX_RETRY_SECONDS)
        with calling("Shortening a failed message's delay"):
            self._sqs.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=message.receipt_handle, VisibilityTimeout=delay
            )
