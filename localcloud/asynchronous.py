"""Asynchronous invocations: Lambda retries a failed one twice, or as often as the template says."""

import itertools
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.gate import Gate, GateClosedError
from localcloud.runtime import FunctionRuntime


class AsynchronousInvoker:
    """Invokes functions in background threads; `retry_delays` in seconds (AWS waits 60 and 120)."""

    def __init__(self, gate: Gate, retry_delays: Sequence[float]) -> None:
        self._gate, self._retry_delays = gate, tuple(retry_delays)
        self._pending = 0
        self._lock = threading.Lock()

    @property
    def pending(self) -> int:
        """How many invocations have neither succeeded nor finally failed."""
        return self._pending

    def submit(self, runtime: FunctionRuntime, event: Mapping[str, Any]) -> None:
        """Start an invocation in the background. Its result is dropped, as on Lambda."""
        with self._lock:
            self._pending += 1
        threading.Thread(target=self._deliver, args=(runtime, event), daemon=True).start()

    def _deliver(self, runtime: FunctionRuntime, event: Mapping[str, Any]) -> None:
        try:
            for delay in itertools.chain(self._retry_delays[: runtime.function.retries], [None]):
                with self._gate.passage():
                    result = runtime.invoke(event)
                if result.error is None or delay is None or self._gate.wait_closed(delay):
                    return
        except GateClosedError:
            return
        finally:
            with self._lock:
                self._pending -= 1
