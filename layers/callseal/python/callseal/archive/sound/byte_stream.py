"""The bytes of a file in the order in which they come, without a way back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from callseal.archive.sound.sound import MAX_BYTES, NoWaveformError

PIECE = 64 * 1024


class ByteStream:
    """Reads an iterable of chunks of any size. An exception of the iterable passes through."""

    def __init__(self, chunks: Iterable[bytes | memoryview]) -> None:
        """Take the chunks."""
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")
        self._count = 0

    def peek(self, size: int) -> bytes:
        """Return the next bytes without consuming them, fewer than `size` only at the end."""
        parts, missing = [self._rest], size - len(self._rest)
        while missing > 0 and (chunk := self._chunk()):
            parts.append(chunk)
            missing -= len(chunk)
        if len(parts) > 1:
            self._rest = memoryview(b"".join(parts))
        return bytes(self._rest[:size])

    def some(self, most: int) -> memoryview:
        """Return the next bytes, at least one and up to `most`, or none at the end."""
        if not self._rest:
            self._rest = self._chunk()
        taken, self._rest = self._rest[:most], self._rest[most:]
        return taken

    def read(self, size: int) -> bytes:
        """Return the next bytes, fewer than `size` only at the end."""
        return b"".join(self.pieces(size))

    def skip(self, size: int) -> None:
        """Consume up to `size` bytes."""
        for _ in self.pieces(size):
            pass

    def pieces(self, size: int = MAX_BYTES) -> Iterator[memoryview]:
        """Return the next `size` bytes in short pieces, fewer only at the end."""
        while size > 0 and (piece := self.some(min(size, PIECE))):
            size -= len(piece)
            yield piece

    def _chunk(self) -> memoryview:
        """Return the next chunk that is not empty, or an empty one at the end."""
        chunk = next((each for each in self._chunks if each), b"")
        self._count += len(chunk)
        if self._count > MAX_BYTES:
            raise NoWaveformError(f"The file has more than {MAX_BYTES} bytes, so no waveform is drawn.")
        return memoryview(chunk)
