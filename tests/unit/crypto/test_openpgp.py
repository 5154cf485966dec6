"""OpenPGP envelopes: opened by stock gpg, and never complete after a failure."""

import os
import re
import signal
import stat
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from callseal.core.errors import TransientError
from callseal.crypto.envelopes import openpgp
from callseal.crypto.gpg import Gpg
from callseal.crypto.openpgp_packets import head_packets
from callseal.crypto.recipients import OpenPgpRecipients, judge
from tests.support.keys import OpenPgpTenant, gpg, openpgp_tenant, tool
from tests.unit.crypto.sources import CHUNK, MARKER, Endless, ShortReads, spoken


@cache
def sealer() -> Gpg:
    return Gpg(tool("gpg"))


def recipients(*tenants: OpenPgpTenant) -> OpenPgpRecipients:
    found = judge("\n".join(tenant.public_text for tenant in tenants), datetime.now(UTC), sealer)
    assert isinstance(found, OpenPgpRecipients)
    return found


def tenant() -> OpenPgpTenant:
    return openpgp_tenant("cv25519")


def seal(data: bytes, *tenants: OpenPgpTenant, source: Any = None, program: Gpg | None = None) -> bytes:
    sealed = bytearray()
    openpgp.seal(
        source or BytesIO(data), len(data), recipients(*(tenants or [tenant()])), program or sealer(), sealed.extend
    )
    return bytes(sealed)


