"""Reads of one object in any order: the bytes, the streams requested from S3, and the memory."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from localcloud.sftp.object_reader import WINDOW_BYTES, ObjectReader

MIB = 1024 * 1024
READ_BYTES = 32 * 1024
DATA = random.Random(1).randbytes(3 * WINDOW_BYTES + 7)


class Object:
    """An object in S3, and the offsets of the requested streams."""

    def __init__(self, data: bytes) -> None:
        self.data, self.offsets = data, [0]
        self.reader = ObjectReader(self.answer(0), self.stream)

    def answer(self, offset: int) -> Mapping[str, Any]:
        body = io.BytesIO(self.data[offset:])
        return {"ContentLength": len(self.data), "ETag": '"e"', "LastModified": datetime.now(UTC), "Body": body}

    async def stream(self, offset: int) -> Mapping[str, Any]:
        self.offsets.append(offset)
        return self.answer(offset)

    def read(self, offset: int, size: int) -> bytes:
        return asyncio.run(self.reader.read(offset, size))


def in_flight(size: int, reads: int) -> list[int]:
    """Return the offsets of all reads of an object, each group of `reads` in a shuffled order."""
    offsets = list(range(0, size, READ_BYTES))
    groups = [offsets[first : first + reads] for first in range(0, len(offsets), reads)]
    return [offset for group in groups for offset in random.Random(2).sample(group, len(group))]


@pytest.mark.parametrize("reads", [1, 64, 512])
def test_reads_in_any_order_use_one_stream(reads: int) -> None:
    one = Object(DATA)
    got = {offset: one.read(offset, READ_BYTES) for offset in in_flight(len(DATA), reads)}
    assert b"".join(got[offset] for offset in sorted(got)) == DATA
    assert one.offsets == [0]
    assert (one.reader.sent, one.reader.reached_end) == (len(DATA), True)


def test_read_beyond_the_window_opens_a_stream() -> None:
    one = Object(DATA)
    far = 2 * WINDOW_BYTES + 5
    for offset in (0, far, far + MIB, far, 3, far):
        assert one.read(offset, 10) == DATA[offset : offset + 10]
    assert one.offsets == [0, far, 3, far]


def test_the_window_does_not_grow() -> None:
    one = Object(DATA)
    for offset in range(0, len(DATA), MIB):
        one.read(offset, MIB)
        assert len(one.reader._window) <= WINDOW_BYTES


def test_only_the_last_byte_reaches_the_end() -> None:
    one = Object(b"0123456789")
    assert one.read(10, 5) == b""
    assert one.read(3, 6) == b"345678"
    assert not one.reader.reached_end
    assert one.read(6, 100) == b"6789"
    assert one.reader.reached_end


def test_an_empty_object_is_read_by_its_first_answer() -> None:
    one = Object(b"")
    assert one.read(0, 5) == b""
    assert one.reader.reached_end


def test_an_answer_that_ends_early_is_an_error() -> None:
    one = Object(DATA[:100])
    one.reader.size = 200
    with pytest.raises(OSError, match="before the object's end"):
        one.read(90, 20)
