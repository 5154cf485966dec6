"""The folder in which a local cloud leaves its outputs and logs for others to read."""

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
    """Write `outputs.json` and `logs/<name>.log` below one folder, which one local cloud at a time may use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._outputs = path / "outputs.json"
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Take the folder for as long as the block runs.

        Removes what an earlier run left; `outputs.json` goes at the end, the logs stay to be read.
        """
        (self.path / "logs").mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as exc:
                raise StartError(f"Another local cloud is running on the state folder {self.path}.") from exc
            for stale in (self._outputs, *(self.path / "logs").glob("*.log")):
                stale.unlink(missing_ok=True)
            try:
                yield
            finally:
                self._outputs.unlink(missing_ok=True)

    def write_outputs(self, outputs: Mapping[str, str]) -> None:
        """Write the outputs so that a reader sees either no file or a whole one."""
        draft = self._outputs.with_suffix(".draft")
        draft.write_text(json.dumps(dict(outputs), indent=2) + "\n", encoding="utf-8")
        os.replace(draft, self._outputs)

    def log_path(self, name: str) -> Path:
        """Give the log file of a function or of moto."""
        return self.path / "logs" / f"{name}.log"

    def log(self, name: str, line: str) -> None:
        """Add a line, with its time, to a log file."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._lock, self.log_path(name).open("a", encoding="utf-8") as file:
            file.write(f"{stamp} {line}\n")
