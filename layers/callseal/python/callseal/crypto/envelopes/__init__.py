"""Envelopes: writers that stream from a `Source` to a `Sink` in constant memory."""

from collections.abc import Callable
from typing import Protocol

# Called with the sealed bytes in order. A buffer is valid only during the call.
Sink = Callable[[bytes | bytearray | memoryview], object]


class Source(Protocol):
    """The plaintext. Both methods raise TransientError if reading fails."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer from its start as far as possible, and return the number of bytes: 0 at the end only."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, and none at the end only."""
