"""The peaks of a stream of samples, in a fixed number of rows, although its length is known only at its end.

The stream is cut into blocks, and only the level of the loudest sample of each side is kept of a block. When there are
too many blocks, each two become one, and the next blocks are twice as long.
"""

from __future__ import annotations

from callseal.archive.sound.loudest import Lanes
from callseal.archive.sound.sound import MAX_SECONDS, NoWaveformError, Sound

ROWS = 1000
# Between 4 and 8 blocks a row. A peak less than a block from a row's edge is in both rows.
MOST_BLOCKS = 8192


class Peaks:
    """Takes a sound's frames, and has the peaks of its left and its right side.

    The left side is the first channel, and the third and so on if there are more than two. Mono is both sides.
    """

    def __init__(self, sound: Sound) -> None:
        """Take the sound, whose pieces are then added."""
        self._sound = sound
        self._frame_bytes = sound.form.width * sound.channels // 8
        self._lanes = Lanes(sound.form, sound.channels, 1)
        self._left, self._right = bytearray(), bytearray()
        self._pending = bytearray()
        self._frames = 0

    @property
    def seconds(self) -> float:
        """Return the length of the complete frames that were added."""
        return (self._frames + len(self._pending) // self._frame_bytes) / self._sound.rate

    def add(self, piece: bytes | memoryview) -> None:
        """Add frames. A piece may end within one. Raise NoWaveformError if the sound becomes too long."""
        self._pending += piece
        if self.seconds > MAX_SECONDS:
            raise NoWaveformError(f"The sound is longer than {MAX_SECONDS // 3600} hours, so no waveform is drawn.")
        used = 0
        while (end := used + self._lanes.frames * self._frame_bytes) <= len(self._pending):
            self._add_block(self._pending[used:end])
            self._frames += self._lanes.frames
            used = end
            if len(self._left) == MOST_BLOCKS:
                self._left, self._right = _halved(self._left), _halved(self._right)
                self._lanes = Lanes(self._sound.form, self._sound.channels, 2 * self._lanes.frames)
        del self._pending[:used]

    def rows(self) -> tuple[bytes, bytes]:
        """Return the rows of the left and of the right side. Call it once, at the end."""
        frames, block_frames = len(self._pending) // self._frame_bytes, self._lanes.frames
        if frames:
            self._lanes = Lanes(self._sound.form, self._sound.channels, frames)
            self._add_block(self._pending[: frames * self._frame_bytes])
        total = self._frames + frames
        return _rows(self._left, block_frames, total), _rows(self._right, block_frames, total)

    def _add_block(self, data: bytearray) -> None:
        levels = [self._sound.form.level(magnitude) for magnitude in self._lanes.loudest(data)]
        self._left.append(max(levels[0::2]))
        self._right.append(max(levels[1::2] or levels))


def _halved(levels: bytearray) -> bytearray:
    """Return the louder of each two."""
    return bytearray(map(max, levels[0::2], levels[1::2]))


def _rows(levels: bytearray, block_frames: int, frames: int) -> bytes:
    """Return a row's loudest block, of those that have a frame of it. A short sound has frames in several rows."""
    if frames == 0:
        return bytes(ROWS)
    starts = [row * frames // ROWS for row in range(ROWS)]
    ends = [-(-row * frames // ROWS) for row in range(1, ROWS + 1)]
    return bytes(
        max(levels[start // block_frames : (end - 1) // block_frames + 1])
        for start, end in zip(starts, ends, strict=True)
    )
