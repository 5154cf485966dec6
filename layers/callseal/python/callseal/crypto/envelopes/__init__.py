"""Envelopes: streaming writers, from a source that is read to a sink that is written, in constant memory."""

from collections.abc import Callable
from typing import Protocol

# Takes the sealed bytes in order; what it is given is only good during the call.
Sink = Callable[[bytes | bytearray | memoryview], object]


class Source(Protocol):
    """The plain bytes. Both ways of reading raise TransientError when they break off; none at the end is empty."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer from its start as far as possible, and tell how many bytes; 0 at the end."""

    def read(self, size: int, /) -> bytes:
        """Give up to `size` bytes; none at the end."""
