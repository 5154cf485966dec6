"""Tenants with their own private keys, which open sealed files with openssl or gpg."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tests.support.keys import tool

Command = list[str | Path]


class Receiver(Protocol):
    """Has a private key, and publishes its public key."""

    @property
    def public_key(self) -> str: ...

    def open(self, sealed: bytes) -> bytes: ...


def run(command: Command, data: bytes = b"") -> bytes:
    ran = subprocess.run(command, input=data, capture_output=True)
    assert ran.returncode == 0, f"{command[0]} failed: {ran.stderr.decode(errors='replace')}"
    return ran.stdout


class CmsReceiver:
    """Has an RSA certificate, and opens with openssl."""

    def __init__(self, folder: Path) -> None:
        self._key, self._certificate = folder / "key.pem", folder / "certificate.pem"
        request = [tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
        request += ["-subj", "/CN=Tenant"]
        run([*request, "-keyout", self._key, "-out", self._certificate])

    @property
    def public_key(self) -> str:
        return self._certificate.read_text()

    def open(self, sealed: bytes) -> bytes:
        command = [tool("openssl"), "cms", "-decrypt", "-binary", "-inform", "DER"]
        return run([*command, "-inkey", self._key, "-recip", self._certificate], sealed)


class OpenPgpReceiver:
    """Has a key in its own GnuPG home, and opens with gpg."""

    def __init__(self, home: Path) -> None:
        self._gpg: Command = ["gpg", "--homedir", home, "--batch", "--quiet", "--no-tty", "--passphrase", ""]
        key = ["Tenant <tenant@example.org>", "future-default", "default", "30d"]
        run([*self._gpg, "--quick-generate-key", *key])

    @property
    def public_key(self) -> str:
        return run([*self._gpg, "--armor", "--export"]).decode()

    def open(self, sealed: bytes) -> bytes:
        return run([*self._gpg, "--decrypt"], sealed)


@contextmanager
def openpgp_receiver() -> Iterator[OpenPgpReceiver]:
    """Make a receiver whose home has a short name, because gpg's socket paths are limited to 108 characters."""
    with tempfile.TemporaryDirectory(prefix="g", ignore_cleanup_errors=True) as home:
        try:
            yield OpenPgpReceiver(Path(home))
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], capture_output=True)
