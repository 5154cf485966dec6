"""The brake: a run of unusually many calls deletes nothing until a person confirms it, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest

from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_facts import plain_facts
from callseal.calls.facts import Facts
from callseal.retention.disposal_table import DisposalTable
from tests.functions.test_dispose_recordings import run
from tests.support.clock import Clock
from tests.support.disposal import (
    ENDED,
    LANDED,
    LATER,
    RETENTION,
    disposed_days,
    outcome,
    put_call,
    put_cards,
    records,
    state,
)
from tests.support.metrics import emitted
from tests.support.network import Network
from tests.support.stack import Stack


@pytest.fixture(autouse=True)
def acme(cloud: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tenant has no archive, so its cards alone are enough. The brake acts above 10 calls instead of 100."""
    cloud.tenant("acme", settings={})
    monkeypatch.setattr("callseal.retention.brake.FREE_CALLS", 10)


def put_due(cloud: Stack, count: int, kind: str = "due", dispose_on: str | None = "2026-01-01T00:00:00.000Z") -> None:
    """Write cards of calls without files."""
    for first in range(0, count, 100):
        put_cards(
            cloud,
            *(
                Card(CallName("acme", f"{kind}{number}"))
                .with_metadata("m", "read", plain_facts(Facts(ended=ENDED), lambda _: False), LANDED)
                .with_outcome(outcome(dispose_on))
                for number in range(first, min(first + 100, count))
            ),
        )


def days_ago(*days: int) -> list[str]:
    return [f"{datetime.now(UTC) - timedelta(days=each):%Y-%m-%d}" for each in days]


@pytest.mark.parametrize(
    ("due", "calls", "before", "is_stopped"),
    [(10, 10, {}, False), (11, 11, {}, True), (11, 220, {}, False), (11, 219, {}, True),
     (15, 15, {2: 5}, False), (16, 16, {2: 5}, True), (16, 16, {2: 4, 6: 6}, True),
     (15, 15, {1: 2, 7: 8}, False), (15, 15, {8: 5}, True), (15, 15, {0: 5}, False)],
    ids=["not above the number", "no day before", "5 % of the calls", "over 5 %", "3 times the mean", "over 3 times",
         "over 3 times of 2 days", "3 times of 2 days", "a day too long ago", "earlier today"],
)  # fmt: skip
def test_the_rule(
    cloud: Stack, dispose_recordings: ModuleType, due: int, calls: int, before: dict[int, int], is_stopped: bool
) -> None:
    put_due(cloud, due)
    put_due(cloud, calls - due, "other", LATER)
    disposed_days(cloud, {days_ago(day)[0]: count for day, count in before.items()})

    assert run(dispose_recordings) == ({"braked": 1} if is_stopped else {"disposed": due})

    assert len(records(cloud)) == (0 if is_stopped else 1)
    assert state(cloud, "brake").get("calls") == (str(due) if is_stopped else None)


def test_calls_under_a_hold_do_not_count(cloud: Stack, dispose_recordings: ModuleType) -> None:
    put_due(cloud, 10)
    put_call(cloud, "held", holds=["case"])
    assert run(dispose_recordings) == {"disposed": 10, "held": 1}


def test_a_confirmation_frees_one_disposal(
    cloud: Stack, dispose_recordings: ModuleType, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    table = DisposalTable(cloud.dynamodb, RETENTION)
    assert not table.confirm("acme", clock(), None)
    put_due(cloud, 11)
    assert run(dispose_recordings) == {"braked": 1}
    assert run(dispose_recordings) == {"braked": 1}
    assert emitted(capsys)[-1]["DisposalsStopped"] == [1.0]

    assert table.confirm("acme", clock(), "someone")
    assert not table.confirm("acme", clock(), "someone else"), "it is confirmed already"
    assert run(dispose_recordings) == {"disposed": 11}
    assert state(cloud, "brake") == {}

    put_due(cloud, 34, "more")
    assert run(dispose_recordings) == {"braked": 1}


def test_a_confirmed_disposal_that_was_cut_short_goes_on(
    cloud: Stack, dispose_recordings: ModuleType, clock: Clock, monkeypatch: pytest.MonkeyPatch, network: Network
) -> None:
    monkeypatch.setattr("callseal.retention.dispose_recordings.MAX_CALLS", 6)
    monkeypatch.setattr("callseal.retention.due_calls.BATCH", 6)
    put_due(cloud, 50)
    assert run(dispose_recordings) == {"braked": 1}
    DisposalTable(cloud.dynamodb, RETENTION).confirm("acme", clock(), None)
    counts = [run(dispose_recordings) for _ in range(9)]
    assert sum(each["disposed"] for each in counts) == 50
    assert state(cloud, "brake") == {}


def test_a_confirmation_does_not_wait_for_a_later_disposal(
    cloud: Stack, dispose_recordings: ModuleType, clock: Clock
) -> None:
    put_due(cloud, 11)
    run(dispose_recordings)
    DisposalTable(cloud.dynamodb, RETENTION).confirm("acme", clock(), None)
    put_due(cloud, 11, dispose_on=LATER)
    assert run(dispose_recordings) == {}
    assert state(cloud, "brake") == {}


def test_another_tenants_disposal_goes_on(cloud: Stack, dispose_recordings: ModuleType) -> None:
    put_due(cloud, 11)
    put_call(cloud, "1", tenant="beta")
    assert run(dispose_recordings) == {"braked": 1, "disposed": 1}
