"""The folder with a local cloud's outputs and logs, for other programs to read."""

import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from localcloud.errors import StartError


class StateFolder:
    """Writes `outputs.json` and `logs/<name>.log` in a folder, which only one local cloud at a time may use.

    `clock_file` is the place for the file of `clock_file.py`. While the file `audit_refuse_file` exists, no event
    can be put on a bus. `mail_dir` is the folder of the mails that were sent.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._outputs = path / "outputs.json"
        self.clock_file = path / "clock"
        self.audit_refuse_file = path / "audit-refuse"
        self.mail_dir = path / "mail"
        self._lock = threading.Lock()

    @property
    def published(self) -> dict[str, str]:
        """The paths that other programs read or write, by their names in `outputs.json`."""
        return {
            "ClockFile": str(self.clock_file),
            "AuditRefuseFile": str(self.audit_refuse_file),
            "MailDir": str(self.mail_dir),
        }

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder while the block runs. Raise StartError if another local cloud uses it.

        The files of an earlier run are removed at the start. At the end `outputs.json` is removed, and the logs remain.
        """
        (self.path / "logs").mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as exc:
                raise StartError(f"Another local cloud is running on the state folder {self.path}.") from exc
            self.mail_dir.mkdir(exist_ok=True)
            old = (*(self.path / "logs").glob("*.log"), *self.mail_dir.glob("*.eml"))
            for stale in (self._outputs, self.clock_file, self.audit_refuse_file, *old):
                stale.unlink(missing_ok=True)
            try:
                yield
            finally:
                self._outputs.unlink(missing_ok=True)

    def write_outputs(self, outputs: Mapping[str, str]) -> None:
        """Write the outputs atomically: a reader sees either no file or a complete one."""
        draft = self._outputs.with_suffix(".draft")
        draft.write_text(json.dumps(dict(outputs), indent=2) + "\n", encoding="utf-8")
        os.replace(draft, self._outputs)

    def log_path(self, name: str) -> Path:
        """Return the path of the log file of a function or of moto."""
        return self.path / "logs" / f"{name}.log"

    def log(self, name: str, line: str) -> None:
        """Append a line with its time to a log file."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._lock, self.log_path(name).open("a", encoding="utf-8") as file:
            file.write(f"{stamp} {line}\n")
