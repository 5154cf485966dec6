"""Key pairs of the canaries: X.509 in memory, OpenPGP in its own GnuPG home, SSH in a file of mode 0600."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from callseal.core.errors import CallsealError
from callseal.core.formats import ENVELOPES
from callseal_cli.errors import CannotError
from callseal_cli.selftest.cms import open_cms

LIFE = timedelta(days=90)
CLOCK_SKEW = timedelta(hours=1)


class OpenError(CallsealError):
    """A sealed file does not open with the canary's private key."""


class PrivateKey(Protocol):
    """A canary's key pair."""

    @property
    def public_text(self) -> str:
        """The public half, as a tenant sends it."""

    @property
    def fingerprint(self) -> str:
        """Upper-case hex, as audit events have it."""

    @property
    def suffix(self) -> str:
        """The suffix of sealed files' names."""

    def open(self, sealed: bytes) -> bytes:
        """Return the content of a sealed file. Raise OpenError."""


@dataclass(frozen=True, slots=True)
class X509Key:
    """An RSA key with a self-signed certificate. The private half is in memory only."""

    public_text: str
    fingerprint: str
    private: rsa.RSAPrivateKey
    suffix: str = ENVELOPES["cms"].suffix

    def open(self, sealed: bytes) -> bytes:
        """Return the content of a CMS message. Raise OpenError."""
        try:
            return open_cms(sealed, self.private)
        except (ValueError, InvalidTag) as exc:
            raise OpenError(f"the canary's RSA key does not open it ({exc or type(exc).__name__})") from exc


@dataclass(frozen=True, slots=True)
class OpenPgpKey:
    """An OpenPGP key in a GnuPG home."""

    public_text: str
    fingerprint: str
    home: Path
    suffix: str = ENVELOPES["openpgp"].suffix

    def open(self, sealed: bytes) -> bytes:
        """Return the content of an OpenPGP message. Raise OpenError."""
        done = _gpg(self.home, "--quiet", "--decrypt", data=sealed)
        if done.returncode:
            raise OpenError(f"the canary's gpg does not open it (exit code {done.returncode})")
        return done.stdout


def make_x509(name: str, now: datetime) -> X509Key:
    """Return a new RSA key of 2048 bits with a certificate for 90 days."""
    private = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFE)
        .sign(private, hashes.SHA256())
    )
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex().upper()
    return X509Key(certificate.public_bytes(Encoding.PEM).decode(), fingerprint, private)


def make_openpgp(name: str, home: Path) -> OpenPgpKey:
    """Return a new ed25519 key with a cv25519 subkey for 90 days, in a new GnuPG home. Raise CannotError."""
    home.mkdir(mode=0o700)
    _made(home, "--quick-generate-key", name, "ed25519", "sign", f"{LIFE.days}d")
    listing = _made(home, "--with-colons", "--list-keys", name).decode()
    fingerprint = next(line.split(":")[9] for line in listing.split("\n") if line.startswith("fpr:"))
    _made(home, "--quick-add-key", fingerprint, "cv25519", "encr", f"{LIFE.days}d")
    return OpenPgpKey(_made(home, "--armor", "--export", fingerprint).decode(), fingerprint, home)


def make_ssh(path: Path) -> str:
    """Write a new ed25519 private key for OpenSSH, and return its line for authorized_keys."""
    private = Ed25519PrivateKey.generate()
    path.touch(mode=0o600)
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def end_agent(home: Path) -> None:
    """Stop the agent that gpg started for a home."""
    if home.exists() and (gpgconf := shutil.which("gpgconf")):
        subprocess.run([gpgconf, "--homedir", str(home), "--kill", "all"], capture_output=True, check=False)


def gpg_program() -> str:
    """Return the operator's gpg (GPG_BINARY or `gpg`). Raise CannotError if it is not installed."""
    name = os.environ.get("GPG_BINARY") or "gpg"
    if not shutil.which(name):
        raise CannotError(f"The selftest opens OpenPGP files with gpg, and there is no {name}. Install GnuPG.")
    return name


def _made(home: Path, *arguments: str) -> bytes:
    done = _gpg(home, "--pinentry-mode", "loopback", "--passphrase", "", *arguments)
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip()
        raise CannotError(f"gpg could not make the canary's OpenPGP key: {why}")
    return done.stdout


def _gpg(home: Path, *arguments: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [gpg_program(), "--homedir", str(home), "--batch", *arguments]
    # A session of its own: Ctrl-C must not stop gpg's agent before the selftest stops it.
    return subprocess.run(command, input=data or b"", capture_output=True, check=False, start_new_session=True)
