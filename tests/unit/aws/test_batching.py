"""Items of several threads that are sent in one request."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from unittest.mock import patch

import pytest

from callseal.aws.batching import BatchWindow, RequestBatcher


def test_each_caller_gets_the_answer_to_its_own_item() -> None:
    def send(items: Sequence[int]) -> list[Exception | None]:
        return [ValueError(str(item)) if item % 3 == 0 else None for item in items]

    def put(item: int) -> str:
        try:
            gathering.put(item)
        except ValueError as exc:
            return str(exc)
        return "taken"

    gathering = RequestBatcher(send, 4, BatchWindow())
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(put, range(2000)))
    assert answers == [str(item) if item % 3 == 0 else "taken" for item in range(2000)]


def test_items_submitted_during_a_call_are_sent_with_the_next() -> None:
    calls: list[list[int]] = []
    begun, go_on = Event(), Event()

    def send(items: Sequence[int]) -> list[None]:
        calls.append(sorted(items))
        begun.set()
        go_on.wait(10)
        return [None] * len(items)

    gathering = RequestBatcher(send, 4, BatchWindow())
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(gathering.put, 0)
        assert begun.wait(10)
        others = [threads.submit(gathering.put, item) for item in range(1, 7)]
        while len(gathering._waiting) < 6:
            pass
        go_on.set()
        for future in (first, *others):
            future.result(10)
    assert [len(call) for call in calls] == [1, 4, 2]
    assert sorted(item for call in calls for item in call) == list(range(7))


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_call_that_raises_fails_only_its_own_items(error: BaseException) -> None:
    def send(items: Sequence[int]) -> list[None]:
        if 1 in items:
            raise error
        return [None] * len(items)

    gathering = RequestBatcher(send, 10, BatchWindow())
    with pytest.raises(type(error)):
        gathering.put(1)
    gathering.put(2)


def test_answer_of_the_wrong_length_fails_all_items() -> None:
    """An incomplete answer must never count as complete."""
    gathering = RequestBatcher(lambda items: [], 10, BatchWindow())
    with pytest.raises(ValueError, match="shorter"):
        gathering.put(1)


def test_submitters_wait_for_all_active_threads() -> None:
    calls: list[int] = []

    def send(items: Sequence[int]) -> list[None]:
        calls.append(len(items))
        return [None] * len(items)

    def work(item: int) -> None:
        with window.at_work():
            ready.wait(10)
            time.sleep(item / 1000)
            first.put(item)
            second.put(item)

    window, ready = BatchWindow(), Barrier(8)
    first, second = RequestBatcher(send, 10, window), RequestBatcher(send, 10, window)
    with ThreadPoolExecutor(8) as threads, patch("callseal.aws.batching.LINGER_SECONDS", 10):
        list(threads.map(work, range(8)))
    assert calls == [8, 8]


def test_wait_for_a_missing_item_is_short() -> None:
    window, sent = BatchWindow(), Event()

    def send(items: Sequence[int]) -> list[None]:
        sent.set()
        return [None] * len(items)

    gathering = RequestBatcher(send, 10, window)
    with ThreadPoolExecutor(1) as threads, window.at_work(), window.at_work():
        threads.submit(gathering.put, 1).result(10)
    assert sent.is_set()
