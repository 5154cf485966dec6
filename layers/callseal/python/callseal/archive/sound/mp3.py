"""MP3 files: a stream of frames, each with its own header.

The first frame is found here, because the decoder would search a whole file that has none, and does not return the rate
of a stream. The decoder is imported when the first MP3 file is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from callseal.archive.sound.byte_stream import ByteStream
from callseal.archive.sound.sound import PCM_16, NoWaveformError, Sound

HEADER_BYTES = 4
# The frames must begin within these bytes, after tags.
SEARCHED_BYTES = 32 * 1024
LONGEST_FRAME_BYTES = 2881
MAX_TAGS = 10
# ISO/IEC 11172-3 and 13818-3, layer III. By the version's two bits: MPEG-2.5 (not in the standards), none, 2, 1.
MPEG_1 = 3
RATES = {0: (11_025, 12_000, 8_000), 2: (22_050, 24_000, 16_000), MPEG_1: (44_100, 48_000, 32_000)}
KILOBITS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
KILOBITS_MPEG_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
LAYER_3 = 1
MONO = 3


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """The members of a frame's header that matter here."""

    rate: int
    channels: int
    frame_bytes: int


def read_mp3(stream: ByteStream) -> Sound:
    """Return the sound of an MP3 file. Raise NoWaveformError if it is none, or if there is no decoder."""
    _skip_tags(stream)
    head = stream.peek(SEARCHED_BYTES + LONGEST_FRAME_BYTES + HEADER_BYTES)
    start, header = _first_frame(head)
    stream.skip(start)
    return Sound(header.rate, header.channels, PCM_16, _decoded(stream, header))


def _skip_tags(stream: ByteStream) -> None:
    """Skip ID3v2 tags (https://id3.org/id3v2.4.0-structure), which may contain pictures."""
    for _ in range(MAX_TAGS):
        head = stream.peek(10)
        if len(head) < 10 or head[:3] != b"ID3":
            return
        size = 0
        for byte in head[6:]:
            size = size << 7 | byte & 0x7F
        stream.skip(10 + size + (10 if head[5] & 0x10 else 0))


def _first_frame(head: bytes) -> tuple[int, FrameHeader]:
    """Return the start and the header of the first frame that another frame of the same rate follows."""
    start = head.find(0xFF)
    while 0 <= start < SEARCHED_BYTES:
        header = frame_header(head[start : start + HEADER_BYTES])
        if header:
            next_start = start + header.frame_bytes
            follower = frame_header(head[next_start : next_start + HEADER_BYTES])
            if follower and follower.rate == header.rate:
                return start, header
        start = head.find(0xFF, start + 1)
    raise NoWaveformError("The file is no WAV file, and no MP3 file.")


def frame_header(data: bytes) -> FrameHeader | None:
    """Return a frame's header, or None if these are not the bytes of one."""
    if len(data) < HEADER_BYTES or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return None
    version, layer = data[1] >> 3 & 3, data[1] >> 1 & 3
    bitrate, rate, padding = data[2] >> 4, data[2] >> 2 & 3, data[2] >> 1 & 1
    if layer != LAYER_3 or version not in RATES or bitrate in (0, 15) or rate == 3:
        return None
    kilobits = (KILOBITS_MPEG_1 if version == MPEG_1 else KILOBITS)[bitrate - 1]
    per_second = RATES[version][rate]
    frame_bytes = (144 if version == MPEG_1 else 72) * kilobits * 1000 // per_second + padding
    return FrameHeader(per_second, 1 if data[3] >> 6 == MONO else 2, frame_bytes)


def _decoded(stream: ByteStream, header: FrameHeader) -> Iterator[bytes]:
    """Return 16-bit samples in pieces."""
    try:
        from callseal.archive.sound.mp3_decoder import decode
    except ImportError as exc:
        raise NoWaveformError("This machine has no decoder of MP3 files, so no waveform is drawn.") from exc
    return decode(stream, header.rate, header.channels)
