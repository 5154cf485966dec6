"""Tenants as the model knows them: how audit events describe their key, and who can open what was sealed to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

os.environ.setdefault("RUST_LIB_BACKTRACE", "0")  # pysequoia takes longer to make its backtrace than to open a message
import pysequoia
from asn1crypto import cms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from tests.interop.own_reader import open_cms
from tests.support.keys import gpg, openpgp_tenant, x509_tenant

PKESK = 1


@dataclass(frozen=True)
class Tenant:
    """A tenant's public and private key. `count` returns the total number of recipients of a message."""

    envelope: str
    suffix: str
    kind: str
    public_text: str
    private_text: str
    fingerprint: str
    open: Callable[[bytes], bytes]
    count: Callable[[bytes], int]
    subkey: str | None = None


@cache
def tenant(envelope: str, name: str = "tenant") -> Tenant:
    """Return a tenant's key. Each `name` has a different key."""
    return _openpgp(name) if envelope == "openpgp" else _x509(name)


def _x509(name: str) -> Tenant:
    made = x509_tenant("rsa2048", name)
    certificate = load_pem_x509_certificate(made.certificate.read_bytes())
    private_text = made.private_key.read_text()
    key = load_pem_private_key(private_text.encode(), None)
    der = Path(made.certificate.with_suffix(".der"))
    der.write_bytes(certificate.public_bytes(Encoding.DER))
    fingerprint = certificate.fingerprint(SHA256()).hex().upper()
    return Tenant("cms", ".p7m", "x509", made.public_text, private_text, fingerprint,
                  lambda sealed: open_cms(sealed, der, key), _count_cms)  # fmt: skip


def _count_cms(sealed: bytes) -> int:
    return len(cms.ContentInfo.load(sealed, strict=True)["content"]["recipient_infos"])


def _openpgp(name: str) -> Tenant:
    made = openpgp_tenant("cv25519", name)
    private_text = gpg(made.home, "--armor", "--export-secret-keys", made.fingerprint).decode()
    secret = pysequoia.Tsk.from_bytes(private_text.encode())

    def open_message(sealed: bytes) -> bytes:
        opened = pysequoia.decrypt(sealed, decryptor=secret.decryptor()).bytes
        if opened is None:
            raise ValueError("nothing in it")
        return opened

    listing = gpg(made.home, "--with-colons", "--with-subkey-fingerprint", "--list-keys", made.fingerprint).decode()
    _, subkey = (line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))
    return Tenant("openpgp", ".pgp", "openpgp", made.public_text, private_text, made.fingerprint,
                  open_message, _count_openpgp, subkey)  # fmt: skip


def _count_openpgp(sealed: bytes) -> int:
    """Count the session key packets at the start of a message (RFC 4880, 4.2 and 5.1)."""
    count = position = 0
    while position < len(sealed):
        first = sealed[position]
        if first & 0x40:  # the new format; these packets are short, so they have one or two length octets
            tag, head, length = first & 0x3F, 2, sealed[position + 1]
            if length >= 192:
                head, length = 3, ((length - 192) << 8) + sealed[position + 2] + 192
        else:
            size = 1 << (first & 3)
            tag, head = (first >> 2) & 15, 1 + size
            length = int.from_bytes(sealed[position + 1 : position + 1 + size])
        if tag != PKESK:
            break
        count, position = count + 1, position + head + length
    return count
