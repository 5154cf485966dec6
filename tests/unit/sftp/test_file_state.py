"""A delivered file's state, from events that arrive twice, late and in any order; and when its expiry is reported."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callseal.core.audit import timestamp
from callseal.sftp.events import file_unfetched
from callseal.sftp.file_state import DELIVERED, EXPIRED, FETCHED, LEEWAY, DeliveredFile, expiry
from tests.support.events import VALIDATOR

START = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
NEW = DeliveredFile("acme", "acme/1.wav")


class Told(NamedTuple):
    """An event: of the delivery with this id, or of a download if there is none; minutes after START."""

    minute: int
    delivery: str = ""


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def take(file: DeliveredFile, event: Told, days: int = 7) -> DeliveredFile:
    time = timestamp(at(event.minute))
    return file.delivered_by(event.delivery, time, 4, days) if event.delivery else file.fetched_at(time)


def after(*events: Told, days: int = 7) -> DeliveredFile:
    return reduce(lambda file, event: take(file, event, days), events, NEW)


def test_a_file_is_delivered_fetched_or_expired() -> None:
    file = after(Told(0, "a"))
    assert (file.state, file.delivered, file.expires) == (DELIVERED, timestamp(at(0)), "2026-12-03T00:00:00.000Z")
    assert after(Told(0, "a"), Told(1)).state == FETCHED
    assert replace(file, told=0).state == EXPIRED
    assert after(Told(5)).state is None


def test_late_download_of_an_expired_file_counts() -> None:
    expired = replace(after(Told(0, "a")), told=0)
    file = take(expired, Told(8 * 24 * 60))
    assert (file.state, file.due) == (FETCHED, None)


def test_new_delivery_under_a_free_name_starts_again() -> None:
    reported = replace(after(Told(0, "a")), told=1)
    file = take(reported, Told(60 * 24 * 9, "b"))
    assert (file.state, file.told, file.delivered) == (DELIVERED, None, timestamp(at(60 * 24 * 9)))
    assert after(Told(0, "a"), Told(10), Told(60, "b")).state == DELIVERED
    assert after(Told(0, "a"), Told(10), Told(60, "b"), Told(70)).state == FETCHED


def test_a_download_just_before_the_event_of_the_delivery_counts() -> None:
    """A file is visible once it is committed. Its event arrives a moment later, or much later if the bus refuses it."""
    leeway = int(LEEWAY.total_seconds() // 60)
    assert after(Told(-leeway), Told(0, "a")).state == FETCHED
    assert after(Told(-leeway - 1), Told(0, "a")).state == DELIVERED


# Three successive files with one name: each reported twice, fetched or not, and no two within the leeway.
LIVES = st.tuples(st.booleans(), st.booleans(), st.booleans())


def life(number: int, is_fetched: bool) -> list[Told]:
    start = number * 24 * 60 * 8
    name = "abc"[number]
    return [Told(start, name), Told(start + 3, name), *([Told(start + 1), Told(start + 500)] if is_fetched else [])]


@given(LIVES, st.data())
def test_any_order_and_any_repeats_give_the_same_state(lives: tuple[bool, bool, bool], data: st.DataObject) -> None:
    events = [event for number, is_fetched in enumerate(lives) for event in life(number, is_fetched)]
    repeats = data.draw(st.lists(st.sampled_from(events), max_size=6))
    shuffled = data.draw(st.permutations(events + repeats))

    file = after(*shuffled)

    assert file == after(*events)
    assert file.state == (FETCHED if lives[2] else DELIVERED)
    assert file.delivery == "c"
    assert file.delivered == timestamp(at(2 * 24 * 60 * 8))


@given(st.lists(st.sampled_from(life(0, True)), min_size=1))
def test_due_date_fits_the_state_after_any_events(events: list[Told]) -> None:
    file = after(*events)
    assert (file.due is not None) == (file.state == DELIVERED)
    assert file.forgotten is not None


@pytest.mark.parametrize(
    ("days", "told"),
    [(7, [3, 1, 0]), (5, [3, 1, 0]), (4, [3, 1, 0]), (3, [1, 0]), (2, [1, 0]), (1, [0])],
)
def test_each_threshold_is_reported_once_and_none_within_a_day_of_the_delivery(days: int, told: list[int]) -> None:
    file, seen = after(Told(0, "a"), days=days), []
    while file.due:
        moment, soonest = file.due, timedelta(milliseconds=1)
        assert file.reached(moment - soonest) is None
        reached = file.reached(moment)
        assert reached is not None
        seen.append((reached, moment))
        file = replace(file, told=reached)
    assert [days for days, _ in seen] == told
    end = datetime.fromisoformat(file.expires or "")
    assert [moment for _, moment in seen] == [end - timedelta(days=days) for days in told]
    assert all(moment - at(0) >= timedelta(days=1) for _, moment in seen)


def test_most_urgent_of_several_passed_thresholds_is_reported() -> None:
    file = after(Told(0, "a"))
    end = datetime.fromisoformat(file.expires or "")
    assert file.reached(end - timedelta(hours=12)) == 1
    assert file.reached(end + timedelta(days=3)) == 0


@pytest.mark.parametrize(
    ("delivered", "end"),
    [
        ("2026-11-25T10:30:00.000Z", "2026-12-03T00:00:00.000Z"),
        ("2026-11-25T23:59:59.999Z", "2026-12-03T00:00:00.000Z"),
        # Written before midnight and reported after it: not later than S3 removes it.
        ("2026-11-26T00:00:00.100Z", "2026-12-03T00:00:00.000Z"),
        ("2026-11-26T00:15:00.001Z", "2026-12-04T00:00:00.000Z"),
    ],
)
def test_file_expires_when_s3_removes_it(delivered: str, end: str) -> None:
    assert timestamp(expiry(datetime.fromisoformat(delivered), 7)) == end


def test_item_is_kept_longer_than_queues_keep_messages() -> None:
    file = after(Told(0, "a"))
    assert file.forgotten == datetime(2027, 1, 2, tzinfo=UTC)
    assert after(Told(0)).forgotten == at(0) + timedelta(days=30)


def test_report_has_its_own_id_for_each_threshold_and_delivery() -> None:
    files = [after(Told(0, "a")), after(Told(0, "b")), replace(after(Told(0, "a")), key="acme/2.wav")]
    events = [file_unfetched("sftp", file, days, at(later)) for file in files for days in (3, 1, 0) for later in (0, 9)]
    assert len({event.id for event in events}) == 9
    for event in events:
        VALIDATOR.validate(event.detail)
        assert "acme/" not in str(event.detail["message"])
