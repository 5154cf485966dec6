"""Lock each object of the audit bucket as soon as it is announced.

Amazon Data Firehose is not documented to write into a bucket with a default retention, so the lock is set here.
A batch that comes twice, late or in any order does no harm: the lock counts from the object's own time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callseal.core.errors import UnreadableNotificationError
from callseal.core.landing import LandedObject
from callseal.core.log import Log, describe
from callseal.inbound.notification import parse_body, queue_messages
from callseal.trail.audit_bucket import AuditBucket


class AuditLocks:
    """Locks what a batch of S3 notifications announces."""

    def __init__(self, bucket: AuditBucket, name: str, log: Log) -> None:
        """Take what it works with; `name` is the bucket's."""
        self._bucket, self._name, self._log = bucket, name, log

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Handle a batch from a queue; the messages that failed come back in `batchItemFailures`."""
        messages = queue_messages(event)
        if messages is None:
            raise UnreadableNotificationError("The event is no batch of messages from a queue.")
        failed = []
        for message in messages:
            try:
                for written in parse_body(message.body):
                    self._lock(written)
            except Exception as exc:  # noqa: BLE001  # one bad message fails only itself
                self._log.warning("audit object not locked", extra={"message_id": message.id, **describe(exc)})
                failed.append({"itemIdentifier": message.id})
        return {"batchItemFailures": failed}

    def _lock(self, written: LandedObject) -> None:
        if written.bucket != self._name or not written.version_id:
            raise UnreadableNotificationError("The message names no version of an object in the audit bucket.")
        self._bucket.lock(written.key, written.version_id)
