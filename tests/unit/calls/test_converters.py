"""Converters: a value, or None if it is not certain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callseal.calls import converters as convert
from callseal.calls.profiles.generic import FORMS
from callseal.calls.profiles.profile import CONVERTERS

OSLO, UTC_ZONE = ZoneInfo("Europe/Oslo"), ZoneInfo("UTC")
TIME = datetime(2026, 11, 23, 8, 12, 44, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-23T08:12:44Z", TIME),
        ("2026-11-23T08:12:44z", TIME),
        ("2026-11-23T09:12:44+01:00", TIME),
        ("2026-11-23T09:12:44+0100", TIME),
        ("2026-11-23T09:12:44+01", TIME),
        ("2026-11-23 09:12:44 +01:00", TIME),
        ("2026-11-23 08:12:44 UTC", TIME),
        ("2026-11-23T03:42:44-04:30", TIME),
        ("2026-11-23T08:12:44.5Z", TIME + timedelta(milliseconds=500)),
        ("2026-11-23T08:12:44,123456789Z", TIME + timedelta(microseconds=123456)),
        ("20261123T081244Z", TIME),
        ("20261123T081244.500+0000", TIME + timedelta(milliseconds=500)),
        # In the tenant's zone.
        ("2026-11-23T09:12:44", TIME),
        ("2026-11-23 09:12:44.000", TIME),
        ("20261123T091244", TIME),
        ("2026-07-23T10:12:44", datetime(2026, 7, 23, 8, 12, 44, tzinfo=UTC)),
        # Seconds and milliseconds since 1970.
        ("1795421564", TIME),
        ("1795421564.5", TIME + timedelta(milliseconds=500)),
        ("1795421564000", TIME),
        ("1795421564123", TIME + timedelta(milliseconds=123)),
    ],
)
def test_times_are_read_as_utc(text: str, time: datetime) -> None:
    found = convert.to_time(text, OSLO)
    assert found == time
    assert found
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-11-23", "08:12:44", "2026-11-23T08:12", "2026-13-23T08:12:44Z", "2026-02-30T08:12:44Z",
     "2026-11-23T24:00:00Z", "2026-11-23T08:12:60Z", "2026-11-23T08:12:44+25:00", "23.11.2026 08:12:44",
     "11/23/2026 8:12:44 AM", "2026-11-23T08:12:44 Europe/Oslo", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z",
     "9999-12-31T23:59:59-01:00", "0", "1", "179542156", "17954215640", "1795421564000000", "-1795421564", "1e9",
     "20261123", "20261123081244", "٢٠٢٦-11-23T08:12:44Z", "2026-11-23T08:12:44Z\n", " 2026-11-23T08:12:44Z",
     # These hours are there twice, or not at all.
     "2026-10-25T02:30:00", "2026-03-29T02:30:00"],
)  # fmt: skip
def test_other_times_are_missing(text: str) -> None:
    assert convert.to_time(text, OSLO) is None


def test_hours_beside_a_change_of_clocks_are_read() -> None:
    assert convert.to_time("2026-10-25T03:00:00", OSLO) == datetime(2026, 10, 25, 2, tzinfo=UTC)
    assert convert.to_time("2026-10-25T01:59:59", OSLO) == datetime(2026, 10, 24, 23, 59, 59, tzinfo=UTC)
    assert convert.to_time("2026-03-29T03:00:00", OSLO) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert convert.to_time("2026-10-25T02:30:00+01:00", OSLO) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert convert.to_time("2026-10-25T02:30:00", UTC_ZONE) == datetime(2026, 10, 25, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds", "from_milliseconds"),
    [
        ("0", 0, 0), ("14", 14, 0.014), ("146.5", 146.5, 0.1465), ("00:02:26", 146, 146), ("1:00:00", 3600, 3600),
        ("100:00:00.5", 360000.5, 360000.5), ("PT2M26.5S", 146.5, 146.5), ("PT14S", 14, 14), ("PT1H", 3600, 3600),
        ("P1DT1S", 86401, 86401), ("pt14s", 14, 14), ("P1D", 86400, 86400), ("2678401", None, 2678.401),
        *((text, None, None) for text in (
            "", "-1", "+1", "1e3", "NaN", "inf", "0x10", "1,5", "14 s", "02:26", "00:60:00", "00:00:60", "P", "PT",
            "P1Y", "P1M", "P1W", "PT1S1H", "T1S", "PT-1S", "P1DT", "9" * 13, "P999D", "١٤", "14\n", "1 000",
        )),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float | None, from_milliseconds: float | None) -> None:
    assert convert.to_seconds(text, UTC_ZONE) == seconds
    assert convert.from_milliseconds(text, UTC_ZONE) == from_milliseconds


@pytest.mark.parametrize(
    ("converter", "values"),
    [
        (
            convert.to_flag,
            {
                **dict.fromkeys(("true", "TRUE", "True", "1", "yes", "Yes", "Y", "y", "on", "ON"), True),
                **dict.fromkeys(("false", "False", "0", "no", "N", "off"), False),
                **dict.fromkeys(("", "2", "-1", "ja", "t", "true ", "null", "none", "yes!", "10"), None),
            },
        ),
        (
            convert.to_direction,
            {
                **dict.fromkeys(("incoming", "Inbound", "INBOUND", "in"), "incoming"),
                **dict.fromkeys(("outgoing", "Outbound", "out", "EXTERNAL_OUTBOUND", "CALLBACK"), "outgoing"),
                "internal": "internal",
                **dict.fromkeys(("", "TRANSFER", "API", "both", "1", "true", "inbound call"), None),
            },
        ),
        (
            convert.from_outbound_flag,
            {"true": "outgoing", "False": "incoming", "1": "outgoing", "outbound": None, "": None},
        ),
        (
            convert.to_consent,
            {
                **dict.fromkeys(("given", "Granted", "accepted", "true", "1", "Y"), "given"),
                **dict.fromkeys(("denied", "refused", "declined", "false", "0", "no"), "denied"),
                **dict.fromkeys(("not_asked", "not asked", "NotAsked"), "not_asked"),
                "unknown": "unknown",
                **dict.fromkeys(("", "maybe", "none", "asked"), None),
            },
        ),
        (
            convert.to_text,
            {"agent1042": "agent1042", "Åse Bø": "Åse Bø", "x" * 256: "x" * 256, "x" * 257: None, "": None,
             "a\nb": None, "a\0": None, "a\u202eb": None},
        ),
    ],
)  # fmt: skip
def test_words(converter: convert.Converter, values: dict[str, Any]) -> None:
    assert {text: converter(text, UTC_ZONE) for text in values} == values


EVERY = sorted({*CONVERTERS.values(), *FORMS.values()}, key=lambda converter: converter.__name__)
odd = st.sampled_from("0123456789-+:.,TZPDHMS/eE ")


@pytest.mark.parametrize("converter", EVERY, ids=lambda converter: converter.__name__)
@given(text=st.text(max_size=40) | st.text(odd, max_size=30), zone=st.sampled_from([OSLO, UTC_ZONE]))
def test_no_text_raises(converter: convert.Converter, text: str, zone: ZoneInfo) -> None:
    found = converter(text, zone)
    if isinstance(found, datetime):
        assert found.tzinfo is UTC
        assert 1990 <= found.year < 2100
    if isinstance(found, float):
        assert 0 <= found <= convert.MAX_SECONDS


@given(st.datetimes(datetime(1990, 1, 2), datetime(2099, 12, 30)), st.timezones(), st.sampled_from("T "))  # noqa: DTZ001
def test_time_in_any_offset_is_the_same_moment(time: datetime, zone: ZoneInfo, between: str) -> None:
    moment = time.replace(tzinfo=zone)
    if moment.utcoffset() == timedelta(seconds=int((moment.utcoffset() or timedelta()).total_seconds() // 60) * 60):
        assert convert.to_time(moment.isoformat(between), UTC_ZONE) == moment.astimezone(UTC)
