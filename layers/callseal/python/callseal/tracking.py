"""Tracking: each delivered file's state is written from the audit events, which come twice, late and in any order."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from callseal.aws.file_register import FileRegister
from callseal.aws.items import ChangedMeanwhileError
from callseal.errors import UnreadableNotificationError
from callseal.log import Log, describe
from callseal.notification import parse_audit_event, queue_messages
from callseal.sftp.events import FILE_FETCHED
from callseal.sftp.files import File

TRIES, PAUSE_SECONDS = 5, 0.05
DELIVERED, DESTINATION = "RecordingDelivered", "sftp"


class Tracking:
    """Takes audit events in."""

    def __init__(self, files: FileRegister, retention_days: int, log: Log) -> None:
        """Take what it works with; `retention_days` is how long the SFTP bucket keeps a file."""
        self._files, self._days, self._log = files, retention_days, log

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Handle a batch of audit events from a queue; the messages that failed come back in `batchItemFailures`."""
        messages = queue_messages(event)
        if messages is None:
            raise UnreadableNotificationError("The event is no batch of messages from a queue.")
        failed = []
        for message in messages:
            try:
                self._take(message.body)
            except Exception as exc:  # noqa: BLE001  # one bad message fails only itself
                self._log.warning("event not tracked", extra={"message_id": message.id, **describe(exc)})
                failed.append({"itemIdentifier": message.id})
        return {"batchItemFailures": failed}

    def _take(self, body: str) -> None:
        detail_type, detail = parse_audit_event(body, "tenant", "source", "outputs")
        if not detail["tenant"]:
            return  # nobody's folder
        if detail_type == DELIVERED:
            self._take_delivery(detail)
        elif detail_type == FILE_FETCHED:
            self._write(detail["tenant"], detail["source"]["key"], lambda file: file.fetched_at(detail["time"]))

    def _take_delivery(self, detail: Mapping[str, Any]) -> None:
        """Take in every file that a delivery put where the tenant fetches: one, or two around a change of its form."""
        for output in detail["outputs"] or ():
            if output["destination"] == DESTINATION:
                change = partial(
                    File.delivered_by, delivery=detail["id"], time=detail["time"], size=output["size"], days=self._days
                )
                self._write(detail["tenant"], output["key"], change)

    def _write(self, tenant: str, key: str, change: Callable[[File], File]) -> None:
        """Write what an event changes; where somebody else wrote meanwhile, read again."""
        for attempt in range(1, TRIES + 1):
            before = self._files.find(tenant, key)
            after = change(before)
            if after == before:
                return
            try:
                self._files.keep(after, before)
            except ChangedMeanwhileError:
                if attempt == TRIES:
                    raise
                time.sleep(PAUSE_SECONDS * attempt)
            else:
                return
