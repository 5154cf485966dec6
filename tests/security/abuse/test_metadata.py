"""Metadata files that are made to break the one parser: refused, with little work, and without a word of the file."""

from __future__ import annotations

import sys
import tracemalloc
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from callseal.calls.metadata_bounds import MAX_NODES
from callseal.calls.metadata_reader import UnreadableMetadataError, read_entries
from callseal.calls.profiles import find_fields
from callseal.tenants.metadata_settings import PROFILES
from tests.security.abuse.metadata_bombs import BOMBS, MARK, Bomb, milliseconds
from tests.security.abuse.outside import MIB, bounded

# Calls of functions until a file is refused. They are counted, because a time depends on the machine:
# `python -m tests.security.abuse.metadata_bombs` prints the times.
MAX_CALLS = 20 * MAX_NODES
MAX_MIB = 4


class Calls:
    """Counts the calls of Python's and of C's functions."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _frame: FrameType, event: str, _argument: Any) -> None:
        self.count += event in ("call", "c_call")


def work(bomb: Bomb) -> tuple[str, int]:
    """Return the sentence of a refusal, and the calls until then."""
    calls = Calls()
    sys.setprofile(calls)
    try:
        read_entries(bomb.data, bomb.file_format)
    except UnreadableMetadataError as refused:
        return str(refused), calls.count
    finally:
        sys.setprofile(None)
    pytest.fail("it was read")


def test_there_are_forty_of_each_kind_of_harm() -> None:
    assert len(BOMBS) >= 40
    assert {bomb.file_format for bomb in BOMBS.values()} == {"xml", "json"}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_refused_with_little_work(name: str) -> None:
    bomb = BOMBS[name]
    sentence, calls = work(bomb)
    assert bomb.refusal in sentence
    assert MARK not in sentence
    assert len(sentence) < 200
    assert calls <= MAX_CALLS


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_takes_little_memory(name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableMetadataError):
            read_entries(BOMBS[name].data, BOMBS[name].file_format)
        assert tracemalloc.get_traced_memory()[1] <= MAX_MIB * MIB
    finally:
        tracemalloc.stop()


def test_all_bombs_together_are_refused_at_once() -> None:
    """Generous: 5 ms each is the goal, and a machine may be slow."""
    with bounded(seconds=10):
        assert all(milliseconds(bomb, times=1) >= 0 for bomb in BOMBS.values())


@pytest.mark.parametrize("profile", PROFILES)
def test_largest_file_that_is_read_is_searched_with_little_work(profile: str) -> None:
    """All values have the name that is asked for most, and none fits."""
    items = "".join('<variable name="x"><name>y</name></variable>' for _ in range((MAX_NODES - 1) // 3))
    entries = read_entries(f"<a>{items}</a>".encode(), "xml")
    calls = Calls()
    sys.setprofile(calls)
    find_fields(entries, profile, {}, ZoneInfo("UTC"))
    sys.setprofile(None)
    assert calls.count <= 30 * MAX_NODES
