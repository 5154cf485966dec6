"""The envelope writers compared with the raw cipher, openssl and gpg."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import GCM

from benchmarks.measure import Row, duration, speed, take_turns
from callseal.crypto.envelopes import cms, openpgp
from callseal.crypto.gpg import _SEAL_OPTIONS, Gpg
from callseal.crypto.gpg_keys import OPTIONS
from callseal.crypto.recipients import CmsRecipients, OpenPgpRecipients, judge
from tests.support.keys import X509Tenant, openpgp_tenant, x509_tenant

ROOT = Path(__file__).resolve().parent.parent
GIB, SMALL = 1024**3, 64 * 1024
SMALL_TIMES = 50
BLOCK = memoryview(os.urandom(1024 * 1024))


class MadeUp:
    """A source of random bytes that costs only a copy."""

    def __init__(self, size: int) -> None:
        self._missing = size

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), self._missing, len(BLOCK))
        buffer[:count] = BLOCK[:count]
        self._missing -= count
        return count

    def read(self, size: int) -> bytes:
        count = min(size, self._missing, len(BLOCK))
        self._missing -= count
        return bytes(BLOCK[:count])


def drop(_data: object) -> None:
    """Discard sealed bytes."""


def x509_recipients(tenant: X509Tenant) -> CmsRecipients:
    recipients = judge(tenant.public_text, datetime.now(UTC), lambda: Gpg("gpg"))
    assert isinstance(recipients, CmsRecipients)
    return recipients


def cms_gcm_vs_raw() -> Row:
    """Compare our writer in process with AES-256-GCM of the same library over the same chunks."""
    recipients = x509_recipients(x509_tenant("rsa3072"))

    def raw() -> None:
        context = Cipher(AES256(os.urandom(32)), GCM(os.urandom(12))).encryptor()
        source, plain = MadeUp(GIB), memoryview(bytearray(cms.CHUNK_BYTES))
        sealed = memoryview(bytearray(cms.CHUNK_BYTES + 32))
        while count := source.readinto(plain):
            context.update_into(plain[:count], sealed)
        context.finalize()

    def ours() -> None:
        cms.seal(MadeUp(GIB), GIB, recipients.members, "authenveloped-gcm", drop)

    return speed("cms_gcm_vs_raw", GIB, take_turns(ours, raw), ">= 0.9", "1 GiB in process, raw AES-256-GCM")


def cms_vs_openssl(name: str, profile: str, cipher: str, goal: str) -> Row:
    """Compare whole processes that seal a file of 1 GiB in memory to /dev/null."""
    tenant = x509_tenant("rsa3072")
    with gib_file() as file:
        openssl = ["openssl", "cms", "-encrypt", "-binary", "-stream", "-outform", "DER", cipher, "-in", file,
                   "-out", "/dev/null", "-recip", str(tenant.certificate)]  # fmt: skip
        if profile == "authenveloped-gcm":
            openssl += ["-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"]
        ours = [sys.executable, "-m", "benchmarks.seal_file", "cms", str(tenant.certificate), file, profile]
        times = take_turns(lambda: run(ours), lambda: run(openssl))
    return speed(name, GIB, times, goal, "1 GiB as whole processes, openssl cms -encrypt -stream")


def pgp_vs_gpg() -> Row:
    """Compare our writer in process with gpg alone: 1 GiB on standard input, the output read and discarded."""
    gpg = Gpg("gpg")
    recipients = openpgp_recipients(gpg)
    command = bare_gpg(gpg, recipients)

    def bare() -> None:
        with subprocess.Popen(
            ["sh", "-c", f"{command} | cat > /dev/null"], stdin=subprocess.PIPE, bufsize=0
        ) as process:
            assert process.stdin
            for _ in range(GIB // len(BLOCK)):
                process.stdin.write(BLOCK)
            process.stdin.close()
        assert process.returncode == 0

    def ours() -> None:
        openpgp.seal(MadeUp(GIB), GIB, recipients, gpg, drop)

    return speed(
        "pgp_vs_gpg", GIB, take_turns(ours, bare), ">= 0.9", "1 GiB on stdin, gpg by itself with the same options"
    )


def small_cms_ms() -> Row:
    """Measure the whole cost of a 64 KiB file in process in ms, beside that of an openssl process."""
    tenant = x509_tenant("rsa3072")
    recipients, data = x509_recipients(tenant), bytes(BLOCK[:SMALL])
    openssl = [
        "openssl",
        "cms",
        "-encrypt",
        "-binary",
        "-outform",
        "DER",
        "-aes-256-gcm",
        "-recip",
        str(tenant.certificate),
    ]

    def ours() -> None:
        for _ in range(SMALL_TIMES):
            cms.seal(BytesIO(data), SMALL, recipients.members, "authenveloped-gcm", drop)

    def peer() -> None:
        for _ in range(SMALL_TIMES):
            run(openssl, data)

    times = take_turns(ours, peer)
    ours_ms, peer_ms = (time / SMALL_TIMES * 1e3 for time in times)
    note = "a 64 KiB file; the ratio is ours in ms; the peer is an openssl process"
    return Row("small_cms_ms", round(ours_ms, 3), round(peer_ms, 3), "ms", round(ours_ms, 3), "<= 2", note)


def small_pgp_vs_gpg() -> Row:
    """Compare the whole cost of a 64 KiB file with that of a bare gpg process."""
    gpg = Gpg("gpg")
    recipients, data = openpgp_recipients(gpg), bytes(BLOCK[:SMALL])
    command = bare_gpg(gpg, recipients).split()

    def ours() -> None:
        for _ in range(SMALL_TIMES):
            openpgp.seal(BytesIO(data), SMALL, recipients, gpg, drop)

    def peer() -> None:
        for _ in range(SMALL_TIMES):
            run(command, data)

    times = take_turns(ours, peer)
    return duration(
        "small_pgp_vs_gpg",
        (times[0] / SMALL_TIMES, times[1] / SMALL_TIMES),
        "<= 1.3",
        "a 64 KiB file; a bare gpg process",
    )


def openpgp_recipients(gpg: Gpg) -> OpenPgpRecipients:
    recipients = judge(openpgp_tenant("rsa3072").public_text, datetime.now(UTC), lambda: gpg)
    assert isinstance(recipients, OpenPgpRecipients)
    return recipients


def bare_gpg(gpg: Gpg, recipients: OpenPgpRecipients) -> str:
    """Return gpg's command line with the options that the functions use."""
    keyring = gpg._keyring_file(recipients.keyring)
    seal = [option or "''" for option in _SEAL_OPTIONS if option not in ("--set-filename", "")]
    fingerprint = recipients.members[0].fingerprint
    return " ".join(["gpg", "--batch", "--no-tty", "--homedir", str(keyring.parent), *OPTIONS, "--no-default-keyring",
                     "--keyring", str(keyring), *seal, "--recipient", fingerprint, "--encrypt"])  # fmt: skip


def run(command: list[str], data: bytes | None = None) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/layers/callseal/python"}
    subprocess.run(command, input=data, capture_output=True, check=True, cwd=ROOT, env=environment)


@contextmanager
def gib_file() -> Iterator[str]:
    """Yield the path of a file of 1 GiB, in memory if the machine has /dev/shm."""
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(GIB // len(BLOCK)):
            file.write(BLOCK)
        file.flush()
        yield file.name
