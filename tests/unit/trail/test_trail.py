"""The audit trail's core: keys and records of its objects, and the progress of comparing its two copies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from callseal.trail.objects import Record, prefixes, read_records, restored_key, write_records
from callseal.trail.progress import CLOSED_AFTER, LENGTH, LOOK_BACK, MAX_OPEN, Gap, Progress, Window, loads

NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def test_each_hour_has_a_prefix_across_the_year() -> None:
    eve = datetime(2026, 12, 31, 22, 59, tzinfo=UTC)
    hours = ["audit/2026/12/31/22/", "audit/2026/12/31/23/", "audit/2027/01/01/00/"]
    assert list(prefixes(eve, eve + timedelta(minutes=62))) == hours


def test_written_records_are_read_back_and_give_stable_bytes() -> None:
    texts = [f'{{"id":"{number}","time":"2026-11-29T12:00:00Z","detail":{{"x":"å"}}}}' for number in range(3)]
    wanted = [Record(str(number), NOON, text) for number, text in enumerate(texts)]
    data = write_records(wanted)
    assert [(each.id, each.time, each.text.strip()) for each in read_records(data)] == [
        (each.id, NOON, each.text) for each in wanted
    ]
    assert data == write_records(read_records(data))
    assert restored_key("s", NOON, data).startswith("audit/2026/11/29/12/s-audit-restored-2026-11-29-12-00-00-")


def test_new_windows_precede_windows_with_gaps_and_none_is_early() -> None:
    gap = Window(NOON - timedelta(hours=5))
    progress = Progress(NOON, {gap: Gap(1)})
    closed = NOON + LENGTH + CLOSED_AFTER
    assert list(progress.due(closed - timedelta(seconds=1))) == [gap]
    assert list(progress.due(closed)) == [Window(NOON), gap]
    assert list(progress.due(closed + LENGTH)) == [Window(NOON), Window(NOON + LENGTH), gap]


def test_window_with_a_gap_is_queued_until_it_is_complete() -> None:
    first, second = Window(NOON), Window(NOON + LENGTH)
    progress = Progress(NOON).compared(first, Gap(2)).compared(second, Gap(0, 3))
    assert progress.next == second.end
    assert progress.missing() == Gap(2, 3)
    again = progress.compared(first, Gap(1))
    assert (list(again.open), again.missing(), again.next) == ([second, first], Gap(1, 3), second.end)
    assert list(again.compared(second, Gap()).open) == [first]


def test_too_many_gaps_skip_no_window() -> None:
    progress, later = Progress(NOON), NOON + timedelta(days=3)
    for window in progress.due(later):
        progress = progress.compared(window, Gap(350_000, 350_000))
    assert len(progress.open) == MAX_OPEN
    assert progress.next == NOON + MAX_OPEN * LENGTH
    assert list(progress.due(later)) == list(progress.open)
    assert len(progress.dumps()) < 4096, "as much as a standard parameter takes"
    assert "{{" not in progress.dumps(), "which Parameter Store refuses"
    assert loads(progress.dumps()) == progress
    assert list(loads(progress.dumps()).open) == list(progress.open), "the order is the queue's"


def test_beginning_is_on_a_window_boundary_in_any_time_zone() -> None:
    oslo = datetime.fromisoformat("2026-11-29T13:09:59+01:00")
    assert Progress.beginning(oslo) == Progress(NOON - LOOK_BACK)
    assert Progress.beginning(oslo).age(oslo) == LOOK_BACK + timedelta(minutes=9, seconds=59)
