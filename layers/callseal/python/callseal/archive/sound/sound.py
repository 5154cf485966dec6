"""A sound: how its samples are written, and the stream of them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from callseal.core.errors import CallsealError

# Each bound is far beyond a recorded call. A file beyond one of them has no waveform.
MAX_BYTES = 4 * 1024**3
MAX_SECONDS = 24 * 3600
MAX_CHANNELS = 16
MIN_RATE, MAX_RATE = 1_000, 384_000
# A peak's level at full scale.
LOUDEST = 255


class NoWaveformError(CallsealError):
    """The file is no sound in a known form, is damaged, or is longer than a waveform can be."""


@dataclass(frozen=True, slots=True)
class SampleForm:
    """How a sample is written: little-endian, in `width` bits, of which the highest is the sign.

    XOR with `flip` gives the sign and the magnitude. If `complemented`, a negative value has its magnitude's bits
    inverted, as in two's complement. A larger magnitude is a louder sample, and `level` is its level, 0 to 255.
    """

    width: int
    level: Callable[[int], int]
    flip: int = 0
    complemented: bool = False


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound's rate in frames a second, and its frames in pieces of any length: a sample of each channel in turn."""

    rate: int
    channels: int
    form: SampleForm
    pieces: Iterable[bytes | memoryview]


def check_bounds(rate: int, channels: int) -> None:
    """Raise NoWaveformError for a rate or a number of channels that no recorder writes."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise NoWaveformError(f"The sound has {rate} samples a second: {MIN_RATE} to {MAX_RATE} are read.")
    if not 1 <= channels <= MAX_CHANNELS:
        raise NoWaveformError(f"The sound has {channels} channels: 1 to {MAX_CHANNELS} are read.")


def _level(amplitude: float) -> int:
    """Return the level of an amplitude from 0 to 1. A larger one is clipped, and so is what is not a number."""
    return round(amplitude * LOUDEST) if amplitude < 1 else LOUDEST


def _pcm(width: int, flip: int = 0) -> SampleForm:
    most = (1 << (width - 1)) - 1
    return SampleForm(width, lambda magnitude: _level(magnitude / most), flip, complemented=True)


def _float(width: int, code: str) -> SampleForm:
    # The bits of an IEEE 754 number without its sign are in the order of the numbers.
    def level(magnitude: int) -> int:
        (amplitude,) = struct.unpack(code, magnitude.to_bytes(width // 8, "little"))
        return _level(amplitude)

    return SampleForm(width, level)


def _a_law(magnitude: int) -> int:
    """Return the level of an A-law magnitude (ITU-T G.711): three bits of exponent, four of mantissa."""
    exponent, mantissa = divmod(magnitude, 16)
    return _level(((mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)) / 32768)


def _mu_law(magnitude: int) -> int:
    """Return the level of a mu-law magnitude (ITU-T G.711): three bits of exponent, four of mantissa."""
    exponent, mantissa = divmod(magnitude, 16)
    return _level(((((mantissa << 3) + 0x84) << exponent) - 0x84) / 32768)


PCM_8 = _pcm(8, flip=0x80)  # unsigned: silence is 0x80
PCM_16, PCM_24, PCM_32 = _pcm(16), _pcm(24), _pcm(32)
FLOAT_32, FLOAT_64 = _float(32, "<f"), _float(64, "<d")
A_LAW = SampleForm(8, _a_law, flip=0x55)
MU_LAW = SampleForm(8, _mu_law, flip=0xFF)
