"""A gate that the pump's threads pass for each piece of work. It counts work in flight, pauses and closes."""

import contextlib
import threading
from collections.abc import Iterator


class GateClosedError(Exception):
    """The gate is closed: no new work may begin."""


class Gate:
    """Counts the work in flight, and blocks new work while paused."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._in_flight = 0
        self._paused = False
        self._closed = False

    @contextlib.contextmanager
    def passage(self) -> Iterator[None]:
        """Do one piece of work in the block. Wait while paused, and raise GateClosedError if closed."""
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
        """Block new work and wait for work in flight. Return whether it ended within `timeout` seconds."""
        with self._changed:
            self._paused = True
            return self._changed.wait_for(lambda: self._in_flight == 0, timeout)

    def resume(self) -> None:
        """Allow new work again."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def close(self) -> None:
        """Block new work for good, and wake all waiting threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_closed(self, timeout: float) -> bool:
        """Sleep for `timeout` seconds or until the gate closes. Return whether it is closed."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed, timeout)
