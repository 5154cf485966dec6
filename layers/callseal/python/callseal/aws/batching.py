"""Batching: requests of several threads at about the same time are sent as one.

A request takes about a millisecond of a core, whatever its size. Ten files of a batch that share one request for their
audit events, and one for their purge, take half as long as with a request for each file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Condition, Lock
from typing import Generic, TypeVar

Item = TypeVar("Item")

# The longest delay of a file by batching. It is shorter than a single request to AWS.
LINGER_SECONDS = 0.02


class BatchWindow:
    """Counts the threads that may still submit an item. A submitter waits briefly while any other thread may.

    One window serves several batchers.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._at_work = self._waiting = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count this thread as one that may submit an item, until the context ends."""
        self.change(at_work=1)
        try:
            yield
        finally:
            self.change(at_work=-1)

    def wait(self, done: Callable[[], bool]) -> None:
        """Wait until `done()`, or until every thread at work waits in some batcher, but at most LINGER_SECONDS."""
        self.change(waiting=1)
        with self._changed:
            self._changed.wait_for(lambda: done() or self._waiting >= self._at_work, LINGER_SECONDS)

    def change(self, at_work: int = 0, waiting: int = 0, done: bool = False) -> None:
        """Add to the counts of threads at work and of waiting items, and wake the waiting threads if they may proceed.

        They are woken only then, because each needless wake-up delays the other threads.
        """
        with self._changed:
            self._at_work += at_work
            self._waiting += waiting
            if done or self._waiting >= self._at_work:
                self._changed.notify_all()


class RequestBatcher(Generic[Item]):
    """Sends the items of several threads together, at most `limit` in a call of `send`.

    A call has the items that were submitted within one window, or during the previous call. `send` returns None or an
    error for each item, and `put` raises the error in the item's thread. If `send` raises, all of its items fail.
    """

    def __init__(
        self, send: Callable[[Sequence[Item]], Sequence[Exception | None]], limit: int, window: BatchWindow
    ) -> None:
        self._send, self._limit, self._window = send, limit, window
        self._waiting: deque[tuple[Item, Future[None]]] = deque()
        self._sending = Lock()

    def put(self, item: Item) -> None:
        """Send an item, together with the waiting items of other threads. Raises the item's error."""
        sent: Future[None] = Future()
        self._waiting.append((item, sent))
        self._window.wait(sent.done)
        with self._sending:
            # The previous holder of the lock has often sent this item too.
            while not sent.done():
                self._send_batch()
        sent.result()

    def _send_batch(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
        self._window.change(waiting=-len(batch))
        errors: Sequence[BaseException | None]
        try:
            errors = [error for _, error in zip(batch, self._send([item for item, _ in batch]), strict=True)]
        except BaseException as exc:  # noqa: BLE001  # each item's future raises it
            errors = [exc] * len(batch)
        for (_, sent), error in zip(batch, errors, strict=True):
            sent.set_exception(error) if error else sent.set_result(None)
        self._window.change(done=True)
