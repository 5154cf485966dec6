"""Gathering: requests that several threads want at about the same time go out as one.

A request costs a millisecond of a core whatever it carries, so ten files of a batch that tell the audit of their
delivery in one request, and are purged in one, take half as long as by themselves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Condition, Lock
from typing import Generic, TypeVar

Item = TypeVar("Item")

# Below what a request to AWS takes by itself: nobody's file is later for it by more than that.
LINGER_SECONDS = 0.02


class BatchWindow:
    """Who is at work, and may come to a gathering soon: while there is such a one, those who wait there linger."""

    def __init__(self) -> None:
        """Begin with nobody at work."""
        self._changed = Condition()
        self._at_work = self._waiting = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count a thread as one who may come, as long as the context lasts."""
        self.change(at_work=1)
        try:
            yield
        finally:
            self.change(at_work=-1)

    def wait(self, done: Callable[[], bool]) -> None:
        """Wait for the others: until all that are at work wait too, somewhere, or it is done; but not for long."""
        self.change(waiting=1)
        with self._changed:
            self._changed.wait_for(lambda: done() or self._waiting >= self._at_work, LINGER_SECONDS)

    def change(self, at_work: int = 0, waiting: int = 0, done: bool = False) -> None:
        """Count, and wake those who wait if they have waited long enough: each that wakes in vain costs the others."""
        with self._changed:
            self._at_work += at_work
            self._waiting += waiting
            if done or self._waiting >= self._at_work:
                self._changed.notify_all()


class RequestBatcher(Generic[Item]):
    """Sends items together, at most `limit` in a call: those that come at a rendezvous, or while a call is under way.

    `send` gives for each item None, or the error that its thread is to get; what it raises, all its items get.
    """

    def __init__(
        self, send: Callable[[Sequence[Item]], Sequence[Exception | None]], limit: int, window: BatchWindow
    ) -> None:
        """Take the call."""
        self._send, self._limit, self._window = send, limit, window
        self._waiting: deque[tuple[Item, Future[None]]] = deque()
        self._sending = Lock()

    def put(self, item: Item) -> None:
        """Send an item, with those that have come meanwhile; raises the item's error."""
        taken: Future[None] = Future()
        self._waiting.append((item, taken))
        self._window.wait(taken.done)
        with self._sending:
            # Who held the lock has sent what waited for it, so there is often nothing left to do.
            while not taken.done():
                self._send_some()
        taken.result()

    def _send_some(self) -> None:
        some = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
        self._window.change(waiting=-len(some))
        errors: Sequence[BaseException | None]
        try:
            errors = [error for _, error in zip(some, self._send([item for item, _ in some]), strict=True)]
        except BaseException as exc:  # noqa: BLE001  # told to each of them by their own future
            errors = [exc] * len(some)
        for (_, taken), error in zip(some, errors, strict=True):
            taken.set_exception(error) if error else taken.set_result(None)
        self._window.change(done=True)
