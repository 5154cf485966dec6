"""The readers that tenants may have, each started as a tenant would start it."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pysequoia
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509 import load_pem_x509_certificate

from tests.interop import keys
from tests.interop.java import bouncy_castle
from tests.interop.lab import folder
from tests.interop.own_reader import open_cms
from tests.support.keys import run, tool


class Job(NamedTuple):
    """A file to open, and the name of the key. Only negative tests use another name for the certificate."""

    sealed: Path
    key: str
    certificate: str = ""


class Opened(NamedTuple):
    """The result of a reader: the plain bytes, or None if it refused; and its messages."""

    data: bytes | None
    said: str


@dataclass(frozen=True)
class Peer:
    """A reader: its name, its command or function as the page names it, its version, and how it opens files."""

    name: str
    title: str
    version: Callable[[], str]
    open_many: Callable[[Sequence[Job]], list[Opened]]
    # A single start opens all files, because starting costs more than opening.
    batched: bool = False


def one_by_one(open_one: Callable[[Job], Opened]) -> Callable[[Sequence[Job]], list[Opened]]:
    return lambda jobs: [open_one(job) for job in jobs]


def in_process(open_one: Callable[[Job], bytes]) -> Callable[[Sequence[Job]], list[Opened]]:
    def attempt(job: Job) -> Opened:
        try:
            return Opened(open_one(job), "")
        except Exception as exc:  # any exception of a library is a refusal; known ones are matched by their words
            return Opened(None, f"{type(exc).__name__}: {exc}")

    return one_by_one(attempt)


def program(*command: str | Path, data: bytes | None = None) -> Opened:
    """Run a reader that writes to standard output. Only its exit code shows whether the output is valid."""
    done = subprocess.run([str(part) for part in command], input=data, capture_output=True,
                          env={**os.environ, "LC_ALL": "C"}, check=False)  # fmt: skip
    said = f"exit code {done.returncode}: {done.stderr.decode(errors='replace')}"
    return Opened(done.stdout if done.returncode == 0 else None, said)


def number_of(text: str) -> str:
    """Return the major and minor number in a program's version text."""
    found = re.search(r"(\d+\.\d+)", text)
    assert found, text
    return found[1]


@cache
def _program_version(name: str, *arguments: str) -> str:
    return number_of(run(tool(name), *arguments).decode())


def _openssl(command: str) -> Callable[[Job], Opened]:
    def open_one(job: Job) -> Opened:
        return program(tool("openssl"), command, "-decrypt", "-binary", "-inform", "DER", "-in", job.sealed, "-recip",
                       keys.x509(job.certificate or job.key).certificate, "-inkey",
                       keys.x509(job.key).private_key)  # fmt: skip

    return open_one


def _gpgsm(job: Job) -> Opened:
    home = keys.gpgsm_import(job.key)
    if not home["imported"]:
        return Opened(None, f"import of the PKCS#12 file failed: {home['said']}")
    done = keys.gpgsm(Path(home["home"]), "--decrypt", job.sealed)
    said = f"exit code {done.returncode}: {done.stderr.decode(errors='replace')}"
    return Opened(done.stdout if done.returncode == 0 else None, said)


def _cryptography(job: Job) -> bytes:
    certificate = load_pem_x509_certificate(keys.x509(job.certificate or job.key).certificate.read_bytes())
    return pkcs7.pkcs7_decrypt_der(job.sealed.read_bytes(), certificate, keys.private_key(job.key), [])


def _own(job: Job) -> bytes:
    certificate = keys.x509(job.certificate or job.key).certificate_der
    return open_cms(job.sealed.read_bytes(), certificate, keys.private_key(job.key))


def _bouncy_castle(way: str) -> Callable[[Sequence[Job]], list[Opened]]:
    def open_many(jobs: Sequence[Job]) -> list[Opened]:
        lines = [
            (way, keys.x509(job.key).private_key_der, keys.x509(job.certificate or job.key).certificate_der, job.sealed)
            for job in jobs
        ]
        return [Opened(*answer) for answer in bouncy_castle.open_many(lines)]

    return open_many


# Only a part of a reader: it stops at the first encrypted byte and returns no bytes.
bouncy_castle_heads = _bouncy_castle("head")


def _gpg(job: Job) -> Opened:
    # Into a file, as in docs/decrypting.md: for a file without content, gpg creates none and ends with exit code 0.
    with tempfile.TemporaryDirectory(prefix="opened-", dir=folder()) as made:
        plain = Path(made) / "plain"
        done = gpg_into(plain, job)
        return Opened(plain.read_bytes() if done.data is not None and plain.exists() else None, done.said)


def gpg_into(plain: Path, job: Job) -> Opened:
    home = keys.openpgp(job.key).home
    return program(tool("gpg"), "--homedir", home, "--batch", "--output", plain, "--decrypt", job.sealed)


def _sq(job: Job) -> Opened:
    return program(tool("sq"), "decrypt", "--recipient-key", keys.openpgp(job.key).secret, job.sealed)


def _rnp(job: Job) -> Opened:
    with tempfile.TemporaryDirectory(prefix="rnp-") as home:
        return program(tool("rnp"), "--homedir", home, "--notty", "--keyfile", keys.openpgp(job.key).secret,
                       "--password", "", "--decrypt", job.sealed, "--output", "-")  # fmt: skip


def _pysequoia(job: Job) -> bytes:
    decryptor = pysequoia.Tsk.from_bytes(keys.openpgp(job.key).secret.read_bytes()).decryptor()
    opened = pysequoia.decrypt(job.sealed.read_bytes(), decryptor=decryptor)
    assert opened.bytes is not None
    return opened.bytes


CMS_PEERS = [
    Peer("openssl-cms", "`openssl cms`", lambda: _program_version("openssl", "version"), one_by_one(_openssl("cms"))),
    Peer("gpgsm", "`gpgsm`", lambda: _program_version("gpgsm", "--version"), one_by_one(_gpgsm)),
    Peer("bc-memory", "Bouncy Castle, in memory", bouncy_castle.version, _bouncy_castle("memory"), batched=True),
    Peer("bc-stream", "Bouncy Castle, streaming", bouncy_castle.version, _bouncy_castle("stream"), batched=True),
    Peer("openssl-smime", "`openssl smime`", lambda: _program_version("openssl", "version"),
         one_by_one(_openssl("smime"))),
    Peer("cryptography", "cryptography's `pkcs7_decrypt_der`", lambda: number_of(version("cryptography")),
         in_process(_cryptography)),
    Peer("asn1crypto", "asn1crypto + cryptography (our test's)", lambda: number_of(version("asn1crypto")),
         in_process(_own)),
]  # fmt: skip
OPENPGP_PEERS = [
    Peer("gpg", "`gpg`", lambda: _program_version("gpg", "--version"), one_by_one(_gpg)),
    Peer("sq", "`sq`", lambda: _program_version("sq", "--version"), one_by_one(_sq)),
    Peer("rnp", "`rnp`", lambda: _program_version("rnp", "--version"), one_by_one(_rnp)),
    Peer("pysequoia", "pysequoia", lambda: number_of(version("pysequoia")), in_process(_pysequoia)),
]
PEERS = {peer.name: peer for peer in (*CMS_PEERS, *OPENPGP_PEERS)}
