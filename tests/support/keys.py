"""Tenants' keys, made by the real openssl and gpg. Private keys stay with the tenant, as in production."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.security.privacy.watch import WATCH

OPENSSL_ALGORITHMS = {
    "rsa2048": ["rsa:2048"],
    "rsa3072": ["rsa:3072"],
    "rsa4096": ["rsa:4096"],
    "rsa1024": ["rsa:1024"],
    "p256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "p521": ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
}


# The defaults of gpg 2.2. Newer versions would add OCB, whose packets other readers refuse.
PREFERENCES = ("--default-preference-list", "AES256 AES192 AES SHA512 SHA384 SHA256 ZLIB BZIP2 ZIP Uncompressed")


def tool(name: str) -> str:
    """Return the path of a program. If it is missing, fail in CI and skip the test elsewhere."""
    path = shutil.which(name)
    if not path:
        missing = f"{name} is not on this machine: install it, the tests need it as the recipient."
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    return path


def run(*command: str | Path, data: bytes | None = None, env: dict[str, str] | None = None) -> bytes:
    """Run a command that must succeed, and return its standard output."""
    done = subprocess.run([str(part) for part in command], input=data, capture_output=True, env=env, check=False)
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr.decode(errors='replace')}"
    return done.stdout


@dataclass(frozen=True)
class X509Tenant:
    """An X.509 tenant: the certificate that it sends, and its private key."""

    certificate: Path
    private_key: Path

    @property
    def public_text(self) -> str:
        return self.certificate.read_text()

    @property
    def fingerprint(self) -> str:
        shown = run(tool("openssl"), "x509", "-in", self.certificate, "-noout", "-fingerprint", "-sha256").decode()
        return shown.partition("=")[2].strip().replace(":", "")

    def open(self, sealed: bytes) -> bytes:
        """Open a file with stock openssl, or fail the test."""
        with tempfile.NamedTemporaryFile(suffix=".p7m") as file:
            Path(file.name).write_bytes(sealed)
            return run(tool("openssl"), "cms", "-decrypt", "-binary", "-inform", "DER", "-in", file.name,
                       "-recip", self.certificate, "-inkey", self.private_key)  # fmt: skip


@dataclass(frozen=True)
class OpenPgpTenant:
    """An OpenPGP tenant: the public key that it sends, and its GnuPG home."""

    public_text: str
    home: Path
    fingerprint: str

    def open(self, sealed: bytes) -> bytes:
        """Open a file with stock gpg, or fail the test."""
        return run(tool("gpg"), "--homedir", self.home, "--batch", "--quiet", "--decrypt", data=sealed)


@cache
def _folder() -> Path:
    # A short path: gpg's agent creates a socket in its home, and a socket's path is limited to 108 characters.
    return Path(tempfile.mkdtemp(prefix="ct-"))


def clean_up() -> None:
    """Stop the agents that gpg started, and remove every key."""
    if _folder.cache_info().currsize:
        for home in _folder().glob("gpg-*"):
            subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], capture_output=True, check=False)
        shutil.rmtree(_folder(), ignore_errors=True)
        _folder.cache_clear()


@cache
def x509_tenant(algorithm: str = "rsa2048", name: str = "tenant", *extra: str) -> X509Tenant:
    """Make a self-signed certificate. `extra` are more arguments for `openssl req`, such as `-days`."""
    base = Path(tempfile.mkdtemp(prefix="x509-", dir=_folder())) / "tenant"
    private_key, certificate = base.with_suffix(".key"), base.with_suffix(".crt")
    days = () if "-days" in extra or "-not_after" in extra else ("-days", "30")
    run(tool("openssl"), "req", "-x509", "-nodes", "-newkey", *OPENSSL_ALGORITHMS[algorithm], "-subj", f"/CN={name}",
        "-keyout", private_key, "-out", certificate, *days, *extra)  # fmt: skip
    WATCH.learn(private_key.read_text())
    WATCH.learn(certificate.read_text())
    return X509Tenant(certificate, private_key)


@cache
def openpgp_tenant(algorithm: str = "rsa2048", name: str = "tenant", expires: str = "30d") -> OpenPgpTenant:
    """Make an OpenPGP key: `rsa2048` for RSA with an encryption subkey, `cv25519` for ed25519/cv25519."""
    home = gpg_home(f"{algorithm}-{name}-{expires}")
    primary, subkey = ("ed25519", "cv25519") if algorithm == "cv25519" else (algorithm, algorithm)
    gpg(home, *PREFERENCES, "--quick-generate-key", f"{name} <{name}@example.invalid>", primary, "sign", expires)
    fingerprint = fingerprint_of(home)
    gpg(home, "--quick-add-key", fingerprint, subkey, "encr", expires)
    public_text = gpg(home, "--armor", "--export", fingerprint).decode()
    WATCH.learn(public_text)
    return OpenPgpTenant(public_text, home, fingerprint)


def gpg_home(name: str) -> Path:
    """Make an empty GnuPG home."""
    return Path(tempfile.mkdtemp(prefix=f"gpg-{abs(hash(name)) % 1000}-", dir=_folder()))


def gpg(home: Path, *arguments: str | Path, data: bytes | None = None) -> bytes:
    """Run the tenant's own gpg, without a passphrase."""
    return run(tool("gpg"), "--homedir", home, "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", "",
               *arguments, data=data, env={**os.environ, "LC_ALL": "C"})  # fmt: skip


def fingerprint_of(home: Path) -> str:
    """Return the first key's fingerprint."""
    listing = gpg(home, "--with-colons", "--list-keys").decode()
    return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))
