"""One Lambda function as long-lived child processes, with Lambda's semantics for timeouts, crashes and concurrency."""

import contextlib
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.clock_file import ClockFile
from localcloud.processes import ChildEndedError, ChildSilentError, JsonChild, LineSink
from localcloud.stack import Function

_SCRIPT = Path(__file__).with_name("runtime_child.py")
# Lambda allows 10 s for an import. A busy test machine may need longer, and a slow import is no error here.
_IMPORT_SECONDS = 60.0


@dataclass(frozen=True)
class Result:
    """The result of an invocation: `payload`, or Lambda's error object (errorType, errorMessage, stackTrace)."""

    payload: Any = None
    error: Mapping[str, Any] | None = None


class FunctionRuntime:
    """Invokes one function in at most `concurrency` processes at once, which are reused until they fail."""

    def __init__(
        self, function: Function, environment: Mapping[str, str], concurrency: int, log: LineSink, clock: ClockFile
    ) -> None:
        self.function, self._clock = function, clock
        self._environment, self._log = environment, log
        self._slots = threading.BoundedSemaphore(concurrency)
        self._concurrency = concurrency
        self._lock = threading.Lock()
        self._idle: list[JsonChild] = []
        self._children: set[JsonChild] = set()
        self._closed = False

    def invoke(self, event: Any) -> Result:
        """Run the handler on one event and return the result. Block while every process is busy."""
        request_id = str(uuid.uuid4())
        with self._slots:
            try:
                with self._child() as child:
                    return self._exchange(child, event, request_id)
            except _FailedError as exc:
                if not self._closed:
                    self._log(f"[ERROR] {exc.error['errorType']} {exc.error['errorMessage']}")
                return Result(error=exc.error)

    def prewarm(self) -> None:
        """Start every process now. An import that fails is reported at the first invocation."""
        for _ in range(self._concurrency - len(self.pids())):
            with contextlib.suppress(_FailedError):
                child = self._start()
                with self._lock:
                    self._idle.append(child)

    def pids(self) -> list[int]:
        """Return the ids of the running processes."""
        with self._lock:
            return [child.pid for child in self._children if child.is_alive()]

    def close(self) -> None:
        """End every process. Invocations in flight fail."""
        with self._lock:
            self._closed = True
            children = list(self._children)
        for child in children:
            child.kill()

    @contextlib.contextmanager
    def _child(self) -> Iterator[JsonChild]:
        child = self._take_idle() or self._start()
        try:
            yield child
        finally:
            with self._lock:
                if child.is_alive():
                    self._idle.append(child)
                else:
                    self._children.discard(child)

    def _take_idle(self) -> JsonChild | None:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_alive():
                    return child
                self._children.discard(child)
        return None

    def _start(self) -> JsonChild:
        with self._lock:
            if self._closed:
                raise _failed("LocalCloud.Closed", "the local cloud is shutting down")
            child = JsonChild(_SCRIPT, [self.function.handler], self._environment, self.function.code, self._log)
            self._children.add(child)
        try:
            answer = child.receive(_IMPORT_SECONDS)
        except (ChildEndedError, ChildSilentError) as exc:
            raise _failed("Runtime.ExitError", f"the function's import ended early: {exc}") from exc
        if "error" in answer:
            child.kill()
            raise _FailedError(answer["error"])
        return child

    def _exchange(self, child: JsonChild, event: Any, request_id: str) -> Result:
        timeout = self.function.timeout
        request = {
            "event": event,
            "requestId": request_id,
            "arn": self.function.arn,
            "remainingMs": timeout * 1000,
            "secondsAhead": self._clock.seconds_ahead(),
        }
        try:
            child.send(request)
            answer = child.receive(timeout)
        except ChildSilentError as exc:
            message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
            raise _failed("Sandbox.Timedout", message) from exc
        except ChildEndedError as exc:
            message = f"RequestId: {request_id} Error: Runtime exited with error: {exc}"
            raise _failed("Runtime.ExitError", message) from exc
        return Result(payload=answer.get("payload"), error=answer.get("error"))


class _FailedError(Exception):
    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error["errorMessage"])
        self.error = error


def _failed(error_type: str, message: str) -> _FailedError:
    return _FailedError({"errorType": error_type, "errorMessage": message, "stackTrace": []})
