"""Write each delivered file's state from audit events, which arrive twice, late and in any order.

A batch takes few requests: the events of a file are merged, and all files are read and written together. If a file
fails, only the messages that name it fail.
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
from callseal.sftp.file_state import DeliveredFile
from callseal.sftp.file_table import FileRegister, Name

# By file: each message that names it, in the batch's order, with the function that applies it to the file.
Changes = dict[Name, list[tuple[Message, Callable[[DeliveredFile], DeliveredFile]]]]


class FileTracking:
    """Applies audit events to the register of delivered files."""

    def __init__(self, files: FileRegister, retention_days: int, log: Log) -> None:
        """Take the collaborators. `retention_days` is how long the SFTP bucket keeps a file."""
        self._files, self._days, self._log = files, retention_days, log

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Handle a batch of audit events from a queue. Return the ids of failed messages in `batchItemFailures`."""
        messages, changes = batch_messages(event), Changes()
        errors = try_each(messages, partial(self._read, changes))
        for name, error in retry_changed(partial(self._write, changes), changes).items():
            errors |= {message.id: error for message, _ in changes[name]}
        return answer(messages, errors, self._log, "event not tracked")

    def _read(self, changes: Changes, message: Message) -> None:
        """Add a message's changes to `changes`, by file."""
        for name, change in file_changes(message.body, self._days):
            changes.setdefault(name, []).append((message, change))

    def _write(self, changes: Changes, names: Sequence[Name]) -> dict[Name, CallsealError]:
        """Write the changes of these files. Return the error of each file that was not read or written."""
        found = self._files.find_all(names)
        errors = {name: file for name, file in found.items() if isinstance(file, CallsealError)}
        files = {name: file for name, file in found.items() if isinstance(file, DeliveredFile)}
        after = {name: _merged(file, changes[name]) for name, file in files.items()}
        changed = [(after[name], file) for name, file in files.items() if after[name] != file]
        return errors | self._files.save_all(changed)


def _merged(
    file: DeliveredFile, changes: Sequence[tuple[Message, Callable[[DeliveredFile], DeliveredFile]]]
) -> DeliveredFile:
    for _, change in changes:
        file = change(file)
    return file
