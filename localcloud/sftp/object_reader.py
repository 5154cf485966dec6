"""Reads of one open object in any order, by one stream from S3 and a window of what came last."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

WINDOW_BYTES = 16 * 1024 * 1024
BLOCK_BYTES = 1024 * 1024
# Answers S3's answer whose `Body` begins at an offset.
Stream = Callable[[int], Awaitable[Mapping[str, Any]]]


class ObjectReader:
    """Read an object; memory is bounded by the window.

    A client has some dozen reads in flight, in any order. A read ahead of the stream takes the stream there, and one
    behind it is answered from the window. Only a read that is further away than the window opens another stream.
    """

    def __init__(self, first: Mapping[str, Any], stream: Stream, begin: bytes = b"") -> None:
        """`first` is S3's answer with the whole object, of whose body `begin` has been read."""
        self.size: int = first["ContentLength"]
        self.etag: str = first["ETag"].strip('"')
        self.modified: datetime = first["LastModified"]
        self.sent = 0
        self.reached_end = False
        self._body, self._stream = first["Body"], stream
        self._start, self._window = 0, bytearray(begin)

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes (1 MiB at most), and none at the object's end.

        Raise OSError if S3's stream ends before the object does.
        """
        stop = min(offset + min(size, BLOCK_BYTES), self.size)
        if offset >= stop:
            self.reached_end |= self.size == 0
            return b""
        if not self._start <= offset <= self._end + WINDOW_BYTES:
            await self._reopen(offset)
        while self._end < stop:
            self._append(await asyncio.to_thread(self._body.read, BLOCK_BYTES))
        with memoryview(self._window) as window:
            data = bytes(window[offset - self._start : stop - self._start])
        self.sent += len(data)
        self.reached_end |= stop == self.size
        return data

    def close(self) -> None:
        """End the stream."""
        self._body.close()

    @property
    def _end(self) -> int:
        return self._start + len(self._window)

    def _append(self, block: bytes) -> None:
        if not block:
            raise OSError("S3 ended its answer before the object's end.")
        self._window += block
        surplus = max(0, len(self._window) - WINDOW_BYTES)
        del self._window[:surplus]
        self._start += surplus

    async def _reopen(self, offset: int) -> None:
        self._body.close()
        self._body = (await self._stream(offset))["Body"]
        self._start, self._window = offset, bytearray()
