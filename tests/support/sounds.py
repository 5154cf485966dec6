"""WAV files of any form, and their samples decoded one by one."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

RATE = 8000
PCM, IEEE_FLOAT, A_LAW, MU_LAW = 1, 3, 6, 7
# By format tag and bits.
FORMS = [(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (IEEE_FLOAT, 32), (IEEE_FLOAT, 64), (A_LAW, 8), (MU_LAW, 8)]


@dataclass(frozen=True)
class Wav:
    """A WAV file's members. `size` is what its header says of the samples, None for the truth."""

    data: bytes
    tag: int = PCM
    bits: int = 16
    channels: int = 2
    rate: int = RATE
    size: int | None = None
    before: bytes = b""

    def file(self) -> bytes:
        size = len(self.data) if self.size is None else self.size
        return self.head() + self.before + b"data" + struct.pack("<I", size) + self.data

    def head(self) -> bytes:
        return b"RIFF\xff\xff\xff\xffWAVE" + chunk(b"fmt ", self.fmt())

    def fmt(self) -> bytes:
        frame = self.channels * self.bits // 8
        rest = frame & 0xFFFF, self.bits
        return struct.pack("<HHIIHH", self.tag, self.channels, self.rate, self.rate * frame & 0xFFFFFFFF, *rest)

    def amplitudes(self) -> list[float]:
        """Return the absolute value of each sample, 1 at full scale."""
        width = self.bits // 8
        whole = len(self.data) // (width * self.channels) * width * self.channels
        return [amplitude(self.tag, self.data[at : at + width]) for at in range(0, whole, width)]


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def pcm16(*channels: Sequence[int]) -> bytes:
    """Return 16-bit samples of channels of the same length."""
    frames = [sample for frame in zip(*channels, strict=True) for sample in frame]
    return struct.pack(f"<{len(frames)}h", *frames)


def amplitude(tag: int, sample: bytes) -> float:
    """Return a sample's absolute value, 1 at full scale."""
    if tag == PCM:
        value = int.from_bytes(sample, "little", signed=True) if len(sample) > 1 else sample[0] - 128
        return abs(value) / (1 << (8 * len(sample) - 1))
    if tag == IEEE_FLOAT:
        return abs(struct.unpack("<f" if len(sample) == 4 else "<d", sample)[0])
    return (_a_law if tag == A_LAW else _mu_law)(sample[0])


def _mu_law(code: int) -> float:
    """Decode as ITU-T G.711 says: the end points of segment `e` are 33 * 2**e - 33, of 8159."""
    segment, step = divmod(~code & 0x7F, 16)
    return ((2 * step + 33) * 2**segment - 33) / 8192


def _a_law(code: int) -> float:
    """Decode as ITU-T G.711 says: the first two segments have steps of 2, of 4096, and each other one doubles them."""
    segment, step = divmod((code ^ 0x55) & 0x7F, 16)
    return (2 * step + 1 if segment == 0 else (2 * step + 33) * 2 ** (segment - 1)) / 4096
