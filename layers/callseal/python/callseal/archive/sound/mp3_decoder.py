"""The decoder of MP3 frames: miniaudio, a library in C, which reads from a stream as it decodes.

Only mp3.py imports this module, and only when it has found an MP3 file.
"""

from __future__ import annotations

from collections.abc import Iterator

from miniaudio import FileFormat, MiniaudioError, SampleFormat, SeekOrigin, StreamableSource, stream_any

from callseal.archive.sound.byte_stream import PIECE, ByteStream
from callseal.archive.sound.sound import NoWaveformError

FRAMES_AT_ONCE = 8192


def decode(stream: ByteStream, rate: int, channels: int) -> Iterator[bytes]:
    """Return 16-bit little-endian samples in pieces. Raise NoWaveformError if nothing can be decoded."""
    source = _Source(stream)
    is_empty = True
    try:
        for samples in stream_any(
            source, FileFormat.MP3, SampleFormat.SIGNED16, channels, rate, frames_to_read=FRAMES_AT_ONCE
        ):
            is_empty = False
            yield samples.tobytes()
    except MiniaudioError as exc:
        raise source.error_in_readcallback or NoWaveformError("The MP3 file cannot be decoded.") from exc
    # miniaudio looks for an exception of the stream only when it has samples.
    if source.error_in_readcallback:
        raise source.error_in_readcallback
    if is_empty:
        raise NoWaveformError("The MP3 file cannot be decoded.")


class _Source(StreamableSource):
    """The stream as the decoder reads it. It begins again after it looked at the first bytes for a tag."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._head = memoryview(stream.read(PIECE))
        self._place = 0

    def read(self, num_bytes: int) -> memoryview:
        """Return the next bytes."""
        piece = self._head[self._place : self._place + num_bytes] or self._stream.some(num_bytes)
        self._place += len(piece)
        return piece

    def seek(self, offset: int, origin: SeekOrigin) -> bool:
        """Go to a place in the first bytes. Raise an exception for another place: miniaudio ignores False."""
        if origin is not SeekOrigin.START or max(self._place, offset) > len(self._head):
            raise NotImplementedError
        self._place = offset
        return True
