"""Lock each object of the audit bucket when S3 announces it.

Amazon Data Firehose is not documented to write into a bucket with a default retention, so the lock is set here.
Batches may arrive twice, late and in any order, because the lock counts from the object's own time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callseal.core.errors import UnreadableNotificationError
from callseal.core.landing import LandedObject
from callseal.core.log import Log
from callseal.core.queue_message import Message
from callseal.inbound.notification import parse_body
from callseal.inbound.partial_batch import answer, batch_messages, try_each
from callseal.trail.audit_bucket import AuditBucket


class AuditLocks:
    """Locks the objects that a batch of S3 notifications announces."""

    def __init__(self, bucket: AuditBucket, name: str, log: Log) -> None:
        """Take the collaborators. `name` is the bucket's."""
        self._bucket, self._name, self._log = bucket, name, log

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Handle a batch from a queue. Return the ids of failed messages in `batchItemFailures`."""
        messages = batch_messages(event)
        return answer(messages, try_each(messages, self._lock_all), self._log, "audit object not locked")

    def _lock_all(self, message: Message) -> None:
        for written in parse_body(message.body):
            self._lock(written)

    def _lock(self, written: LandedObject) -> None:
        if written.bucket != self._name or not written.version_id:
            raise UnreadableNotificationError("The message names no version of an object in the audit bucket.")
        self._bucket.lock(written.key, written.version_id)
