"""Parse audit events into changes of cards, and reject malformed events before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from callseal.calls.call_file import Delivery
from callseal.calls.call_name import CallName, call_of, original_key
from callseal.calls.card import Card
from callseal.calls.card_table import CardChange
from callseal.core.errors import UnreadableNotificationError
from callseal.core.event_types import EventType
from callseal.core.stored import PLAIN
from callseal.inbound.notification import parse_audit_event

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY_BYTES = 1024
MAX_SIZE = 2**63
SFTP = "sftp"
Change = tuple[CallName, CardChange]


def card_changes(body: str) -> list[Change]:
    """Return the changes of an audit event from a queue: one for each output of a delivery.

    The list is empty for an event of another type, without a tenant, or of files that are no call's, such as a key
    check's. Raise UnreadableNotificationError if the body is not an audit event.
    """
    detail_type, detail = parse_audit_event(body, "source", "outputs")
    parse = CHANGES.get(detail_type)
    if parse is None or detail["tenant"] is None:
        return []
    try:
        return [(call, change) for call, change in parse(detail) if _is_of(call, detail["tenant"])]
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise UnreadableNotificationError(
            "The message is not an audit event of files: a member is missing or malformed. Look at it in the "
            "dead-letter queue."
        ) from exc


def _is_of(call: CallName, tenant: str) -> bool:
    if call.tenant != tenant:
        raise ValueError("a file of another tenant")
    return True


def _deliveries(detail: Mapping[str, Any]) -> Iterator[Change]:
    recipients = tuple(_text(each["fingerprint"]) for each in detail.get("recipients") or ())
    for output in detail["outputs"] or ():
        place = (_text(output["destination"]), _text(output["bucket"]), _text(output["key"]))
        if call := call_of(output["key"]):
            sealed = _text(output["sealed"])
            sha256 = None if output["sha256"] is None else _text(output["sha256"])
            of_output = recipients if sealed != PLAIN else ()
            version, until = (
                _optional(each) for each in (output.get("version"), (detail.get("law") or {}).get("until"))
            )
            size, until = _size(output["size"]), until if version else None
            delivery = Delivery(detail["id"], detail["time"], size, sha256, sealed, of_output, version, until)
            yield call, partial(Card.with_delivery, place=place, delivery=delivery)


def _fetches(detail: Mapping[str, Any]) -> Iterator[Change]:
    place = (SFTP, _text(detail["source"]["bucket"]), _text(detail["source"]["key"]))
    if call := call_of(original_key(detail["source"]["key"])):
        yield call, partial(Card.with_fetch, place=place, time=detail["time"])


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value.encode()) <= MAX_KEY_BYTES:
        raise TypeError("not a text")
    return value


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < MAX_SIZE:
        raise TypeError("not a size in bytes")
    return value


# By the detail-types that template.yaml's CallsRule puts into the queue.
CHANGES: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Change]]] = {
    EventType.RECORDING_DELIVERED: _deliveries,
    EventType.FILE_FETCHED: _fetches,
}
