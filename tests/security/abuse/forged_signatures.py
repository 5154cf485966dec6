"""Forged OpenPGP signatures, and gpg's private ring trust packets, which claim that the signatures were checked.

A ring trust packet (tag 12) is GnuPG's own bookkeeping in a keyring file: `00 03` after a signature means "checked, and
valid", `00 01` means "checked, and invalid" (GnuPG, doc/DETAILS and g10/parse-packet.c, `parse_trust`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

from callseal.crypto.openpgp_packets import packets

SIGNATURE, PUBLIC_KEY, RING_TRUST, USER_ID, PUBLIC_SUBKEY = 2, 6, 12, 13, 14
CERTIFICATION, BINDING, DIRECT_KEY, KEY_REVOCATION, SUBKEY_REVOCATION = 0x13, 0x18, 0x1F, 0x20, 0x28
EDDSA, SHA256 = 22, 8
ENCRYPTS, EVERYTHING = 0x0C, 0x0F
Frame = Callable[[int, bytes], bytes]


def old_frame(tag: int, body: bytes) -> bytes:
    """Frame a packet with an old header, with the shortest possible length (RFC 9580, 4.2.2)."""
    width = 0 if len(body) < 256 else 1
    return bytes([0x80 | tag << 2 | width]) + len(body).to_bytes(1 << width) + body


def old_frame_of_four(tag: int, body: bytes) -> bytes:
    """Frame a packet with an old header and a length of four octets."""
    return bytes([0x82 | tag << 2]) + len(body).to_bytes(4) + body


def new_frame(tag: int, body: bytes) -> bytes:
    """Frame a packet with a new header and a length of one octet or two (RFC 9580, 4.2.1)."""
    if len(body) < 192:
        return bytes([0xC0 | tag, len(body)]) + body
    short = len(body) - 192
    return bytes([0xC0 | tag, 192 + (short >> 8), short & 0xFF]) + body


def new_frame_of_five(tag: int, body: bytes) -> bytes:
    """Frame a packet with a new header and a length of five octets."""
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4) + body


# Every trust octet, eight in each text: gpg's repair of keys takes time quadratic in the number of bad signatures.
_EVERY_OCTET = [range(first, first + 8) for first in range(0, 256, 8)]


def octets_for(frame: Frame) -> list[range]:
    """Return the trust octets to test, text by text: all of them with the usual headers, few with the odd ones."""
    return _EVERY_OCTET if frame in (old_frame, new_frame) else [range(8), range(124, 132), range(248, 256)]


FRAMES: dict[str, Frame] = {
    "old header": old_frame,
    "old header, four octets": old_frame_of_four,
    "new header": new_frame,
    "new header, five octets": new_frame_of_five,
}


def signature_body(kind: int, issuer: str, created: int, flags: int | None = None) -> bytes:
    """Return the body of an EdDSA signature by the key of this fingerprint, with random octets for its value."""
    hashed = b"\x05\x02" + created.to_bytes(4) + b"\x16\x21\x04" + bytes.fromhex(issuer)
    if flags is not None:
        hashed += bytes([2, 27, flags])
    unhashed = b"\x09\x10" + bytes.fromhex(issuer)[-8:]
    value = b"".join(b"\x01\x00" + b"\x80" + secrets.token_bytes(31) for _ in range(2))
    head = bytes([4, kind, EDDSA, SHA256]) + len(hashed).to_bytes(2) + hashed
    return head + len(unhashed).to_bytes(2) + unhashed + secrets.token_bytes(2) + value


def trusted(frame: Frame, octet: int, first: int = 0) -> bytes:
    """Return a ring trust packet."""
    return frame(RING_TRUST, bytes([first, octet]))


def made_at(public_key_body: bytes, created: int) -> bytes:
    """Change the creation time of a public key, and with it its fingerprint."""
    return public_key_body[:1] + created.to_bytes(4) + public_key_body[5:]


def with_issuer(signature: bytes, fingerprint: str) -> bytes:
    """Replace the issuer in the unhashed area of a version 4 signature's body. Its value stays genuine."""
    hashed_end = 6 + int.from_bytes(signature[4:6])
    unhashed_end = hashed_end + 2 + int.from_bytes(signature[hashed_end : hashed_end + 2])
    unhashed = b"\x09\x10" + bytes.fromhex(fingerprint)[-8:]
    return signature[:hashed_end] + len(unhashed).to_bytes(2) + unhashed + signature[unhashed_end:]


def parts(key: bytes) -> list[tuple[int, bytes]]:
    """Split a key into each packet's type and body."""
    return [(packet.tag, packet.body) for packet in packets(key)]


def joined(some: Iterable[tuple[int, bytes]], frame: Frame = new_frame) -> bytes:
    """Join packets."""
    return b"".join(frame(tag, body) for tag, body in some)
