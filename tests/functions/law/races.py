"""Races between a hold and a disposal of the same call, request by request: `python -m tests.functions.law.races`.

A seed decides whose request is next. After a race the call must be wholly kept under its hold, or wholly gone with a
line in a record, and the hold must say which.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from random import Random
from threading import Condition, Thread, current_thread
from types import ModuleType

import pytest

from callseal.aws.calls import CONFIG
from callseal.retention.dispose_recordings import DisposalIncompleteError
from tests.support import functions
from tests.support.clock import Clock
from tests.support.disposal import ARCHIVE, AUDIT, card_of, put_call, records, versions
from tests.support.holds import HoldScene
from tests.support.network import Network, Request
from tests.support.stack import REGION, Stack, failures, sqs_event, stack

# A round is about so many calls, each with a hold of its own.
CALLS, ROUNDS_A_STACK = 5, 10
DISPOSAL, HOLD = "disposal", "hold"
KEPT, GONE, IN_PART = "kept", "gone", "in part"
HOLD_FIRST, DISPOSAL_FIRST, AT_ONCE = "hold first", "disposal first", "both at once"


class Turns:
    """Lets two threads send their requests one at a time, in an order that a seed decides."""

    def __init__(self, seed: int) -> None:
        self._random, self._changed = Random(seed), Condition()
        self._working = {DISPOSAL, HOLD}
        # A name may wait more than once: holds are set by several threads.
        self._waiting = dict[object, str]()
        self._next: object = None
        # One of the two may run on for some requests, so that it gets far ahead in some races.
        self._share = self._random.choice([0.1, 0.3, 0.5, 0.7, 0.9])
        self.taken = 0

    def take(self, name: str) -> int:
        """Wait until it is the thread's turn. Return the turn's number."""
        with self._changed:
            self._waiting[mine := object()] = name
            self._choose()
            assert self._changed.wait_for(lambda: self._next is mine, timeout=300)
            del self._waiting[mine]
            self._next = None
            self.taken += 1
            self._choose()
            return self.taken

    def end(self, name: str) -> None:
        """Take no further turn."""
        with self._changed:
            self._working.discard(name)
            self._choose()

    def _choose(self) -> None:
        if self._next is None and self._waiting and set(self._waiting.values()) == self._working:
            first = DISPOSAL if self._random.random() < self._share else HOLD
            by_name = {name: each for each, name in reversed(self._waiting.items())}
            self._next = by_name.get(first, next(iter(by_name.values())))
            self._changed.notify_all()


@dataclass
class Traces:
    """The first and the last turn in which each side had to do with a call."""

    ids: dict[str, str]
    spans: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def add(self, side: str, name: str, turn: int) -> None:
        """Note a turn."""
        first, last = self.spans.get((side, name), (turn, turn))
        self.spans[side, name] = min(first, turn), max(last, turn)

    def note(self, side: str, request: Request, turn: int) -> None:
        """Note the calls that a request names."""
        for name, id_ in self.ids.items():
            if id_.encode() in request.body or f"acme/{name}.".encode() in request.body or name in _named(request):
                self.add(side, name, turn)

    def order(self, name: str) -> str:
        """Return which side was over with a call before the other one began."""
        hold, disposal = self.spans[HOLD, name], self.spans[DISPOSAL, name]
        return HOLD_FIRST if hold[1] < disposal[0] else DISPOSAL_FIRST if disposal[1] < hold[0] else AT_ONCE


@dataclass
class Races:
    """Runs rounds of races, and counts their orders and ends."""

    cloud: Stack
    clock: Clock
    network: Network
    dispose_recordings: ModuleType
    lock_recordings: ModuleType
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def run(self, seeds: range) -> None:
        """Run a round for each seed."""
        self.cloud.tenant("acme", settings={"deliver_to_archive": True, "encrypt": False})
        scene = HoldScene(self.cloud, self.clock)
        for seed in seeds:
            names = [f"{seed}-{number}" for number in range(CALLS)]
            traces = Traces({name: put_call(self.cloud, name).call.id for name in names})
            is_loud = self._race(seed, scene, traces)
            ends = {name: self._end(scene, name) for name in names}
            assert is_loud == (IN_PART in ends.values()), "a call that is deleted in part fails the run"
            self.counts.update((traces.order(name), end) for name, end in ends.items())
            self._clear(scene, names)

    def _race(self, seed: int, scene: HoldScene, traces: Traces) -> bool:
        """Run both sides. Return whether the disposal has failed, for a call that it deleted in part."""
        turns, random, errors, loud = Turns(seed), Random(seed), list[BaseException](), list[bool]()

        def place() -> None:
            for name, id_ in traces.ids.items():
                for _ in range(random.choice([0, 0, 1, 5, 15])):
                    turns.take(HOLD)
                traces.add(HOLD, name, turns.taken)
                scene.create(f"h{name}", calls=(id_,))
            while bodies := self.cloud.take(self.cloud.environment["LOCK_QUEUE_URL"]):
                assert failures(self.lock_recordings.lambda_handler(sqs_event(*bodies), None)) == []

        def work(name: str, act: Callable[[], object]) -> None:
            try:
                act()
            except DisposalIncompleteError:
                loud.append(True)
            except BaseException as exc:
                errors.append(exc)
            finally:
                turns.end(name)

        with self._by_turns(turns, traces):
            sides = {DISPOSAL: lambda: self.dispose_recordings.lambda_handler({}, None), HOLD: place}
            threads = [Thread(target=work, args=each, name=each[0]) for each in sides.items()]
            for act in (Thread.start, Thread.join):
                for thread in threads:
                    act(thread)
        assert not errors, errors
        return bool(loud)

    @contextmanager
    def _by_turns(self, turns: Turns, traces: Traces) -> Iterator[None]:
        carry = Network._carry

        def take_turn(request: Request, event_name: str) -> object:
            side = DISPOSAL if current_thread().name == DISPOSAL else HOLD
            traces.note(side, request, turns.take(side))
            return carry(self.network, request, event_name)

        self.network._carry = take_turn  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            del self.network._carry

    def _end(self, scene: HoldScene, name: str) -> str:
        """Check the end of a race about a call, and return it."""
        card, hold = card_of(self.cloud, name), scene.find(f"h{name}")
        assert hold.state == "held"
        left = [each for each in versions(self.cloud) if each[0].startswith(f"acme/{name}.")]
        count = scene.table.count(hold)
        if card.gone:
            assert (left, count.calls) == ([], 0)
            assert count.gone in ((), (card.call.id,))
            return GONE
        assert card.holds == (hold.name,)
        assert all(scene.bit(*each) for each in left)
        return KEPT if len(left) == 2 else IN_PART

    def _clear(self, scene: HoldScene, names: list[str]) -> None:
        """End what a race has left, and check that each deleted call has one line in the records."""
        s3, off = self.cloud.s3, {"Status": "OFF"}
        for key, version in versions(self.cloud):
            address = {"Bucket": ARCHIVE, "Key": key, "VersionId": version}
            s3.put_object_legal_hold(**address, LegalHold=off)
            s3.delete_object(**address)
        lines = Counter(line["id"] for each in records(self.cloud).values() for line in each)
        for name in names:
            card = card_of(self.cloud, name)
            assert lines[card.call.id] == (1 if card.gone else 0)
            if not card.gone:
                scene.write(card.call, lambda each: each.ended_by("erased", "2099-01-01T00:00:00.000Z"))
            scene.release(f"h{name}")
        for key in records(self.cloud):
            address = {"Bucket": AUDIT, "Key": key, "VersionId": s3.head_object(Bucket=AUDIT, Key=key)["VersionId"]}
            s3.delete_object(**address, BypassGovernanceRetention=True)


def _named(request: Request) -> str:
    """Return the base name of the file that a request is about."""
    return request.key.removeprefix("acme/").partition(".")[0] if request.bucket == ARCHIVE else ""


def at_random(races: int, seed: int) -> Counter[tuple[str, str]]:
    """Run races, and return their orders and ends. Holds are never deleted, so there is a new stack now and then."""
    rounds = range(seed, seed + -(-races // CALLS))
    parts = [rounds[first : first + ROUNDS_A_STACK] for first in range(0, len(rounds), ROUNDS_A_STACK)]
    counts = Counter[tuple[str, str]]()
    for part in parts:
        counts += _on_a_stack(part)
        print(f"  {counts.total()} of {len(rounds) * CALLS}", file=sys.stderr, flush=True)
    return counts


def _on_a_stack(rounds: range) -> Counter[tuple[str, str]]:
    with stack() as cloud, redirect_stdout(StringIO()), pytest.MonkeyPatch.context() as patch:
        clock, network = Clock(), Network(cloud.s3)
        patch.setattr("callseal.wiring.container.now", clock)
        patch.setattr("callseal.wiring.container.Session", network.session)
        patch.setattr("callseal.retention.hold_messages.SETTLE_SECONDS", 0)
        patch.setitem(CONFIG.retries, "total_max_attempts", 1)  # type: ignore[attr-defined]
        patch.setenv("AWS_REGION", REGION)
        dispose, lock = (functions.load(f"{verb}_recordings", watch=False) for verb in ("dispose", "lock"))
        (races := Races(cloud, clock, network, dispose, lock)).run(rounds)
        return races.counts


def main() -> int:
    """Run, and print a table. Return 1 if a held call has lost a file."""
    parser = argparse.ArgumentParser(prog="python -m tests.functions.law.races", description=__doc__)
    for name, default, what in (("--races", 1000, "how many calls"), ("--seed", 0, "the first round's seed")):
        parser.add_argument(name, type=int, default=default, help=f"{what} [{default}]")
    options = parser.parse_args()
    counts = at_random(options.races, options.seed)
    for order in (HOLD_FIRST, DISPOSAL_FIRST, AT_ONCE):
        print(f"{order:15}", *(f"{end} {counts[order, end]:5}" for end in (KEPT, GONE, IN_PART)), sep="  ")
    lost = sum(counts[order, IN_PART] for order in (HOLD_FIRST, DISPOSAL_FIRST, AT_ONCE))
    print(f"races: {counts.total()} calls, {lost} held calls that lost a file")
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
