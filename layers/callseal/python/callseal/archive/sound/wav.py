"""WAV files: a RIFF file whose chunk `fmt ` describes the samples in its chunk `data`.

A recorder that cannot go back writes 0 or the largest number as the size of `data`. Its samples go to the file's end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from callseal.archive.sound.byte_stream import ByteStream
from callseal.archive.sound.mp3 import read_mp3
from callseal.archive.sound.sound import (
    A_LAW,
    FLOAT_32,
    FLOAT_64,
    MAX_BYTES,
    MU_LAW,
    PCM_8,
    PCM_16,
    PCM_24,
    PCM_32,
    NoWaveformError,
    SampleForm,
    Sound,
    check_bounds,
)

# The format tags of Microsoft's mmreg.h.
PCM, IEEE_FLOAT, ALAW, MULAW, MPEG_LAYER_3, EXTENSIBLE = 1, 3, 6, 7, 0x55, 0xFFFE
# By format tag and the bits that a sample takes in the file.
FORMS: dict[tuple[int, int], SampleForm] = {
    (PCM, 8): PCM_8,
    (PCM, 16): PCM_16,
    (PCM, 24): PCM_24,
    (PCM, 32): PCM_32,
    (IEEE_FLOAT, 32): FLOAT_32,
    (IEEE_FLOAT, 64): FLOAT_64,
    (ALAW, 8): A_LAW,
    (MULAW, 8): MU_LAW,
}
# RF64 and BW64 are RIFF for files over 4 GiB.
CONTAINERS = (b"RIFF", b"RF64", b"BW64")
UNKNOWN_SIZES = (0, 0xFFFFFFFF)
FMT_BYTES, LONGEST_FMT = 16, 40
MAX_CHUNKS = 100


@dataclass(frozen=True, slots=True)
class WaveFormat:
    """The members of the chunk `fmt ` that matter here."""

    tag: int
    channels: int
    rate: int
    frame_bytes: int


def is_wav(stream: ByteStream) -> bool:
    """Return whether the file begins as a WAV file does."""
    head = stream.peek(12)
    return head[:4] in CONTAINERS and head[8:] == b"WAVE"


def read_wav(stream: ByteStream) -> Sound:
    """Return the sound of a WAV file. Raise NoWaveformError if it cannot be read."""
    stream.skip(12)
    found: WaveFormat | None = None
    for chunk, size in _chunks(stream):
        if chunk == b"data":
            return _sound(found, stream, MAX_BYTES if size in UNKNOWN_SIZES else size)
        body = stream.read(min(size, LONGEST_FMT)) if chunk == b"fmt " else b""
        found = _format(body) if chunk == b"fmt " else found
        stream.skip(size + size % 2 - len(body))
    raise NoWaveformError("The WAV file has no chunk with samples.")


def _chunks(stream: ByteStream) -> Iterator[tuple[bytes, int]]:
    """Return name and size of each chunk. The caller consumes the chunk's body."""
    for _ in range(MAX_CHUNKS):
        head = stream.read(8)
        if len(head) < 8:
            return
        yield head[:4], int.from_bytes(head[4:], "little")


def _format(body: bytes) -> WaveFormat:
    if len(body) < FMT_BYTES:
        raise NoWaveformError("The WAV file does not describe its samples.")

    def number(start: int, size: int = 2) -> int:
        return int.from_bytes(body[start : start + size], "little")

    tag = number(24) if number(0) == EXTENSIBLE and len(body) >= 26 else number(0)
    return WaveFormat(tag, number(2), number(4, 4), number(12))


def _sound(found: WaveFormat | None, stream: ByteStream, size: int) -> Sound:
    if found is None:
        raise NoWaveformError("The WAV file has samples before it describes them.")
    if found.tag == MPEG_LAYER_3:
        return read_mp3(ByteStream(stream.pieces(size)))
    check_bounds(found.rate, found.channels)
    bytes_each, rest = divmod(found.frame_bytes, found.channels)
    form = FORMS.get((found.tag, 8 * bytes_each))
    if form is None or rest:
        raise NoWaveformError(
            f"The WAV file's samples have the format tag 0x{found.tag:04x} and {found.frame_bytes} bytes for "
            f"{found.channels} channels, which is not read."
        )
    return Sound(found.rate, found.channels, form, stream.pieces(size))
