"""Parse audit events into changes of delivered files, and reject malformed events before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from callseal.core.errors import UnreadableNotificationError
from callseal.core.event_types import EventType
from callseal.inbound.notification import parse_audit_event
from callseal.sftp.file_state import DeliveredFile

# A file's tenant and key, and a function that returns the file as it is after the event.
FileChange = tuple[tuple[str, str], Callable[[DeliveredFile], DeliveredFile]]
DESTINATION = "sftp"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html, and a sort key of DynamoDB has the same bound:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_MAX_KEY_BYTES = 1024
_MAX_SIZE = 2**63


def file_changes(body: str, days: int) -> list[FileChange]:
    """Return the changes of an audit event from a queue. `days` is how long the SFTP bucket keeps a file.

    The list is empty for an event without a tenant, since no session could fetch its files. A delivery has one change
    for each output in the SFTP bucket: usually one, or two after a change of the tenant's settings. Raise
    UnreadableNotificationError if the body is not such an event.
    """
    detail_type, detail = parse_audit_event(body, "source", "outputs")
    try:
        changes = CHANGES[detail_type](detail, days)
        return [] if detail["tenant"] is None else list(changes)
    except (KeyError, TypeError, ValueError) as exc:
        raise UnreadableNotificationError(
            "The message is not an audit event of files: it has another type, or a member is missing or malformed. "
            "Look at it in the dead-letter queue."
        ) from exc


def _deliveries(detail: Mapping[str, Any], days: int) -> Iterator[FileChange]:
    for output in detail["outputs"] or ():
        if output["destination"] == DESTINATION:
            size = _size(output["size"])
            change = partial(
                DeliveredFile.delivered_by, delivery=detail["id"], time=detail["time"], size=size, days=days
            )
            yield (detail["tenant"], _key(output["key"])), change


def _fetches(detail: Mapping[str, Any], _days: int) -> Iterator[FileChange]:
    yield (detail["tenant"], _key(detail["source"]["key"])), partial(DeliveredFile.fetched_at, time=detail["time"])


def _key(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value.encode()) <= _MAX_KEY_BYTES:
        raise TypeError("not a key")
    return value


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MAX_SIZE:
        raise TypeError("not a size in bytes")
    return value


# By the detail-types that template.yaml's FileRegisterRule puts into the queue.
CHANGES: Mapping[str, Callable[[Mapping[str, Any], int], Iterator[FileChange]]] = {
    EventType.RECORDING_DELIVERED: _deliveries,
    EventType.FILE_FETCHED: _fetches,
}
