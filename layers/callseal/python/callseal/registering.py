"""Registering: the key register is written from the audit events, which may come twice, late and in any order."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from callseal.aws.items import ChangedMeanwhileError
from callseal.aws.key_register import KeyRegister
from callseal.aws.key_uses import KeyUses, Use
from callseal.aws.tenants import Clock
from callseal.errors import UnreadableNotificationError
from callseal.keys import events
from callseal.keys.register import after, encrypts_with
from callseal.log import Log, describe
from callseal.notification import Message, parse_audit_event, queue_messages

TRIES, PAUSE_SECONDS = 5, 0.05
KEY_EVENTS = (events.ACCEPTED, events.REJECTED, events.PROVEN)
DELIVERED = "RecordingDelivered"


class Registering:
    """Takes audit events in."""

    def __init__(self, register: KeyRegister, uses: KeyUses, clock: Clock, log: Log) -> None:
        """Take what it works with."""
        self._register, self._uses, self._clock, self._log = register, uses, clock, log

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Handle a batch of audit events from a queue; the messages that failed come back in `batchItemFailures`."""
        messages = queue_messages(event)
        if messages is None:
            raise UnreadableNotificationError("The event is no batch of messages from a queue.")
        failed: list[Message] = []
        uses: dict[str, tuple[Message, Use]] = {}
        for message in messages:
            try:
                if use := self._take(message):
                    uses[message.id] = (message, use)
            except Exception as exc:  # noqa: BLE001  # one bad message fails only itself
                self._fail([message], exc, failed)
        try:
            self._uses.count([use for _, use in uses.values()], self._clock())
        except Exception as exc:  # noqa: BLE001  # what was counted before is not counted again
            self._fail([message for message, _ in uses.values()], exc, failed)
        return {"batchItemFailures": [{"itemIdentifier": message.id} for message in failed]}

    def _take(self, message: Message) -> Use | None:
        """Write an event of a key; gives the use of keys that another event tells."""
        detail_type, detail = parse_audit_event(message.body, "tenant", "recipients", "key_version")
        tenant, recipients = detail["tenant"], detail["recipients"]
        if detail_type in KEY_EVENTS:
            self._write(tenant, detail_type, detail)
        elif detail_type == DELIVERED and tenant and recipients:
            fingerprints = tuple(dict.fromkeys(encrypts_with(one) for one in recipients))
            return Use(detail["id"], tenant, fingerprints, detail["time"])
        return None

    def _write(self, tenant: str, detail_type: str, detail: Mapping[str, Any]) -> None:
        """Write the rows that an event changes; where somebody else wrote meanwhile, read them again."""
        for attempt in range(1, TRIES + 1):
            before = {row.fingerprint: row for row in self._register.known(tenant).rows}
            try:
                for fingerprint, row in after(before.values(), detail_type, detail).items():
                    if row != before.get(fingerprint):
                        self._register.keep_row(tenant, row, before.get(fingerprint))
            except ChangedMeanwhileError:
                if attempt == TRIES:
                    raise
                time.sleep(PAUSE_SECONDS * attempt)
            else:
                return

    def _fail(self, messages: list[Message], exc: Exception, failed: list[Message]) -> None:
        for message in messages:
            self._log.warning("event not registered", extra={"message_id": message.id, **describe(exc)})
        failed += messages
