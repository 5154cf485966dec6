"""Gathering: requests that several threads want at about the same time go out as one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Gathering(Generic[Item]):
    """Sends items together, at most `limit` in a call. Nobody waits for others to come, only for a call under way.

    `send` gives for each item None, or the error that its thread is to get; what it raises, all its items get.
    """

    def __init__(self, send: Callable[[Sequence[Item]], Sequence[Exception | None]], limit: int) -> None:
        """Take the call."""
        self._send, self._limit = send, limit
        self._waiting: deque[tuple[Item, Future[None]]] = deque()
        self._sending = Lock()

    def put(self, item: Item) -> None:
        """Send an item, with those that have come meanwhile; raises the item's error."""
        taken: Future[None] = Future()
        self._waiting.append((item, taken))
        with self._sending:
            # Who held the lock has sent what waited for it, so there is often nothing left to do.
            while not taken.done():
                self._send_some()
        taken.result()

    def _send_some(self) -> None:
        some = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
        errors: Sequence[BaseException | None]
        try:
            errors = [error for _, error in zip(some, self._send([item for item, _ in some]), strict=True)]
        except BaseException as exc:  # noqa: BLE001  # told to each of them by their own future
            errors = [exc] * len(some)
        for (_, taken), error in zip(some, errors, strict=True):
            taken.set_exception(error) if error else taken.set_result(None)
