"""Tracking: each delivered file's state is written from the audit events, which come twice, late and in any order.

A batch is few requests: the events of a file are merged, the files are read together, and written together. What goes
wrong with a file fails the messages that name it, and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from callseal.aws.item_batches import retry_changed
from callseal.core.errors import CallsealError, UnreadableNotificationError
from callseal.core.log import Log, describe
from callseal.inbound.notification import Message, queue_messages
from callseal.sftp.file_changes import file_changes
from callseal.sftp.file_table import FileRegister, Name
from callseal.sftp.files import File

# By file: each message that names it, in the batch's order, with what it makes of the file.
Changes = dict[Name, list[tuple[Message, Callable[[File], File]]]]


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
        changes, errors = self._read(messages)
        for name, error in retry_changed(partial(self._write, changes), changes).items():
            errors |= {message.id: error for message, _ in changes[name]}
        for identifier, failure in errors.items():
            self._log.warning("event not tracked", extra={"message_id": identifier, **describe(failure)})
        return {"batchItemFailures": [{"itemIdentifier": one.id} for one in messages if one.id in errors]}

    def _read(self, messages: Sequence[Message]) -> tuple[Changes, dict[str, Exception]]:
        """Return what the messages change, by file, and the error of each message that is no such event, by its id."""
        changes, errors = Changes(), dict[str, Exception]()
        for message in messages:
            try:
                for name, change in file_changes(message.body, self._days):
                    changes.setdefault(name, []).append((message, change))
            except Exception as exc:  # noqa: BLE001  # one bad message fails only itself
                errors[message.id] = exc
        return changes, errors

    def _write(self, changes: Changes, names: Sequence[Name]) -> dict[Name, CallsealError]:
        """Write what the events change of these files; return the error of each file that was not written."""
        found = self._files.find_all(names)
        errors = {name: file for name, file in found.items() if isinstance(file, CallsealError)}
        files = {name: file for name, file in found.items() if isinstance(file, File)}
        after = {name: _merged(file, changes[name]) for name, file in files.items()}
        changed = [(after[name], file) for name, file in files.items() if after[name] != file]
        return errors | self._files.keep_all(changed)


def _merged(file: File, changes: Sequence[tuple[Message, Callable[[File], File]]]) -> File:
    for _, change in changes:
        file = change(file)
    return file
