"""Sources of plain bytes as the envelopes read them, and their possible failures."""

from __future__ import annotations

import random
from collections.abc import Callable

CHUNK = 256 * 1024
MARKER = b"what the caller said, in plain: "


def spoken(size: int) -> bytes:
    """Return plain bytes that are recognisable in any output."""
    return (MARKER * (size // len(MARKER) + 1))[:size]


class ShortReads:
    """Returns its bytes in pieces of any size, as a network does."""

    def __init__(self, data: bytes, seed: int = 0, most: int = CHUNK) -> None:
        self._data, self._position = data, 0
        self._random, self._most = random.Random(seed), most

    def read(self, size: int) -> bytes:
        piece = self._data[self._position :][: min(size, self._random.randint(1, self._most))]
        self._position += len(piece)
        return piece

    def readinto(self, buffer: memoryview) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class Endless:
    """Returns any number of bytes without holding them in memory. `then` is called at their end, and may raise."""

    def __init__(self, size: int, then: Callable[[], object] = lambda: None) -> None:
        self._missing, self._then = size, then
        self._chunk = spoken(CHUNK)

    def read(self, size: int) -> bytes:
        if not self._missing:
            self._then()
        piece = self._chunk[: min(size, self._missing)]
        self._missing -= len(piece)
        return piece

    def readinto(self, buffer: memoryview) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)
