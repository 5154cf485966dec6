"""Registering: write the key register from audit events, which may come twice, late and in any order.

A batch takes few requests. The events of a tenant's keys are merged and its records are read once. The records of all
tenants are then written together, and so are the uses. A failure fails only the messages that it is about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, get_type_hints

from callseal.aws.item_batches import retry_changed
from callseal.core.clock import Clock
from callseal.core.errors import CallsealError, UnreadableNotificationError
from callseal.core.event_types import EventType
from callseal.core.log import Log
from callseal.core.queue_message import Message
from callseal.inbound.notification import parse_audit_event
from callseal.inbound.partial_batch import answer, batch_messages, try_each
from callseal.keys import events
from callseal.keys.register import FINGERPRINT, KeyRecord, after, encrypts_with
from callseal.keys.register_table import KeyRegister
from callseal.keys.usage_table import KeyUsage, UsageTable

KEY_EVENTS = (events.ACCEPTED, events.REJECTED, events.PROVEN)
DELIVERED = EventType.RECORDING_DELIVERED
_RECORD_TYPES = get_type_hints(KeyRecord)


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """An event of a tenant's keys, and the id of the message that contains it."""

    message_id: str
    tenant: str
    detail_type: str
    detail: Mapping[str, Any]


class KeyRegistration:
    """Writes the register from audit events."""

    def __init__(self, register: KeyRegister, uses: UsageTable, clock: Clock, log: Log) -> None:
        """Take what it works with."""
        self._register, self._uses, self._clock, self._log = register, uses, clock, log

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Handle a batch of audit events from a queue. Return the failed messages in `batchItemFailures`."""
        messages, of_keys, uses = batch_messages(event), dict[str, list[KeyEvent]](), dict[str, KeyUsage]()

        def read(message: Message) -> None:
            match _read(message):
                case KeyEvent() as found:
                    of_keys.setdefault(found.tenant, []).append(found)
                case KeyUsage() as found:
                    uses[message.id] = found

        errors = try_each(messages, read)
        errors |= self._write_all(of_keys) | self._count(uses)
        return answer(messages, errors, self._log, "event not registered")

    def _count(self, uses: Mapping[str, KeyUsage]) -> dict[str, CallsealError]:
        """Count the uses in messages. Return the error of each message whose use was not counted, by its id."""
        failed = self._uses.count(uses.values(), self._clock())
        return {name: failed[use.event_id] for name, use in uses.items() if use.event_id in failed}

    def _write_all(self, of_keys: Mapping[str, list[KeyEvent]]) -> dict[str, CallsealError]:
        """Write tenants' records from their events. Return the error of each message that failed, by its id."""
        failed = retry_changed(partial(self._write, of_keys), of_keys)
        return {event.message_id: error for tenant, error in failed.items() for event in of_keys[tenant]}

    def _write(self, of_keys: Mapping[str, list[KeyEvent]], tenants: Sequence[str]) -> dict[str, CallsealError]:
        """Write the records that the events of these tenants change. Return the error of each tenant that failed."""
        changes, errors = list[tuple[str, KeyRecord, KeyRecord | None]](), dict[str, CallsealError]()
        for tenant in tenants:
            try:
                before = {record.fingerprint: record for record in self._register.read(tenant).records}
            except CallsealError as exc:
                errors[tenant] = exc
            else:
                records = _merged(before, of_keys[tenant])
                changes += [
                    (tenant, record, before.get(name)) for name, record in records.items() if record != before.get(name)
                ]
        return errors | {tenant: error for (tenant, _), error in self._register.save_records(changes).items()}


def _merged(records: dict[str, KeyRecord], of_keys: Sequence[KeyEvent]) -> dict[str, KeyRecord]:
    for event in of_keys:
        records = after(records.values(), event.detail_type, event.detail)
    return records


def _read(message: Message) -> KeyEvent | KeyUsage | None:
    """Return what a message reports of keys. Raise UnreadableNotificationError before anything is written."""
    detail_type, detail = parse_audit_event(message.body, "recipients", "key_version")
    try:
        if detail_type in KEY_EVENTS:
            return _key_event(message.id, detail_type, detail)
        if detail_type == DELIVERED:
            return _use(detail)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise UnreadableNotificationError(
            "A member of the audit event is missing or invalid. Look at it in the dead-letter queue."
        ) from exc
    raise UnreadableNotificationError(
        "The audit event is not about a key or a delivery. Look at it in the dead-letter queue."
    )


def _key_event(message_id: str, detail_type: str, detail: Mapping[str, Any]) -> KeyEvent:
    """Return an event of a tenant's keys. Raise ValueError if it would write an invalid record."""
    if detail["tenant"] is None or not all(_is_record(record) for record in after((), detail_type, detail).values()):
        raise ValueError("no tenant, or an invalid key")
    return KeyEvent(message_id, detail["tenant"], detail_type, detail)


def _is_record(record: KeyRecord) -> bool:
    members = {name: getattr(record, name) for name in _RECORD_TYPES}
    are_typed = all(isinstance(members[name], kind) for name, kind in _RECORD_TYPES.items())
    return are_typed and not any(isinstance(value, bool) for value in members.values()) and _is_name(record.fingerprint)


def _is_name(fingerprint: str) -> bool:
    return FINGERPRINT.fullmatch(fingerprint) is not None


def _use(detail: Mapping[str, Any]) -> KeyUsage | None:
    """Return the use of keys that a delivery reports, None if nothing was sealed."""
    if not detail["tenant"] or not detail["recipients"]:
        return None
    fingerprints = tuple(dict.fromkeys(encrypts_with(recipient) for recipient in detail["recipients"]))
    if not all(_is_name(fingerprint) for fingerprint in fingerprints):
        raise ValueError("not a fingerprint")
    return KeyUsage(detail["id"], detail["tenant"], fingerprints, detail["time"])
