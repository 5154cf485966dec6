"""The demo's tenants: each makes its own key, hands over the public half, and opens what it gets with stock tools."""

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

from localcloud.demo.reader import open_cms

# The default of gpg 2.2. A newer gpg would add OCB, whose packets other readers refuse
# (docs/decisions/0009-seipd-v1-enforced.md).
_PREFERENCES = ("--default-preference-list", "AES256 AES192 AES SHA512 SHA384 SHA256 ZLIB BZIP2 ZIP Uncompressed")


class OpeningError(Exception):
    """A tenant could not open what it was sent."""


@dataclass(frozen=True)
class Opened:
    """The bytes that came out, and the command that a tenant's IT would type."""

    data: bytes
    command: str

    @property
    def tool(self) -> str:
        """The program that the command starts."""
        return self.command.split(" ", 1)[0]


class Tenant:
    """A tenant: its name, its settings, and a folder of its own that the platform never sees."""

    key_kind = "none"

    def __init__(self, name: str, folder: Path, settings: Mapping[str, object], about: str) -> None:
        self.name, self.settings, self.about = name, dict(settings), about
        self.folder = folder / name
        self.folder.mkdir(mode=0o700)

    @property
    def settings_text(self) -> str:
        """The JSON that goes into the tenant's parameter."""
        return json.dumps(self.settings)

    def public_key(self) -> str | None:
        """Make the key pair at the first call; gives the text that the tenant sends."""
        return None

    def open(self, name: str, sealed: bytes) -> Opened:
        """Open a file that was fetched as `name`."""
        raise OpeningError(f"{self.name} has no key, and got {name} ({len(sealed)} bytes) sealed")

    def _run(self, *command: str, into: str) -> Opened:
        done = subprocess.run(command, cwd=self.folder, capture_output=True, check=False)
        if done.returncode:
            raise OpeningError(f"{shlex.join(command)}: {done.stderr.decode(errors='replace').strip()}")
        return Opened((self.folder / into).read_bytes(), shlex.join(command))


class X509Tenant(Tenant):
    """A tenant with an X.509 certificate, which opens with openssl."""

    key_kind = "X.509, RSA 3072"

    def public_key(self) -> str:
        """Make a certificate of a year."""
        return self.certificate(valid_for=timedelta(days=365))

    def certificate(self, valid_for: timedelta) -> str:
        """Make a key pair and a certificate whose time ends after `valid_for`, which may be in the past."""
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
        """Open with stock openssl; where the machine has none, with an independent reader, which the command says."""
        (self.folder / name).write_bytes(sealed)
        if not shutil.which("openssl"):
            data = open_cms(sealed, self.folder / "our.key")
            return Opened(data, "asn1crypto and cryptography, for this machine has no openssl")
        plain = name.removesuffix(".p7m")
        return self._run("openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", name,
                         "-recip", "our.crt", "-inkey", "our.key", "-out", plain, into=plain)  # fmt: skip


class OpenPgpTenant(Tenant):
    """A tenant with an OpenPGP key, which opens with gpg."""

    key_kind = "OpenPGP, RSA 3072"

    def public_key(self) -> str:
        """Make a key with an encryption subkey, in a GnuPG home of its own."""
        name = f"{self.name} call recordings"
        self._gpg(*_PREFERENCES, "--passphrase", "", "--quick-generate-key", name, "rsa3072", "sign", "1y")
        listing = self._gpg("--with-colons", "--list-keys", name)
        fingerprint = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))
        self._gpg("--passphrase", "", "--quick-add-key", fingerprint, "rsa3072", "encr", "1y")
        return self._gpg("--armor", "--export", fingerprint)

    def open(self, name: str, sealed: bytes) -> Opened:
        """Open with stock gpg."""
        (self.folder / name).write_bytes(sealed)
        plain = name.removesuffix(".pgp")
        return self._run("gpg", "--homedir", ".", "--batch", "--quiet", "--output", plain, "--decrypt", name,
                         into=plain)  # fmt: skip

    def close(self) -> None:
        """End the agent that gpg started."""
        subprocess.run(["gpgconf", "--homedir", str(self.folder), "--kill", "all"], capture_output=True, check=False)

    def _gpg(self, *arguments: str) -> str:
        command = ["gpg", "--homedir", str(self.folder), "--batch", "--pinentry-mode", "loopback", *arguments]
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            raise OpeningError(f"gpg {shlex.join(arguments)}: {done.stderr.strip()}")
        return done.stdout