def running_gpgs() -> list[int]:
    """List the gpg processes that we started and that still exist, including zombies."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = entry.read_text().split(" (", 1)[1].rsplit(") ", 1)
        except OSError:
            continue
        if name == "gpg" and int(rest.split()[1]) == os.getpid():
            found.append(int(entry.parent.name))
    return found


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    threads = set(threading.enumerate())
    yield
    until = time.monotonic() + 300
    while (left := set(threading.enumerate()) - threads) and time.monotonic() < until:
        time.sleep(0.01)
    assert running_gpgs() == []
    assert left == set()


@pytest.mark.parametrize("algorithm", ["rsa2048", "cv25519"])
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 8191, 8192, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK])
def test_the_recipient_opens_it_with_gpg(algorithm: str, size: int) -> None:
    owner = openpgp_tenant(algorithm)
    assert owner.open(seal(spoken(size), owner)) == spoken(size)


def test_each_of_several_recipients_opens_it_alone() -> None:
    owners = [openpgp_tenant("cv25519", "one"), openpgp_tenant("cv25519", "two"), openpgp_tenant("rsa2048")]
    sealed = seal(spoken(1000), *owners)
    assert [owner.open(sealed) for owner in owners] == [spoken(1000)] * 3
    with pytest.raises(AssertionError, match="ended with"):
        tenant().open(sealed)


@pytest.mark.parametrize("seed", range(3))
def test_short_reads_make_the_same_file(seed: int) -> None:
    data = spoken(2 * CHUNK + 12_345)
    assert tenant().open(seal(data, source=ShortReads(data, seed, most=[2000, 70_000, CHUNK][seed]))) == data


def test_message_is_one_seipd_v1_with_aes256_and_uncompressed_nameless_data() -> None:
    sealed = seal(spoken(100_000))
    assert [packet.tag for packet in head_packets(sealed)] == [1, 18]

    listing = gpg(tenant().home, "--status-fd", "1", "--list-packets", data=sealed).decode(errors="replace")

    assert re.findall(r"^# off=\d+ ctb=\w+ tag=(\d+) ", listing, re.MULTILINE) == ["1", "18", "11"]
    assert "mdc_method: 2" in listing
    assert ":compressed packet" not in listing
    assert re.search(r'mode b \(62\), created \d+, name="",', listing)
    assert "[GNUPG:] DECRYPTION_INFO 2 9 0" in listing  # SEIPDv1's MDC, cipher 9 is AES-256, no AEAD


def test_it_is_binary_and_slightly_longer_than_its_content() -> None:
    sealed = seal(spoken(1_000_000))
    assert not sealed.startswith(b"-----BEGIN")
    assert 1_000_000 < len(sealed) < 1_002_000


def test_output_contains_no_plain_bytes() -> None:
    sealed = seal(spoken(CHUNK))
    assert not any(MARKER[start : start + 8] in sealed for start in range(len(MARKER) - 8))


def test_two_seals_of_the_same_differ() -> None:
    assert len({seal(spoken(64)) for _ in range(5)}) == 5


def test_a_flipped_bit_does_not_pass_gpg() -> None:
    sealed = bytearray(seal(spoken(10_000)))
    sealed[-3000] ^= 1
    with pytest.raises(AssertionError, match="ended with"):
        tenant().open(bytes(sealed))


def broken(source: Any, told: int, error: type[Exception], match: str) -> None:
    sealed = bytearray()
    with pytest.raises(error, match=match):
        openpgp.seal(source, told, recipients(tenant()), sealer(), sealed.extend)
    with pytest.raises(AssertionError, match="ended with"):
        tenant().open(bytes(sealed))


@pytest.mark.parametrize("told", [1, CHUNK, 20 * CHUNK])
@pytest.mark.parametrize("by", [-CHUNK, -1, 1, CHUNK])
def test_source_shorter_or_longer_than_announced_never_makes_a_complete_message(told: int, by: int) -> None:
    broken(Endless(max(told + by, 0)), told, TransientError, "ended early or grew")


@pytest.mark.parametrize("error", [TransientError("The connection broke off."), OSError("The connection broke off.")])
@pytest.mark.parametrize("size", [0, CHUNK, 20 * CHUNK])
def test_error_of_a_source_is_raised_without_a_complete_message(size: int, error: Exception) -> None:
    def break_off() -> None:
        raise error

    broken(Endless(size, break_off), size + 1, type(error), "The connection broke off")
    # The end itself may fail: all bytes arrived, but their end was not confirmed.
    broken(Endless(size, break_off), size, type(error), "The connection broke off")


@pytest.mark.parametrize("size", [0, 100, 20 * CHUNK])
def test_error_of_a_sink_is_raised_and_the_sink_not_called_again(size: int) -> None:
    calls = []

    def full(data: object) -> None:
        calls.append(data)
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        openpgp.seal(Endless(size), size, recipients(tenant()), sealer(), full)
    assert len(calls) == 1


def test_a_gpg_that_is_killed_half_way_is_a_transient_error() -> None:
    killed = []

    class Source(Endless):
        def read(self, size: int) -> bytes:
            if self._missing < 20 * CHUNK and not killed:
                killed.extend(running_gpgs())
                for process in killed:
                    os.kill(process, signal.SIGKILL)
            return super().read(size)

    broken(Source(40 * CHUNK), 40 * CHUNK, TransientError, "gpg did not finish sealing")
    assert len(killed) == 1


def test_a_gpg_that_exceeds_its_time_limit_is_killed_and_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callseal.crypto.gpg.MESSAGE_SECONDS", 1)

    class Source(Endless):
        def read(self, size: int) -> bytes:
            while self._missing < 20 * CHUNK and running_gpgs():
                time.sleep(0.01)  # the connection delivers nothing until the time limit ends gpg
            return super().read(size)

    broken(Source(40 * CHUNK), 40 * CHUNK, TransientError, r"it was still running after \d+ seconds")


def test_a_gpg_that_does_not_know_the_recipient_is_a_transient_error() -> None:
    stranger = openpgp_tenant("cv25519", "one")
    with pytest.raises(TransientError, match="gpg did not finish sealing"):
        sealer().seal(BytesIO(b"x"), 1, recipients(tenant()).keyring, [stranger.fingerprint], lambda _: None)


def test_eight_streams_at_once_do_not_mix() -> None:
    owners = [openpgp_tenant("cv25519", name) for name in ("one", "two")]
    together = [recipients(owner) for owner in owners]

    def work(number: int) -> tuple[int, bytes]:
        sealed = bytearray()
        data = bytes([number]) * (CHUNK + number)
        openpgp.seal(BytesIO(data), len(data), together[number % 2], sealer(), sealed.extend)
        return number, bytes(sealed)

    with ThreadPoolExecutor(8) as pool:
        for number, sealed in pool.map(work, range(16)):
            assert owners[number % 2].open(sealed) == bytes([number]) * (CHUNK + number)
            with pytest.raises(AssertionError, match="ended with"):
                owners[1 - number % 2].open(sealed)


def test_a_stream_that_fails_does_not_harm_its_neighbours() -> None:
    who = recipients(tenant())

    def work(number: int) -> bytes | None:
        sealed = bytearray()
        try:
            openpgp.seal(Endless(8 * CHUNK - number % 2), 8 * CHUNK, who, sealer(), sealed.extend)
        except TransientError:
            return None
        return bytes(sealed)

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(work, range(8)))
    assert [one is None for one in done] == [False, True] * 4
    assert all(tenant().open(one) == spoken(CHUNK) * 8 for one in done if one)


def test_memory_does_not_grow_with_the_file() -> None:
    who = recipients(tenant())
    tracemalloc.start()
    try:
        openpgp.seal(Endless(128 * CHUNK), 128 * CHUNK, who, sealer(), lambda _: None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * CHUNK


def test_its_folder_is_private_and_short_and_is_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # given: an otherwise unused folder for temporary files
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    program = Gpg(tool("gpg"))
    (home,) = tmp_path.iterdir()
    assert len(home.name) < 20
    assert stat.S_IMODE(home.stat().st_mode) == 0o700

    seal(b"x", program=program)
    assert not [path for path in home.rglob("*") if re.search(r"secring|private-keys|trustdb|S\.gpg-agent", path.name)]

    del program
    assert not home.exists()


@pytest.mark.parametrize("binary", ["/nonexistent/gpg", "/bin/false", "/etc/passwd"])
def test_gpg_that_cannot_be_started_is_reported_once(binary: str) -> None:
    with pytest.raises(RuntimeError, match=re.escape(f"gpg cannot be started as {binary!r}: set GPG_BINARY")):
        Gpg(binary)


def test_its_version_is_known() -> None:
    assert sealer().version >= (2, 2)


NEWER_GPG = """#!{python}
# What a gpg from 2.3 writes to keys that all advertise AEAD: the packet of type 20 where we ask for 18.
import subprocess, sys
done = subprocess.run([{gpg!r}, *sys.argv[1:]], stdin=sys.stdin.buffer, stdout=subprocess.PIPE)
written = bytearray(done.stdout)
if "--encrypt" in sys.argv:
    place = 2 + written[1]
    assert written[0] == 0x84 and written[place] == 0xC0 | 18
    written[place] = 0xC0 | 20
sys.stdout.buffer.write(written)
sys.stdout.buffer.flush()
sys.exit(done.returncode)
"""


@pytest.mark.parametrize("size", [0, 100, CHUNK])
def test_a_message_that_many_readers_refuse_is_never_delivered(tmp_path: Path, size: int) -> None:
    script = tmp_path / "gpg"
    script.write_text(NEWER_GPG.format(python=sys.executable, gpg=tool("gpg")))
    script.chmod(0o700)
    written: list[bytes] = []

    with pytest.raises(openpgp.AeadPacketError, match="packet of type 20 instead of SEIPDv1"):
        openpgp.seal(Endless(size), size, recipients(tenant()), Gpg(str(script)), written.append)

    assert written == []
