"""The table of waveforms on moto."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callseal.archive.waveform import Waveform
from callseal.archive.waveform_table import WaveformTable
from callseal.calls.waveform_place import place_of
from callseal.core.errors import TransientError
from tests.support.stack import Stack, make_waveform_table

TABLE = "callseal-test-waveforms"
PLACE = place_of("9f2c", 2, "d41d8cd98f00b204e9800998ecf8427e-3")
LEFT, RIGHT = bytes(range(250)) * 4, bytes(1000)
STEREO, MONO = Waveform(LEFT, RIGHT, 14.177), Waveform(LEFT, LEFT, 0)
rows = st.binary(min_size=1000, max_size=1000)


@pytest.fixture
def waveforms(cloud: Stack) -> WaveformTable:
    make_waveform_table(cloud.dynamodb, TABLE)
    return WaveformTable(cloud.dynamodb, TABLE)


def test_waveform_that_was_not_drawn_is_none(waveforms: WaveformTable) -> None:
    assert waveforms.get("acme", PLACE) is None


def test_waveform_comes_back_as_it_was_drawn(waveforms: WaveformTable) -> None:
    waveforms.put("acme", PLACE, STEREO)
    assert waveforms.get("acme", PLACE) == STEREO
    waveforms.put("acme", PLACE, MONO)
    assert waveforms.get("acme", PLACE) == MONO


@settings(deadline=None, database=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(left=rows, right=rows, milliseconds=st.integers(0, 24 * 3600 * 1000))
def test_any_waveform_comes_back(waveforms: WaveformTable, left: bytes, right: bytes, milliseconds: int) -> None:
    waveform = Waveform(left, right, milliseconds / 1000)
    waveforms.put("acme", PLACE, waveform)
    assert waveforms.get("acme", PLACE) == waveform


def test_waveforms_of_tenants_files_and_contents_are_apart(waveforms: WaveformTable) -> None:
    waveforms.put("acme", PLACE, STEREO)
    assert waveforms.get("beta", PLACE) is None
    assert waveforms.get("acme", place_of("9f2c", 3, "d41d8cd98f00b204e9800998ecf8427e-3")) is None
    assert waveforms.get("acme", place_of("9f2c", 2, "another etag")) is None


def test_item_is_small_enough_for_one_unit_of_reading(waveforms: WaveformTable, cloud: Stack) -> None:
    waveforms.put("acme", PLACE, STEREO)
    (stored,) = cloud.dynamodb.scan(TableName=TABLE)["Items"]
    assert sum(len(name) + len(str(*value.values())) for name, value in stored.items()) < 4096


def test_unreachable_table_is_a_passing_error(cloud: Stack) -> None:
    missing = WaveformTable(cloud.dynamodb, "callseal-test-none")
    with pytest.raises(TransientError, match="Reading a waveform"):
        missing.get("acme", PLACE)
    with pytest.raises(TransientError, match="Writing a waveform"):
        missing.put("acme", PLACE, STEREO)
