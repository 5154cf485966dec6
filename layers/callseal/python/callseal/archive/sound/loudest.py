"""The loudest sample of each channel in a block of frames, by arithmetic on the block as one large integer.

A sample is a lane of the integer. The upper half of the frames is compared with the lower half, all lanes at once, and
the larger of each two stays, until one frame is left. A loop over the samples takes ten times as long.
"""

from __future__ import annotations

from callseal.archive.sound.sound import SampleForm


class Lanes:
    """Blocks of a number of frames of one form."""

    def __init__(self, form: SampleForm, channels: int, frames: int) -> None:
        """Take the samples' form, the number of channels, and the number of frames of each block."""
        self.frames = frames
        self._form, self._channels = form, channels
        lanes = frames * channels
        self._signs = _repeated(1 << (form.width - 1), form.width, lanes)
        self._flips = _repeated(form.flip, form.width, lanes) if form.flip else 0

    def loudest(self, data: bytes | bytearray) -> list[int]:
        """Return the largest magnitude of each channel in a block."""
        frame_bits = self._form.width * self._channels
        signs, frames = self._signs, self.frames
        lanes = self._magnitudes(int.from_bytes(data, "little"))
        while frames > 1:
            low_frames = (frames + 1) // 2
            cut = low_frames * frame_bits
            signs >>= (frames - low_frames) * frame_bits
            high = lanes >> cut
            low = lanes ^ (high << cut)
            # A lane's sign is set if the high half's magnitude is not below the low half's: its bit is never borrowed.
            chosen = self._filled(((high | signs) - low) & signs)
            lanes = low ^ ((low ^ high) & chosen)
            frames = low_frames
        width, mask = self._form.width, (1 << self._form.width) - 1
        return [lanes >> (channel * width) & mask for channel in range(self._channels)]

    def _magnitudes(self, lanes: int) -> int:
        """Return the samples without signs."""
        if self._flips:
            lanes ^= self._flips
        negative = lanes & self._signs
        lanes ^= negative
        return lanes ^ self._filled(negative) if self._form.complemented else lanes

    def _filled(self, signs: int) -> int:
        """Return lanes with all bits but the sign's where the sign is set, and with none elsewhere."""
        return signs - (signs >> (self._form.width - 1))


def _repeated(lane: int, width: int, lanes: int) -> int:
    return int.from_bytes(lane.to_bytes(width // 8, "little") * lanes, "little")
