"""A hold and a disposal that meet at any moment: the call is wholly kept or wholly gone, and the hold says which."""

from __future__ import annotations

from collections import Counter
from types import ModuleType

import pytest

from tests.functions.law.races import AT_ONCE, CALLS, DISPOSAL_FIRST, GONE, HOLD_FIRST, IN_PART, KEPT, Races
from tests.support.clock import Clock
from tests.support.disposal import card_of, put_call
from tests.support.holds import HoldScene
from tests.support.network import Network
from tests.support.stack import Stack

# Each is about CALLS calls.
ROUNDS = 12


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue of holds delays nothing."""
    monkeypatch.setattr("callseal.retention.hold_messages.SETTLE_SECONDS", 0)


def test_a_call_is_kept_or_gone_whatever_request_comes_first(
    cloud: Stack, dispose_recordings: ModuleType, lock_recordings: ModuleType, network: Network, clock: Clock
) -> None:
    """`make races` runs a thousand."""
    races = Races(cloud, clock, network, dispose_recordings, lock_recordings)
    races.run(range(ROUNDS))
    orders, ends = Counter[str](), Counter[str]()
    for (order, end), number in races.counts.items():
        orders[order] += number
        ends[end] += number
    assert all(orders[order] for order in (HOLD_FIRST, DISPOSAL_FIRST, AT_ONCE)), orders
    assert ends[KEPT] and ends[GONE], "the races have both ends"
    assert ends[IN_PART] <= ROUNDS * CALLS // 10, ends


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
