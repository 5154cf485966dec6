"""Durations, and the dates that a class gives a call."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callseal.calls.classes import LAST_DAY, Class, dispose_on, keep_until, parse_duration

moments = st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001
durations = st.builds("{}{}".format, st.integers(0, 9999), st.sampled_from("hdmy")).map(parse_duration)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("duration", "start", "end"),
    [
        ("72h", "2026-11-23T10:11:12", "2026-11-26T10:11:12"),
        ("90d", "2026-11-23T10:11:12", "2027-02-21T10:11:12"),
        ("1m", "2027-01-31T10:00:00", "2027-02-28T10:00:00"),
        ("1m", "2028-01-31T10:00:00", "2028-02-29T10:00:00"),
        ("3m", "2026-11-30T00:00:00", "2027-02-28T00:00:00"),
        ("12m", "2026-12-31T00:00:00", "2027-12-31T00:00:00"),
        ("13m", "2026-12-31T00:00:00", "2028-01-31T00:00:00"),
        ("1y", "2028-02-29T23:59:59", "2029-02-28T23:59:59"),
        ("4y", "2028-02-29T23:59:59", "2032-02-29T23:59:59"),
        ("5y", "2026-11-23T10:11:12", "2031-11-23T10:11:12"),
        ("0d", "2026-11-23T10:11:12", "2026-11-23T10:11:12"),
    ],
)
def test_duration_ends_by_the_calendar(duration: str, start: str, end: str) -> None:
    assert parse_duration(duration).after(at(start)) == at(end)
    assert str(parse_duration(duration)) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "y",
        "5 y",
        "5Y",
        "05y",
        "-1d",
        "+1d",
        "1.5y",
        "5y ",
        "5y\n",
        "P5Y",
        "10000d",
        "\u0665y",
        "5yy",
        "5w",
        "1d1h",
    ],
)
def test_other_text_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("keep", "ended", "until"),
    [
        ("5y", "2026-11-23T10:11:12", "2031-11-24T00:00:00"),
        ("5y", "2026-11-23T00:00:00", "2031-11-23T00:00:00"),
        ("5y", "2026-11-23T00:00:00.000001", "2031-11-24T00:00:00"),
        ("24h", "2026-12-31T23:59:59", "2027-01-02T00:00:00"),
        ("1y", "2028-02-29T12:00:00", "2029-03-01T00:00:00"),
        ("0d", "2026-11-23T10:11:12", "2026-11-24T00:00:00"),
    ],
)
def test_end_is_rounded_up_to_midnight(keep: str, ended: str, until: str) -> None:
    class_ = Class(keep=parse_duration(keep), delete_after=parse_duration(keep))
    assert keep_until(class_, at(ended)) == at(until)
    assert dispose_on(class_, at(ended)) == at(until)


def test_midnight_is_of_utc() -> None:
    ended = datetime(2026, 11, 24, 1, 0, tzinfo=timezone(timedelta(hours=1)))
    assert keep_until(Class(keep=parse_duration("1y")), ended) == at("2027-11-24T00:00:00")


def test_class_without_durations_has_no_dates() -> None:
    assert keep_until(Class(delete_after=parse_duration("90d")), at("2026-11-23")) is None
    assert dispose_on(Class(keep=parse_duration("5y")), at("2026-11-23")) is None


def test_call_is_never_disposed_of_while_it_must_be_kept() -> None:
    class_ = Class(keep=parse_duration("5y"), delete_after=parse_duration("90d"))
    assert dispose_on(class_, at("2026-11-23T10:00:00")) == keep_until(class_, at("2026-11-23T10:00:00"))


@pytest.mark.parametrize("text", ["9999y", "9999m", "9999d"])
def test_duration_beyond_the_calendar_ends_on_its_last_day(text: str) -> None:
    late = datetime(9999, 6, 1, 12, tzinfo=UTC)
    assert parse_duration(text).after(late) == LAST_DAY
    assert keep_until(Class(keep=parse_duration("0d")), datetime(9999, 12, 31, 12, tzinfo=UTC)) == LAST_DAY


@pytest.mark.parametrize(("text", "years"), [("10y", 10), ("120m", 10), ("3652d", 10), ("9999h", 10), ("0d", 1)])
def test_compliance_may_last_for_the_maximum(text: str, years: int) -> None:
    class_ = Class(keep=parse_duration(text), lock="compliance")
    assert class_.may_be_locked(years)


@pytest.mark.parametrize(("text", "years"), [("11y", 10), ("121m", 10), ("3653d", 10), ("9999y", 30), ("13m", 1)])
def test_compliance_may_not_last_for_longer(text: str, years: int) -> None:
    class_ = Class(keep=parse_duration(text), lock="compliance")
    assert not class_.may_be_locked(years)
    assert replace(class_, lock="governance").may_be_locked(years)


@given(durations, durations, moments)
def test_dates_are_midnights_in_order(keep: object, delete_after: object, ended: datetime) -> None:
    class_ = Class(keep=keep, delete_after=delete_after)  # type: ignore[arg-type]
    kept, disposed = keep_until(class_, ended), dispose_on(class_, ended)
    assert kept is not None
    assert disposed is not None
    assert ended <= kept <= disposed <= LAST_DAY
    assert {(each.hour, each.minute, each.second, each.microsecond) for each in (kept, disposed)} == {(0, 0, 0, 0)}


@given(durations, moments, moments)
def test_later_call_is_never_kept_shorter(keep: object, first: datetime, second: datetime) -> None:
    class_ = Class(keep=keep)  # type: ignore[arg-type]
    first, second = sorted([first, second])
    assert (keep_until(class_, first) or LAST_DAY) <= (keep_until(class_, second) or LAST_DAY)
