"""A gate that the pump's threads pass for each piece of work: it counts what is in flight, pauses and closes."""

import contextlib
import threading
from collections.abc import Iterator


class GateClosedError(Exception):
    """Say that no work is begun any more."""


class Gate:
    """Count the work in flight and hold new work back while paused."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._in_flight = 0
        self._paused = False
        self._closed = False

    @contextlib.contextmanager
    def passage(self) -> Iterator[None]:
        """Do one piece of work; waits while paused, raises GateClosedError once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._paused)
            if self._closed:
                raise GateClosedError
            self._in_flight += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def pause(self, timeout: float) -> bool:
        """Let nothing new begin, and wait for what is in flight; tells whether it ended in time."""
        with self._changed:
            self._paused = True
            return self._changed.wait_for(lambda: self._in_flight == 0, timeout)

    def resume(self) -> None:
        """Let work begin again."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def close(self) -> None:
        """Let nothing begin ever again; whoever waits is told."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_closed(self, timeout: float) -> bool:
        """Sleep, but not beyond the closing; tells whether the gate is closed."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed, timeout)
