"""Waveforms against samples that are decoded one by one: true peaks, at their places, on their sides."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callseal.archive.sound import peaks
from callseal.archive.sound.loudest import Lanes
from callseal.archive.sound.peaks import ROWS, Peaks
from callseal.archive.sound.sound import PCM_16, NoWaveformError, Sound
from callseal.archive.sound.wav import FORMS
from callseal.archive.waveform import Waveform, waveform_of
from tests.support import sounds
from tests.support.sounds import RATE, Wav, pcm16

forms = st.sampled_from(sounds.FORMS)
SILENCE = {(sounds.PCM, 8): b"\x80", (sounds.A_LAW, 8): b"\xd5", (sounds.MU_LAW, 8): b"\xff"}


def level(amplitude: float) -> float:
    return 255 if math.isnan(amplitude) else 255 * min(amplitude, 1)


def drawn(file: bytes) -> Waveform:
    return waveform_of([file])


def expected_rows(levels: list[float]) -> list[float]:
    """Return the peaks of one side, of a row's own frames alone."""
    frames = len(levels)
    return [max(levels[row * frames // ROWS : -(-(row + 1) * frames // ROWS)], default=0) for row in range(ROWS)]


@given(form=forms, channels=st.integers(1, 4), data=st.binary(max_size=3000))
def test_any_samples_have_their_peaks(form: tuple[int, int], channels: int, data: bytes) -> None:
    wav = Wav(data, *form, channels=channels)
    found = drawn(wav.file())

    levels = [level(amplitude) for amplitude in wav.amplitudes()]
    frames = [levels[at : at + channels] for at in range(0, len(levels), channels)]
    left = [max(frame[0::2]) for frame in frames]
    right = [max(frame[1::2] or frame) for frame in frames]
    # A two's complement of 8 bits has 127 positive values.
    most = 2.5 if form == (sounds.PCM, 8) else 1
    for row, side in ((found.left, left), (found.right, right)):
        assert row == pytest.approx(expected_rows(side), abs=most)
    assert found.seconds == pytest.approx(len(frames) / RATE, abs=0.001)
    answer = found.answer()
    assert [len(row) for row in answer["rows"]] == [ROWS, ROWS]
    assert all(type(each) is int and 0 <= each <= 255 for row in answer["rows"] for each in row)


@given(seed=st.integers(0, 1000), frames=st.integers(1, 60_000), quiet=st.booleans())
def test_long_sound_loses_no_peak_and_moves_none_by_a_row(seed: int, frames: int, quiet: bool) -> None:
    """With blocks of several frames: a row has all its peaks, and none from more than a block beside it."""
    numbers = random.Random(seed)
    bound = 3000 if quiet else 32767
    samples = [numbers.randint(-bound, bound) * (numbers.random() < 0.01) for _ in range(frames)]
    found = drawn(Wav(pcm16(samples), channels=1).file())

    levels = [level(abs(sample) / 32767) for sample in samples]
    block = 1
    while frames // block >= peaks.MOST_BLOCKS:
        block *= 2
    for row, own in enumerate(expected_rows(levels)):
        first, end = row * frames // ROWS, -(-(row + 1) * frames // ROWS)
        near = max(levels[max(first - block, 0) : end + block])
        assert own - 1 <= found.left[row] <= near + 1
    assert found.right == found.left


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_each_frame_of_a_block_counts(channels: int) -> None:
    for frames in range(1, 40):
        for loud in range(frames * channels):
            samples = [7] * frames * channels
            samples[loud] = -1001
            found = Lanes(PCM_16, channels, frames).loudest(struct.pack(f"<{len(samples)}h", *samples))
            assert found == [1000 if channel == loud % channels else 7 for channel in range(channels)]


@pytest.mark.parametrize("amplitude", [0, 1, 255, 8192, 16384, 32767])
def test_constant_tone_is_at_its_amplitude_in_each_row(amplitude: int) -> None:
    left = [round(amplitude * math.sin(math.tau * frame * 500 / RATE)) for frame in range(10 * RATE)]
    right = [-each // 2 for each in left]
    found = drawn(Wav(pcm16(left, right)).file())

    assert set(found.left) == {round(255 * amplitude / 32767)}
    assert all(abs(each - 255 * amplitude / 2 / 32767) <= 1 for each in found.right)
    assert found.seconds == 10


def test_left_and_right_are_not_swapped() -> None:
    found = drawn(Wav(pcm16([32767] * 4000, [0] * 4000)).file())
    assert (set(found.left), set(found.right)) == ({255}, {0})


def test_more_channels_are_left_and_right_in_turn() -> None:
    """Sound in a third channel is heard on both sides. A row without it would be skipped as silence."""
    found = drawn(Wav(pcm16([0] * 99, [100] * 99, [32767] * 99, [0] * 99, [0] * 99), channels=5).file())
    assert (set(found.left), set(found.right)) == ({255}, {1})


@pytest.mark.parametrize(("tag", "bits"), sounds.FORMS)
def test_silence_is_zero(tag: int, bits: int) -> None:
    data = SILENCE.get((tag, bits), bytes(bits // 8)) * 2 * 20_000
    found = drawn(Wav(data, tag, bits).file())
    assert found == Waveform(bytes(ROWS), bytes(ROWS), 2.5)


def test_each_form_that_is_read_is_tested() -> None:
    assert set(FORMS) == set(sounds.FORMS)


@pytest.mark.parametrize("extreme", [math.inf, -math.inf, math.nan, 1.0, -7.5])
def test_float_beyond_full_scale_is_clipped(extreme: float) -> None:
    assert max(drawn(Wav(struct.pack("<4f", 0, 0.25, extreme, 0), 3, 32, 1).file()).left) == 255


@given(data=st.data(), frames=st.integers(0, 20_000), size=st.sampled_from([None, 0, 0xFFFFFFFF, 1000]))
def test_chunks_of_any_size_give_the_rows_of_one_read(data: st.DataObject, frames: int, size: int | None) -> None:
    samples = random.Random(frames).randbytes(4 * frames + frames % 4)
    file = Wav(samples, size=size).file()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(file)), max_size=20)))
    chunks = [file[start:end] for start, end in zip([0, *cuts], [*cuts, len(file)], strict=True)]
    assert waveform_of(iter(chunks)) == drawn(file)


def test_bytes_one_by_one_give_the_rows_of_one_read() -> None:
    file = Wav(random.Random(1).randbytes(8000)).file()
    assert waveform_of(bytes([each]) for each in file) == drawn(file)


def test_peak_of_a_long_recording_is_at_its_place() -> None:
    """A click in the third quarter of two hours, which are never in memory as a whole."""
    minute = bytes(4 * 60 * RATE)
    click = bytearray(minute)
    click[0:2] = (32767).to_bytes(2, "little")

    def chunks() -> Iterator[bytes]:
        yield Wav(b"", size=0xFFFFFFFF).file()
        for number in range(120):
            yield bytes(click) if number == 75 else minute

    found = waveform_of(chunks())

    loud = [row for row, each in enumerate(found.left) if each]
    assert loud == [625] or loud == [624, 625]
    assert set(found.right) == {0}
    assert found.seconds == 7200


def test_exception_of_the_chunks_passes_through() -> None:
    def chunks() -> Iterator[bytes]:
        yield Wav(bytes(100), size=0).file()
        raise ConnectionError("The bucket closed the connection.")

    with pytest.raises(ConnectionError):
        waveform_of(chunks())


def test_sound_of_more_than_a_day_is_refused() -> None:
    peaks = Peaks(Sound(1000, 1, FORMS[(sounds.PCM, 8)], ()))
    hour = b"\x80" * 3600 * 1000
    for _ in range(24):
        peaks.add(hour)
    assert peaks.seconds == 24 * 3600
    with pytest.raises(NoWaveformError, match="longer than 24 hours"):
        peaks.add(b"\x80")


def test_file_of_too_many_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callseal.archive.sound.byte_stream.MAX_BYTES", 10_000)
    assert drawn(Wav(bytes(9_900)).file()).seconds
    with pytest.raises(NoWaveformError, match="more than 10000 bytes"):
        drawn(Wav(bytes(10_000), size=0).file())
