"""Asynchronous invocations, as a rule makes them: Lambda tries a failed one twice again, or as the template says."""

import itertools
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.gate import Gate, GateClosedError
from localcloud.runtime import FunctionRuntime


class AsynchronousInvoker:
    """Invoke functions in the background; `retry_delays` in seconds (AWS waits 60 and 120)."""

    def __init__(self, gate: Gate, retry_delays: Sequence[float]) -> None:
        self._gate, self._retry_delays = gate, tuple(retry_delays)
        self._pending = 0
        self._lock = threading.Lock()

    @property
    def pending(self) -> int:
        """Count the invocations that have neither succeeded nor been given up."""
        return self._pending

    def submit(self, runtime: FunctionRuntime, event: Mapping[str, Any]) -> None:
        """Invoke the function soon; gives nothing back, as Lambda does."""
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
