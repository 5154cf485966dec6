"""Tracking: each delivered file's state is written from the audit events, which come twice, late and in any order.

A batch is few requests: the events of a file are merged, the files are read together, and written together. What goes
wrong with a file fails the messages that name it, and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from callseal.aws.item_batches import retry_changed
from callseal.core.errors import CallsealError
from callseal.core.log import Log
from callseal.core.queue_message import Message
from callseal.inbound.partial_batch import answer, batch_messages, try_each
from callseal.sftp.file_changes import file_changes
from callseal.sftp.file_table import FileRegister, Name
from callseal.sftp.files import DeliveredFile

# By file: each message that names it, in the batch's order, with what it makes of the file.
Changes = dict[Name, list[tuple[Message, Callable[[DeliveredFile], DeliveredFile]]]]


class FileTracking:
    """Takes audit events in."""

    def __init__(self, files: FileRegister, retention_days: int, log: Log) -> None:
        """Take what it works with; `retention_days` is how long the SFTP bucket keeps a file."""
        self._files, self._days, self._log = files, retention_days, log

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Handle a batch of audit events from a queue; the messages that failed come back in `batchItemFailures`."""
        messages, changes = batch_messages(event), Changes()
        errors = try_each(messages, partial(self._read, changes))
        for name, error in retry_changed(partial(self._write, changes), changes).items():
            errors |= {message.id: error for message, _ in changes[name]}
        return answer(messages, errors, self._log, "event not tracked")

    def _read(self, changes: Changes, message: Message) -> None:
        """Add what a message changes, by file."""
        for name, change in file_changes(message.body, self._days):
            changes.setdefault(name, []).append((message, change))

    def _write(self, changes: Changes, names: Sequence[Name]) -> dict[Name, CallsealError]:
        """Write what the events change of these files; return the error of each file that was not written."""
        found = self._files.find_all(names)
        errors = {name: file for name, file in found.items() if isinstance(file, CallsealError)}
        files = {name: file for name, file in found.items() if isinstance(file, DeliveredFile)}
        after = {name: _merged(file, changes[name]) for name, file in files.items()}
        changed = [(after[name], file) for name, file in files.items() if after[name] != file]
        return errors | self._files.keep_all(changed)


def _merged(
    file: DeliveredFile, changes: Sequence[tuple[Message, Callable[[DeliveredFile], DeliveredFile]]]
) -> DeliveredFile:
    for _, change in changes:
        file = change(file)
    return file
