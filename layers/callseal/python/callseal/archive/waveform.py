"""The waveform of a recording: the peaks of its left and its right side, from its beginning to its end.

It is drawn in one pass over the recording's bytes, in a few megabytes of memory however long the recording is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from callseal.archive.sound.byte_stream import ByteStream
from callseal.archive.sound.mp3 import read_mp3
from callseal.archive.sound.peaks import Peaks
from callseal.archive.sound.wav import is_wav, read_wav


@dataclass(frozen=True, slots=True)
class Waveform:
    """A byte for each of 1,000 equal parts of the recording: its loudest sample, 255 at full scale."""

    left: bytes
    right: bytes
    seconds: float

    def answer(self) -> dict[str, Any]:
        """Return the members of the API's answer."""
        return {"rows": [list(self.left), list(self.right)], "seconds": self.seconds}


def waveform_of(chunks: Iterable[bytes]) -> Waveform:
    """Return the waveform of a WAV or MP3 file, given in chunks of any size. Its name does not matter.

    Raise NoWaveformError if it is no such file. An exception of the chunks passes through.
    """
    stream = ByteStream(chunks)
    sound = read_wav(stream) if is_wav(stream) else read_mp3(stream)
    peaks = Peaks(sound)
    for piece in sound.pieces:
        peaks.add(piece)
    left, right = peaks.rows()
    return Waveform(left, right, round(peaks.seconds, 3))
