"""When a key's expiry is reported, for any pattern of daily checks, including late and missing ones."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callseal.keys.expiry import THRESHOLD_DAYS, due

START = datetime(2026, 1, 1, 6, 0, tzinfo=UTC)
# Checks that run about once a day: up to three hours late, and each may be missing.
jitter = st.integers(0, 3 * 3600)
checks = st.lists(st.tuples(st.booleans(), jitter), min_size=366, max_size=366)
ends = st.integers(0, 370 * 86400).map(lambda seconds: START + timedelta(seconds=seconds))


def run(not_after: datetime, moments: list[datetime]) -> list[tuple[datetime, int]]:
    """Check at each of the moments with the earlier reports, and return the reports."""
    reports: list[tuple[datetime, int]] = []
    for moment in moments:
        days = due(not_after, moment, reports[-1][1] if reports else None)
        if days is not None:
            reports.append((moment, days))
    return reports


@given(ends, st.integers(0, 23 * 3600))
def test_daily_checks_report_each_threshold_once_on_its_day(not_after: datetime, offset: int) -> None:
    days = [START + timedelta(days=day, seconds=offset) for day in range(380)]

    reports = run(not_after, days)

    # A key with less than 60 days left at the first check begins with the most urgent threshold that it has reached.
    left = not_after - days[0]
    reached = [limit for limit in THRESHOLD_DAYS if left <= timedelta(days=limit)]
    expected = [limit for limit in THRESHOLD_DAYS if limit not in reached or limit == min(reached)]
    assert [limit for _, limit in reports] == (expected if left > timedelta() else [])
    for moment, limit in reports[1:] if reached else reports:
        late = timedelta(days=limit) - (not_after - moment)
        assert timedelta() <= late < timedelta(days=1), "told in the first check after it was reached"


@given(ends, checks)
def test_missing_checks_neither_repeat_nor_lose_a_threshold(
    not_after: datetime, pattern: list[tuple[bool, int]]
) -> None:
    moments = [START + timedelta(days=day, seconds=late) for day, (there, late) in enumerate(pattern) if there]

    reports = run(not_after, moments)

    limits = [limit for _, limit in reports]
    assert limits == sorted(set(limits), reverse=True), "each once, and more urgent every time"
    for moment in (moment for moment in moments if moment < not_after):
        reached = [limit for limit in THRESHOLD_DAYS if not_after - moment <= timedelta(days=limit)]
        so_far = [limit for when, limit in reports if when <= moment]
        # After every check, the most urgent threshold that was reached has been reported.
        assert min(so_far, default=None) == min(reached, default=None)
    assert all(when < not_after for when, _ in reports)


@pytest.mark.parametrize(
    ("left", "told", "expected"),
    [
        (timedelta(days=60, seconds=1), None, None),
        (timedelta(days=60), None, 60),
        (timedelta(days=60), 60, None),
        (timedelta(days=30), 60, 30),
        (timedelta(days=5), 60, 7),
        (timedelta(days=5), None, 7),
        (timedelta(hours=1), 3, 1),
        (timedelta(hours=1), 1, None),
        (timedelta(), 3, None),
        (timedelta(days=-1), None, None),
    ],
)
def test_at_the_edges(left: timedelta, told: int | None, expected: int | None) -> None:
    assert due(START + left, START, told) == expected


def test_key_without_expiry_is_never_reported() -> None:
    assert due(None, START, None) is None


def test_clock_set_back_repeats_no_report() -> None:
    not_after = START + timedelta(days=10)
    assert run(not_after, [START + timedelta(days=4), START, START + timedelta(days=4)]) == [
        (START + timedelta(days=4), 7)
    ]
