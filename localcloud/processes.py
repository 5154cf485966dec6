"""Child processes that speak JSON lines over pipes and never outlive this process."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

LineSink = Callable[[str], None]


class ChildEndedError(Exception):
    """The child has ended. `returncode` is that of subprocess."""

    def __init__(self, returncode: int) -> None:
        how = f"exit status {returncode}" if returncode >= 0 else f"signal: {signal.Signals(-returncode).name}"
        super().__init__(how)
        self.returncode = returncode


class ChildSilentError(Exception):
    """The child did not answer in time."""


class JsonChild:
    """A script of this package in its own process group. `log` is called with each line of its standard error."""

    def __init__(
        self, script: Path, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, log: LineSink
    ) -> None:
        # -P: the module names of this package, the script's folder, must not shadow the function's imports.
        # Its own process group: only the parent handles Ctrl-C, and a kill also ends the child's own children.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(script), *arguments], env=dict(environment), cwd=folder, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.pid = self._process.pid
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._start_thread(self._collect_answers, self._process.stdout)
        self._log_thread = self._start_thread(self._collect_log, self._process.stderr, log)

    def send(self, message: Mapping[str, Any]) -> None:
        """Write one message. Raise ChildEndedError if the child has ended."""
        try:
            self._stdin.write(json.dumps(message).encode() + b"\n")
            self._stdin.flush()
        except (BrokenPipeError, ValueError) as exc:
            raise ChildEndedError(self._reap()) from exc

    def receive(self, timeout: float | None = None) -> dict[str, Any]:
        """Wait for one message. End the process and raise ChildEndedError or ChildSilentError if none comes."""
        try:
            line = self._answers.get(timeout=timeout)
        except queue.Empty as exc:
            self.kill()
            raise ChildSilentError from exc
        if line is None:
            raise ChildEndedError(self._reap())
        message: dict[str, Any] = json.loads(line)
        return message

    def is_alive(self) -> bool:
        """Return whether the process still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process and its own children, if it still runs."""
        self._process.kill()
        self._reap()

    def _reap(self) -> int:
        # A child without pipes is useless even if it runs, and an ended one may leave its gpg running.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        returncode = self._process.wait()
        self._log_thread.join(timeout=1)
        with contextlib.suppress(OSError):
            self._stdin.close()
        return returncode

    def _collect_answers(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self._answers.put(line)
        self._answers.put(None)

    def _collect_log(self, pipe: IO[bytes], log: LineSink) -> None:
        with pipe:
            for line in pipe:
                log(line.decode(errors="replace").rstrip("\n"))

    def _start_thread(self, target: Callable[..., None], *arguments: Any) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        thread.start()
        return thread
