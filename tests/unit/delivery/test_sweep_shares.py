"""Shares of a sweep: when a file is due, where a run continues, and which share may use the queue's capacity."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from callseal.delivery import sweep_shares
from callseal.delivery.sweep_retries import retries
from callseal.delivery.sweep_shares import NEVER, NO_TENANT, Progress, Room, State, Turns, turns_of

START = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "count"),
    [(-10_000, 0), (-1, 0), (0, 0), (0.99, 0), (1, 1), (4.99, 1), (5, 2), (15, 3), (59, 3), (60, 4), (119, 4),
     (120, 5), (60 * 24 * 30, 3 + 24 * 30)],
)  # fmt: skip
def test_retries_by_age(minutes: float, count: int) -> None:
    assert retries(timedelta(minutes=minutes)) == count


def test_shares_by_tenant_with_other_folders_as_one() -> None:
    names = ["acme/", "1.wav", "No/", "beta/", "/"]

    found = {one.share: one for one in turns_of(names, State(), START)}

    assert set(found) == {"acme", "beta", NO_TENANT}
    assert found["acme"].prefix == "acme/"
    assert found[NO_TENANT].prefix == "/"


def test_shares_not_swept_for_the_longest_time_come_first() -> None:
    state = State(START, {"beta": Progress(START, START - timedelta(hours=1)), "zeta": Progress(NEVER, NEVER)})

    turns = turns_of(["acme/", "beta/", "zeta/"], state, START + timedelta(minutes=5))

    assert [one.share for one in turns] == ["zeta", "beta", "acme"]


def test_share_continues_after_the_last_key_that_had_capacity() -> None:
    turns = Turns("acme", ["acme/"], Progress(NEVER, NEVER), START)
    turns.listed("acme/4", more=False)
    for key, state in {"acme/1": "put_back", "acme/2": "waiting", "acme/3": "put_back", "acme/4": "held"}.items():
        turns.note(key, state)

    assert turns.progress() == Progress(NEVER, START, began=START, after="acme/1")


def test_complete_pass_in_one_run_saves_no_progress() -> None:
    turns = Turns("acme", ["acme/"], Progress(NEVER, NEVER), START)
    turns.listed("acme/1", more=False)
    turns.note("acme/1", "put_back")

    assert turns.ended
    assert turns.progress() is None


def test_pass_over_several_runs_counts_from_its_beginning() -> None:
    """A file that the first run checked may have become due since. The next pass must not skip it."""
    began = START - timedelta(minutes=10)
    turns = Turns("acme", ["acme/"], Progress(NEVER, began, began, "acme/1"), START)
    turns.listed("acme/2", more=False)
    turns.note("acme/2", "pending")

    after = turns.progress()

    assert after == Progress(began, START)
    following = Turns("acme", ["acme/"], after or Progress(NEVER, NEVER), START + timedelta(minutes=5))
    assert following.after == ""
    assert following.is_due("acme/1", START - timedelta(minutes=12))


def test_share_that_had_no_turn_keeps_its_progress() -> None:
    progress = Progress(START - timedelta(hours=1), START - timedelta(minutes=5), None, "")

    assert Turns("acme", ["acme/"], progress, START).progress() == progress


def test_finished_prefixes_are_not_listed_again() -> None:
    prefixes = ["1.wav", "A/", "B/", "C/"]

    turns = Turns(NO_TENANT, prefixes, Progress(NEVER, NEVER, START, "B/2.wav"), START)

    seen = []
    while not turns.ended:
        seen.append(turns.prefix)
        turns.listed("", more=False)
    assert seen == ["B/", "C/"]


def test_number_of_saved_failures_is_bounded() -> None:
    turns = Turns("acme", ["acme/"], Progress(NEVER, NEVER), START)
    turns.listed("acme/999", more=False)
    for number in range(1000):
        turns.note(f"acme/{number:03}", "failed")

    progress = turns.progress()

    assert progress and len(progress.failed) == sweep_shares.MAX_FAILED


@pytest.mark.parametrize(("backlog", "first", "second"), [(0, 5_000, 5_000), (12_000, 5_000, 3_000), (20_000, 10, 10)])
def test_capacity(backlog: int, first: int, second: int) -> None:
    room = Room(backlog)

    assert sum(room.take("aaa") for _ in range(30_000)) == first
    assert sum(room.take("zzz") for _ in range(30_000)) == second


def test_progress_written_by_another_run_meanwhile() -> None:
    same, new = Progress(START, START), Progress(NEVER, START)
    before = State(START, {"acme": same, "beta": same})

    assert State(START, {"acme": same, "beta": new, "zeta": new}).changed_since(before) == {"beta": new, "zeta": new}
