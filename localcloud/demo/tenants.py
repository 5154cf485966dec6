"""The demo's tenants: each generates a key pair, sends the public half, and opens its files with stock tools."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from callseal.core.formats import ENVELOPES
from localcloud.demo.reader import open_cms

# The default of gpg 2.2. A newer gpg would add OCB, whose packets other readers reject
# (docs/decisions/0009-seipd-v1-enforced.md).
_PREFERENCES = ("--default-preference-list", "AES256 AES192 AES SHA512 SHA384 SHA256 ZLIB BZIP2 ZIP Uncompressed")


class OpeningError(Exception):
    """A tenant could not open a delivered file."""


@dataclass(frozen=True)
class Opened:
    """The content of a sealed file, and the command that a tenant's IT would type."""

    data: bytes
    command: str

    @property
    def tool(self) -> str:
        """The program that the command starts."""
        return self.command.split(" ", 1)[0]


class Tenant:
    """A tenant with its name, its settings, and its own folder, which the platform never reads."""

    key_kind = "none"

    def __init__(self, name: str, folder: Path, settings: Mapping[str, object], about: str) -> None:
        self.name, self.settings, self.about = name, dict(settings), about
        self.folder = folder / name
        self.folder.mkdir(mode=0o700)

    @property
    def settings_text(self) -> str:
        """The settings as JSON for the tenant's parameter."""
        return json.dumps(self.settings)

    def public_key(self) -> str | None:
        """Generate a key pair and return the public text that the tenant sends, or None without encryption."""
        return None

    def open(self, name: str, sealed: bytes) -> Opened:
        """Return the content of a file that was fetched as `name`. Raise OpeningError."""
        raise OpeningError(f"{self.name} has no key, but {name} ({len(sealed)} bytes) is sealed")

    def _run(self, *command: str, into: str) -> Opened:
        done = subprocess.run(command, cwd=self.folder, capture_output=True, check=False)
        if done.returncode:
            raise OpeningError(f"{shlex.join(command)}: {done.stderr.decode(errors='replace').strip()}")
        return Opened((self.folder / into).read_bytes(), shlex.join(command))


class X509Tenant(Tenant):
    """A tenant with an X.509 certificate, which opens with openssl."""

    key_kind = "X.509, RSA 3072"

    def public_key(self) -> str:
        """Generate a key pair and return its certificate, valid for a year."""
        return self.certificate(valid_for=timedelta(days=365))

    def certificate(self, valid_for: timedelta) -> str:
        """Generate a key pair and return its certificate, which expires after `valid_for` (negative: has expired)."""
        key = rsa.generate_private_key(65537, 3072)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{self.name} call recordings")])
        end = datetime.now(UTC) + valid_for
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - timedelta(days=366))
            .not_valid_after(end)
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / "our.key").write_bytes(private)
        text = certificate.public_bytes(Encoding.PEM)
        (self.folder / "our.crt").write_bytes(text)
        return text.decode()

    def open(self, name: str, sealed: bytes) -> Opened:
        """Open with stock openssl, or with an independent reader if it is not installed. The command says which."""
        (self.folder / name).write_bytes(sealed)
        if not shutil.which("openssl"):
            data = open_cms(sealed, self.folder / "our.key")
            return Opened(data, "asn1crypto and cryptography, because openssl is not installed")
        plain = name.removesuffix(ENVELOPES["cms"].suffix)
        return self._run("openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", name,
                         "-recip", "our.crt", "-inkey", "our.key", "-out", plain, into=plain)  # fmt: skip


class OpenPgpTenant(Tenant):
    """A tenant with an OpenPGP key, which opens with gpg."""

    key_kind = "OpenPGP, RSA 3072"

    def public_key(self) -> str:
        """Generate a key with an encryption subkey in the tenant's folder, and return its export."""
        name = f"{self.name} call recordings"
        self._gpg(*_PREFERENCES, "--passphrase", "", "--quick-generate-key", name, "rsa3072", "sign", "1y")
        listing = self._gpg("--with-colons", "--list-keys", name)
        fingerprint = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))
        self._gpg("--passphrase", "", "--quick-add-key", fingerprint, "rsa3072", "encr", "1y")
        return self._gpg("--armor", "--export", fingerprint)

    def open(self, name: str, sealed: bytes) -> Opened:
        """Open with stock gpg."""
        (self.folder / name).write_bytes(sealed)
        plain = name.removesuffix(ENVELOPES["openpgp"].suffix)
        return self._run("gpg", "--homedir", ".", "--batch", "--quiet", "--output", plain, "--decrypt", name,
                         into=plain)  # fmt: skip

    def close(self) -> None:
        """Stop the agent that gpg started."""
        subprocess.run(["gpgconf", "--homedir", str(self.folder), "--kill", "all"], capture_output=True, check=False)

    def _gpg(self, *arguments: str) -> str:
        command = ["gpg", "--homedir", str(self.folder), "--batch", "--pinentry-mode", "loopback", *arguments]
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            raise OpeningError(f"gpg {shlex.join(arguments)}: {done.stderr.strip()}")
        return done.stdout
