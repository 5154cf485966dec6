"""OpenPGP keys built packet by packet (RFC 9580, 4.2, 5.2, 5.5), for keys that gpg never makes."""

from __future__ import annotations

from functools import cache
from hashlib import sha1, sha256

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from tests.unit.crypto.verdicts import armour

LABEL = "PGP PUBLIC KEY BLOCK"
SIGNATURE, PUBLIC_KEY, USER_ID, SUBKEY = 2, 6, 13, 14
CREATED = 1_700_000_000
SIGN, ENCRYPT = 0x03, 0x0C


def packet(tag: int, body: bytes) -> bytes:
    """Frame a packet, with a length of five octets."""
    return bytes((0xC0 | tag, 0xFF)) + len(body).to_bytes(4) + body


def mpi(value: int) -> bytes:
    """Encode a multiprecision integer."""
    return value.bit_length().to_bytes(2) + value.to_bytes((value.bit_length() + 7) // 8)


def rsa_body(modulus: int, exponent: int = 65537, created: int = CREATED) -> bytes:
    """Return the body of a version 4 RSA key."""
    return b"\x04" + created.to_bytes(4) + b"\x01" + mpi(modulus) + mpi(exponent)


@cache
def private_key(number: int) -> rsa.RSAPrivateKey:
    """Return one of the forger's own key pairs."""
    return rsa.generate_private_key(65537, 2048)


def modulus(number: int) -> int:
    """Return the modulus of a key pair."""
    return private_key(number).public_key().public_numbers().n


def _hashed(body: bytes) -> bytes:
    return b"\x99" + len(body).to_bytes(2) + body


def signature(kind: int, signed: bytes, primary: bytes, flags: int, created: int = CREATED) -> bytes:
    """Return a self-signature over a user id or a subkey."""
    keyid = sha1(_hashed(primary), usedforsecurity=False).digest()[-8:]
    hashed = b"\x05\x02" + created.to_bytes(4) + b"\x02\x1b" + bytes([flags])
    head = bytes((4, kind, 1, 8)) + len(hashed).to_bytes(2) + hashed
    digest = sha256(_hashed(primary) + signed + head + b"\x04\xff" + len(head).to_bytes(4)).digest()
    value = private_key(0).sign(digest, padding.PKCS1v15(), Prehashed(SHA256()))
    unhashed = b"\x09\x10" + keyid
    return packet(SIGNATURE, head + len(unhashed).to_bytes(2) + unhashed + digest[:2] + mpi(int.from_bytes(value)))


def named(user_id: bytes, primary: bytes) -> bytes:
    """Return a user id with its certification."""
    signed = b"\xb4" + len(user_id).to_bytes(4) + user_id
    return packet(USER_ID, user_id) + signature(0x13, signed, primary, SIGN)


def bound(subkey: bytes, primary: bytes, created: int = CREATED) -> bytes:
    """Return an encryption subkey with its binding signature."""
    return packet(SUBKEY, subkey) + signature(0x18, _hashed(subkey), primary, ENCRYPT, created)


def primary_body() -> bytes:
    """Return the forger's primary key."""
    return rsa_body(modulus(0))


def key(*user_ids: bytes, subkeys: int = 1, tail: bytes = b"") -> bytes:
    """Return a complete key that is valid except for its user ids. `tail` is appended."""
    primary = primary_body()
    parts = [packet(PUBLIC_KEY, primary), *(named(name, primary) for name in user_ids or (b"forger",))]
    parts += [bound(rsa_body(modulus(1), created=CREATED + n), primary, CREATED + n) for n in range(subkeys)]
    return b"".join(parts) + tail


def text(data: bytes) -> str:
    """Armour a key."""
    return armour(LABEL, data)


def fingerprint() -> str:
    """Return the fingerprint of the forger's primary key."""
    return sha1(_hashed(primary_body()), usedforsecurity=False).hexdigest().upper()
