"""Notifications: read landed objects from an SQS batch or from a bare S3 notification.

Shapes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html and
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html. Version id and sequencer may be missing, and an object may
be announced more than once. Neither is an error.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from callseal.core.errors import UnreadableNotificationError
from callseal.core.landing import TENANT, LandedObject
from callseal.core.queue_message import FLAGS, PUT_BACK, Message

# The characters of an entity-tag between its quotes (RFC 9110, 8.8.3), in ASCII: conditions and metadata contain it.
_ETAG = re.compile(r"[!#-~]{1,256}")
# As audit.timestamp writes it. From the year 9000 on, an end computed from it could exceed what datetime can hold.
_AUDIT_TIME = re.compile(r"[0-8]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
NOTHING: tuple[LandedObject, ...] = ()


def queue_messages(event: object) -> list[Message] | None:
    """Return the messages of a batch from SQS, or None if the event is not such a batch.

    Raise UnreadableNotificationError for a batch that SQS would not send: without ids there is no partial response.
    """
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list) or not records or not all(_is_from_queue(record) for record in records):
        return None
    try:
        return [_message(record) for record in records]
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as exc:
        raise UnreadableNotificationError(
            "A message of the batch has no id or no body, or invalid attributes."
        ) from exc


def _is_from_queue(record: object) -> bool:
    return isinstance(record, Mapping) and record.get("eventSource") == "aws:sqs"


def _message(record: Mapping[str, Any]) -> Message:
    body = record["body"]
    if not isinstance(body, str):
        raise TypeError("not a text")
    return Message(
        id=_text(record["messageId"]),
        receipt_handle=record.get("receiptHandle", ""),
        receives=max(1, int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))),
        body=body,
    )


def parse_body(body: str) -> tuple[LandedObject, ...]:
    """Parse a message's body, a JSON text. Raise UnreadableNotificationError if it is no S3 notification."""
    try:
        notification = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise UnreadableNotificationError("The message is not JSON. Look at it in the dead-letter queue.") from exc
    return parse_notification(notification)


def parse_notification(notification: object) -> tuple[LandedObject, ...]:
    """Return the landed objects that an S3 notification announces, none for the s3:TestEvent of the set-up.

    Raise UnreadableNotificationError if it is not a notification of created objects.
    """
    if not isinstance(notification, dict):
        raise UnreadableNotificationError("The message is not an S3 notification: it is not a JSON object.")
    if notification.get("Event") == "s3:TestEvent":
        return NOTHING
    records = notification.get("Records")
    if not isinstance(records, list) or not records:
        raise UnreadableNotificationError("The message is not an S3 notification: it has no list of Records.")
    return tuple(_landed_object(record) for record in records)


def _landed_object(record: Any) -> LandedObject:
    try:
        created, colon, how = _text(record["eventName"]).removeprefix("s3:").partition(":")
        if (created, colon) != ("ObjectCreated", ":"):
            raise UnreadableNotificationError("The message reports another event than the creation of an object.")
        bucket, item = record["s3"]["bucket"]["name"], record["s3"]["object"]
        etag, size, version_id = item.get("eTag"), item.get("size"), item.get("versionId")
        return LandedObject(
            bucket=_text(bucket),
            # Encoded like a form: "+" is a space. This is the only place that decodes it.
            key=_text(unquote_plus(_text(item["key"]), errors="strict")),
            etag=_etag(etag) if etag else None,
            size=None if size is None else _size(size),
            version_id=_text(version_id) if version_id else None,
            landed_at=_moment(record.get("eventTime")),
            **{flag: how.startswith(PUT_BACK) and word in how for flag, word in FLAGS.items()},
        )
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise UnreadableNotificationError(
            "The message is not a known S3 notification: a record's bucket, key, eTag or size is missing or invalid."
        ) from exc


def parse_audit_event(body: str, *members: str) -> tuple[str, dict[str, Any]]:
    """Return the type and the detail of an audit event from a queue.

    Raise UnreadableNotificationError if it is not one. The detail has `id`, `time` and `tenant` as the audit writes
    them (`tenant` may be None), and the given `members` with any value.
    """
    try:
        event = json.loads(body)
        detail = dict(event["detail"])
        _ = [detail[name] for name in members]
        _text(detail["id"])
        if not _is_audit_time(detail["time"]) or not _is_tenant(detail["tenant"]):
            raise ValueError("not what the audit writes")
        return _text(event["detail-type"]), detail
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise UnreadableNotificationError(
            "The message is not an audit event. Look at it in the dead-letter queue."
        ) from exc


def _is_audit_time(value: object) -> bool:
    return isinstance(value, str) and _AUDIT_TIME.fullmatch(value) is not None and _moment(value) is not None


def _is_tenant(value: object) -> bool:
    return value is None or (isinstance(value, str) and TENANT.fullmatch(value) is not None)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    if not value:
        raise ValueError("empty")
    value.encode()  # ValueError for a lone surrogate
    return value


def _etag(value: object) -> str:
    etag = _text(value).strip('"')
    if not _ETAG.fullmatch(etag):
        raise ValueError("not an etag")
    return etag


def _size(value: object) -> int:
    # A larger number than 64 bits is not a size, and no metric accepts it.
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise TypeError("not a size in bytes")
    return value


def _moment(value: object) -> datetime | None:
    """Return an RFC 3339 time in UTC, or None if the value is not one. S3 always sends one."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
