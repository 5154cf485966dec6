"""The brake's rule, for any numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from random import Random

import pytest

from callseal.retention.brake import free_calls, is_unusual, remembered_days


def expected(due: int, days: list[int], calls: int) -> bool:
    """Return the rule as the documentation states it, in exact fractions."""
    with_any = [each for each in days if each]
    mean = Fraction(sum(with_any), len(with_any)) if with_any else Fraction(0)
    return due > 100 and due > 3 * mean and due > Fraction(calls, 20)


@pytest.mark.parametrize("seed", range(20))
def test_the_brake_acts_exactly_as_the_rule_says(seed: int) -> None:
    random = Random(seed)
    for _ in range(500):
        days = [random.choice([0, 0, random.randint(1, 120), 40]) for _ in range(random.randint(0, 8))]
        due = random.choice([99, 100, 101, 120, random.randint(0, 500)])
        calls = due + random.choice([0, random.randint(0, 20 * due + 5), 19 * due, 19 * due - 1, 19 * due + 1])
        disposed = {date(2026, 1, 1) + timedelta(days=number): count for number, count in enumerate(days)}
        stops = is_unusual(due, disposed, lambda enough, calls=calls: min(calls, enough))  # type: ignore[misc]
        assert stops == expected(due, days, calls), (due, days, calls)
        assert not stops or due > free_calls(disposed)


def test_the_calls_are_counted_only_if_the_answer_depends_on_it() -> None:
    def count(_: int) -> int:
        raise AssertionError("counted")

    assert not is_unusual(100, {}, count)
    assert not is_unusual(150, {date(2026, 1, 1): 50}, count)


@pytest.mark.parametrize("hour", [0, 9, 23])
def test_the_days_are_those_of_the_last_seven_times_24_hours(hour: int) -> None:
    now = datetime(2026, 3, 3, hour, 30, tzinfo=UTC)
    assert remembered_days(now) == [date(2026, 2, 24) + timedelta(days=each) for each in range(8)]
