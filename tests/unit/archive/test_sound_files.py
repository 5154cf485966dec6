"""WAV and MP3 files: as other programs write them, damaged, and with headers that are wrong on purpose."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callseal.archive.sound.byte_stream import ByteStream
from callseal.archive.sound.mp3 import frame_header
from callseal.archive.sound.sound import NoWaveformError
from callseal.archive.waveform import Waveform, waveform_of
from tests.support.sounds import Wav, chunk, pcm16

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
SOUNDS = SAMPLES / "sound"
WAVS = ("a-law", "float32", "mu-law", "pcm16-piped-by-ffmpeg", "pcm16-piped-by-sox", "pcm24-extensible", "pcm8", "rf64")
# With the length that ffprobe says, which includes what an encoder adds at both ends.
MP3S = {"mpeg1-id3.mp3": 1.044, "mpeg2-vbr.mp3": 1.071, "mp3-in.wav": 1.069}
NOT_READ = ("aac.m4a", "gsm.wav", "ima-adpcm.wav", "opus.ogg")
FOUR = pcm16([1000, -1000], [2000, -2000])


@pytest.fixture
def decoder() -> None:
    """Need miniaudio, which layers/dependencies/requirements.in has for Linux on x86_64 alone."""
    if find_spec("miniaudio") is None:
        missing = "There is no miniaudio for this machine: MP3 files are not tested."
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)


def drawn(file: bytes) -> Waveform:
    return waveform_of([file])


def refused(file: bytes) -> str:
    with pytest.raises(NoWaveformError) as error:
        drawn(file)
    return str(error.value)


@pytest.mark.parametrize("name", WAVS)
def test_wav_of_another_program_is_read(name: str) -> None:
    found = drawn((SOUNDS / f"{name}.wav").read_bytes())
    assert found.seconds == 0.25
    # Half and a quarter of full scale. Its 8 bits and G.711 are coarser, and sox adds noise to them.
    assert max(found.left) == pytest.approx(127.5, abs=4)
    assert max(found.right) == pytest.approx(63.75, abs=3)


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("name", MP3S)
def test_mp3_of_another_program_is_read(name: str) -> None:
    found = drawn((SOUNDS / name).read_bytes())
    assert found.seconds == pytest.approx(MP3S[name], abs=0.1)
    left, right = sorted(found.left)[500], sorted(found.right)[500]
    assert left == pytest.approx(127.5, abs=10)
    assert right == pytest.approx(63.75, abs=5)


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize(
    ("name", "seconds", "is_mono"), [("4711000000000001_1.wav", 14.177, False), ("4711000000000002_1.mp3", 7.416, True)]
)
def test_sample_of_a_call_is_read(name: str, seconds: float, is_mono: bool) -> None:
    found = drawn((SAMPLES / name).read_bytes())
    assert found.seconds == pytest.approx(seconds, abs=0.1)
    assert max(found.left) > 150
    assert min(found.left) < 5
    assert (found.left == found.right) is is_mono


@pytest.mark.parametrize("name", NOT_READ)
def test_form_that_is_not_read_is_refused(name: str) -> None:
    assert refused((SOUNDS / name).read_bytes())


@pytest.mark.parametrize(
    "file", [b"", b"RIFF", b"ID3", b"<call/>", b"\xff" * 100_000, bytes(100_000), b'{"a": 1}' * 999]
)
def test_file_that_is_no_sound_is_refused(file: bytes) -> None:
    assert refused(file) == "The file is no WAV file, and no MP3 file."


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFF00, 9])
def test_samples_go_to_the_end_of_a_file_whose_size_was_not_known(size: int) -> None:
    assert drawn(Wav(FOUR, size=size).file()) == drawn(Wav(FOUR).file())


def test_samples_end_where_the_header_says() -> None:
    """Text after them is not drawn as noise."""
    file = Wav(FOUR, size=4).file()
    assert max(drawn(file).left) == 8
    assert drawn(Wav(FOUR).file() + chunk(b"LIST", b"\xff\x7f" * 500)) == drawn(Wav(FOUR).file())


def test_chunks_before_the_samples_are_skipped() -> None:
    before = chunk(b"LIST", b"odd") + chunk(b"bext", bytes(70_000)) + chunk(b"fact", bytes(4))
    assert drawn(Wav(FOUR, before=before).file()) == drawn(Wav(FOUR).file())


def test_wav_without_a_sample_is_a_waveform_of_no_length() -> None:
    assert drawn(Wav(b"").file()) == Waveform(bytes(1000), bytes(1000), 0)


def test_truncated_frame_is_dropped() -> None:
    assert drawn(Wav(FOUR + b"\xff\x7f\xff", size=0).file()) == drawn(Wav(FOUR).file())


@pytest.mark.parametrize(
    ("wav", "sentence"),
    [
        (Wav(FOUR, rate=0), "0 samples a second"),
        (Wav(FOUR, rate=0xFFFFFFFF), "4294967295 samples a second"),
        (Wav(FOUR, channels=0), "0 channels"),
        (Wav(FOUR, channels=0xFFFF), "65535 channels"),
        (Wav(FOUR, bits=12), "which is not read"),
        (Wav(FOUR, bits=0), "which is not read"),
        (Wav(FOUR, tag=3), "which is not read"),
        (Wav(FOUR, tag=0xFFFE), "format tag 0xfffe"),
        (Wav(FOUR, before=chunk(b"junk", b"") * 200), "no chunk with samples"),
        (Wav(FOUR, before=chunk(b"fmt ", b"\x01")), "does not describe its samples"),
    ],
)
def test_header_that_no_recorder_writes_is_refused(wav: Wav, sentence: str) -> None:
    assert sentence in refused(wav.file())


def test_samples_before_their_description_are_refused() -> None:
    assert "before it describes them" in refused(b"RIFF\0\0\0\0WAVE" + chunk(b"data", FOUR))


def test_chunk_larger_than_the_file_is_refused_without_the_memory_for_it() -> None:
    assert "no chunk" in refused(Wav(b"").head() + b"LIST" + struct.pack("<I", 0xFFFFFFF0) + bytes(100))


@given(length=st.integers(0, 60))
def test_wav_that_ends_early_is_read_or_refused(length: int) -> None:
    file = Wav(FOUR).file()[:length]
    assert refused(file) if length < 44 else drawn(file).seconds <= 0.001


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("size", [1, 100, 65_536, 10**9])
def test_chunks_of_an_mp3_of_any_size_give_the_same_rows(size: int) -> None:
    file = (SOUNDS / "mpeg1-id3.mp3").read_bytes()
    assert waveform_of(file[at : at + size] for at in range(0, len(file), size)) == drawn(file)


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("times", [1, 30])
def test_mp3_after_tags_and_other_bytes_is_read(times: int) -> None:
    """A tag with a picture may be longer than what is searched for a first frame."""
    file = (SOUNDS / "mpeg2-vbr.mp3").read_bytes() * times
    tag = b"ID3\x04\0\0" + bytes([0, 6, 0, 0]) + bytes(6 << 14)
    assert drawn(tag + tag + b"\xff\xfb\xff" * 100 + bytes(20_000) + file).left == drawn(file).left


@pytest.mark.usefixtures("decoder")
def test_mp3_longer_than_the_searched_bytes_is_read_to_its_end() -> None:
    file = (SAMPLES / "4711000000000002_1.mp3").read_bytes() * 30
    assert drawn(file).seconds == pytest.approx(30 * 7.416, abs=0.5)


@pytest.mark.usefixtures("decoder")
def test_frame_header_by_chance_before_the_first_frame_is_no_frame() -> None:
    """It says 44,100 samples a second, and would halve the length."""
    file = (SOUNDS / "mpeg2-vbr.mp3").read_bytes()
    assert drawn(bytes.fromhex("fffb90c0") + bytes(413) + file).seconds == drawn(file).seconds


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("size", [1000, 70_000, 300_000])
def test_exception_while_an_mp3_is_decoded_passes_through(size: int) -> None:
    """It must not be taken for the file's end: half a waveform would be kept."""
    file = (SAMPLES / "4711000000000002_1.mp3").read_bytes() * 30

    def chunks() -> Iterator[bytes]:
        yield file[:size]
        raise ConnectionError("The bucket closed the connection.")

    with pytest.raises(ConnectionError):
        waveform_of(chunks())


