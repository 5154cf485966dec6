"""A hold and a disposal that meet at any moment: the call is wholly kept or wholly gone, and the hold says which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from threading import Condition, Thread, current_thread
from types import ModuleType

import pytest

from callseal.retention.dispose_recordings import DisposalIncompleteError
from tests.support.clock import Clock
from tests.support.disposal import ARCHIVE, AUDIT, card_of, put_call, records, versions
from tests.support.holds import HoldScene
from tests.support.network import Network
from tests.support.stack import Stack, failures, sqs_event

# Each race is about so many calls, each with a hold of its own.
RACES, CALLS = 12, 5


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue of holds delays nothing."""
    monkeypatch.setattr("callseal.retention.hold_messages.SETTLE_SECONDS", 0)


class Turns:
    """Lets two threads send their requests one at a time, in an order that a seed decides."""

    def __init__(self, seed: int) -> None:
        self._random, self._changed = Random(seed), Condition()
        self._working = {"disposal", "hold"}
        # A name may wait more than once: holds are set by several threads.
        self._waiting = dict[object, str]()
        self._next: object = None
        # One of the two may run on for some requests, so that it gets far ahead in some races.
        self._share = self._random.choice([0.1, 0.3, 0.5, 0.7, 0.9])

    def take(self, name: str) -> None:
        """Wait until it is the thread's turn."""
        mine = object()
        with self._changed:
            self._waiting[mine] = name
            self._choose()
            assert self._changed.wait_for(lambda: self._next is mine, timeout=60)
            del self._waiting[mine]
            self._next = None
            self._choose()

    def end(self, name: str) -> None:
        """Take no further turn."""
        with self._changed:
            self._working.discard(name)
            self._choose()

    def _choose(self) -> None:
        if self._next is None and self._waiting and set(self._waiting.values()) == self._working:
            first = "disposal" if self._random.random() < self._share else "hold"
            by_name = {name: each for each, name in reversed(self._waiting.items())}
            self._next = by_name.get(first, next(iter(by_name.values())))
            self._changed.notify_all()


def race(network: Network, turns: Turns, disposal: Callable[[], None], hold: Callable[[], None]) -> None:
    """Run both, request by request."""
    carry, errors = Network._carry, list[BaseException]()

    def work(name: str, act: Callable[[], None]) -> None:
        try:
            act()
        except DisposalIncompleteError:
            pass  # a call that was deleted in part
        except BaseException as exc:
            errors.append(exc)
        finally:
            turns.end(name)

    def take_turn(request: object, event_name: str) -> object:
        turns.take("disposal" if current_thread().name == "disposal" else "hold")
        return carry(network, request, event_name)  # type: ignore[arg-type]

    network._carry = take_turn  # type: ignore[method-assign, assignment]
    threads = [Thread(target=work, args=each, name=each[0]) for each in (("disposal", disposal), ("hold", hold))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    del network._carry
    assert not errors, errors


def test_a_call_is_kept_or_gone_whatever_request_comes_first(
    cloud: Stack, dispose_recordings: ModuleType, lock_recordings: ModuleType, network: Network, clock: Clock
) -> None:
    cloud.tenant("acme", settings={"deliver_to_archive": True, "encrypt": False})
    scene, outcomes = HoldScene(cloud, clock), Counter[str]()
    for seed in range(RACES):
        names, turns, random = [f"{seed}-{number}" for number in range(CALLS)], Turns(seed), Random(seed)
        calls = {name: put_call(cloud, name).call.id for name in names}

        def place(
            names: list[str] = names, calls: dict[str, str] = calls, turns: Turns = turns, random: Random = random
        ) -> None:
            for name in names:
                for _ in range(random.choice([0, 0, 1, 5, 15])):
                    turns.take("hold")
                scene.create(f"h{name}", calls=(calls[name],))
            while bodies := cloud.take(cloud.environment["LOCK_QUEUE_URL"]):
                assert failures(lock_recordings.lambda_handler(sqs_event(*bodies), None)) == []

        race(network, turns, lambda: dispose_recordings.lambda_handler({}, None), place)

        outcomes.update(_outcome(scene, name, cloud) for name in names)
        _clear(cloud, scene, names)
    assert outcomes["kept"] and outcomes["gone"], "the races have both ends"
    assert outcomes["in part"] <= RACES * CALLS // 10, outcomes


def _outcome(scene: HoldScene, name: str, cloud: Stack) -> str:
    """Check the end of a race about a call, and return it."""
    card, hold = card_of(cloud, name), scene.find(f"h{name}")
    left = [each for each in versions(cloud) if each[0].startswith(f"acme/{name}.")]
    count = scene.table.count(hold)
    assert hold.state == "held"
    if card.gone:
        assert (left, count.calls) == ([], 0)
        assert count.gone in ((), (card.call.id,))
        return "gone"
    assert card.holds == (hold.name,)
    for key, version in left:
        head = cloud.s3.head_object(Bucket=ARCHIVE, Key=key, VersionId=version)
        assert head["ObjectLockLegalHoldStatus"] == "ON"
    return "kept" if len(left) == 2 else "in part"


def _clear(cloud: Stack, scene: HoldScene, names: list[str]) -> None:
    """End what a race has left, and check that each deleted call has one line in the records."""
    for key, version in versions(cloud):
        cloud.s3.put_object_legal_hold(Bucket=ARCHIVE, Key=key, VersionId=version, LegalHold={"Status": "OFF"})
        cloud.s3.delete_object(Bucket=ARCHIVE, Key=key, VersionId=version)
    lines = Counter(line["id"] for each in records(cloud).values() for line in each)
    for name in names:
        card = card_of(cloud, name)
        assert lines[card.call.id] == (1 if card.gone else 0)
        if not card.gone:
            scene.write(card.call, lambda each: each.ended_by("erased", "2099-01-01T00:00:00.000Z"))
    for key in records(cloud):
        version = cloud.s3.head_object(Bucket=AUDIT, Key=key)["VersionId"]
        cloud.s3.delete_object(Bucket=AUDIT, Key=key, VersionId=version, BypassGovernanceRetention=True)


def test_the_scope_of_a_hold_stops_a_disposal_from_the_first_moment(
    cloud: Stack, dispose_recordings: ModuleType, clock: Clock
) -> None:
    cloud.tenant("acme", settings={"deliver_to_archive": True, "encrypt": False})
    scene = HoldScene(cloud, clock)
    put_call(cloud, "1")
    put_call(cloud, "2")
    scene.create("case", calls=(card_of(cloud, "1").call.id,))
    assert dispose_recordings.lambda_handler({}, None) == {"disposed": 1, "held": 1}
    assert [card_of(cloud, name).gone for name in "12"] == [None, "disposed"]


@pytest.mark.parametrize("holds", [("a",), ("a", "b")])
def test_a_call_is_disposed_of_when_its_last_hold_is_released(
    cloud: Stack, dispose_recordings: ModuleType, clock: Clock, holds: tuple[str, ...]
) -> None:
    cloud.tenant("acme", settings={"deliver_to_archive": True, "encrypt": False})
    scene = HoldScene(cloud, clock)
    call = put_call(cloud, "1").call.id
    for name in holds:
        scene.hold(name, calls=(call,))
    for name in holds:
        assert dispose_recordings.lambda_handler({}, None) == {"held": 1}
        scene.release(name)
    assert dispose_recordings.lambda_handler({}, None) == {"disposed": 1}