@pytest.mark.usefixtures("decoder")
def test_mp3_that_breaks_off_is_drawn_as_far_as_it_goes() -> None:
    file = (SAMPLES / "4711000000000002_1.mp3").read_bytes()
    assert drawn(file[: len(file) // 2]).seconds == pytest.approx(7.416 / 2, abs=0.1)


@pytest.mark.usefixtures("decoder")
def test_frames_without_sound_are_refused() -> None:
    header = bytes([0xFF, 0xFB, 0x90, 0xC0])
    frames = frame_header(header)
    assert frames is not None
    assert refused((header + b"\xff" * (frames.frame_bytes - 4)) * 20) == "The MP3 file cannot be decoded."


def test_machine_without_a_decoder_refuses_mp3_and_reads_wav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "callseal.archive.sound.mp3_decoder", raising=False)
    monkeypatch.setitem(sys.modules, "miniaudio", None)
    assert "no decoder of MP3 files" in refused((SAMPLES / "4711000000000002_1.mp3").read_bytes())
    assert drawn(Wav(FOUR).file())


@pytest.mark.parametrize(
    ("header", "members"),
    [
        ("fffb90c0", (44_100, 1, 417)),
        ("fffb9264", (44_100, 2, 418)),
        ("fff3a4c0", (24_000, 1, 288)),
        ("ffe318c4", (8_000, 1, 72)),
        ("fffbf0c0", None),  # a bitrate that is reserved
        ("fffb00c0", None),  # a free bitrate
        ("fffb9cc0", None),  # a rate that is reserved
        ("fffd90c0", None),  # layer II
        ("ffeb90c0", None),  # a version that is reserved
        ("fffb90", None),
    ],
)
def test_header_of_a_frame(header: str, members: tuple[int, int, int] | None) -> None:
    found = frame_header(bytes.fromhex(header))
    assert (found and (found.rate, found.channels, found.frame_bytes)) == members


def test_stream_is_peeked_and_read_across_chunks() -> None:
    stream = ByteStream([b"", b"ab", b"", b"cde", b"f"])
    assert stream.peek(4) == b"abcd"
    assert stream.peek(1) == b"a"
    assert stream.read(3) == b"abc"
    assert stream.peek(100) == b"def"
    stream.skip(1)
    assert bytes(stream.some(100)) == b"ef"
    assert (stream.read(1), stream.peek(1), bytes(stream.some(1))) == (b"", b"", b"")
