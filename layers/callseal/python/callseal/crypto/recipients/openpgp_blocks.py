"""Reads OpenPGP texts packet by packet, and passes on to gpg only the packets of version 4 public keys.

All other packets are dropped, among them ring trust packets (tag 12), which gpg would believe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha1
from itertools import dropwhile

from callseal.core.errors import HeldError, Reason
from callseal.core.recipient import OpenPgpKeys
from callseal.crypto.openpgp_packets import (
    PUBLIC_KEY,
    PUBLIC_SUBKEY,
    SECRET_KEY,
    SECRET_SUBKEY,
    SIGNATURE,
    USER_ATTRIBUTE,
    USER_ID,
    Packet,
    frame,
    packets,
)
from callseal.crypto.recipients.blocks import Block, decode_armour, private_key

# A transferable public key (RFC 9580, 10.1.1) has packets of these types. Marker packets must be ignored (5.8).
KEY_PACKETS = {SIGNATURE, PUBLIC_KEY, USER_ID, PUBLIC_SUBKEY, USER_ATTRIBUTE}
# Public-key algorithms (RFC 9580, 9.1).
RSA, RSA_ENCRYPT_ONLY, RSA_SIGN_ONLY, ELGAMAL, DSA = 1, 2, 3, 16, 17
_RSA_OCTETS = {bytes([RSA]), bytes([RSA_ENCRYPT_ONLY]), bytes([RSA_SIGN_ONLY])}
# Version 4, type "key revocation" (RFC 9580, 5.2.1 and 5.2.3).
_KEY_REVOCATION = b"\x04\x20"


def read_keys(blocks: Iterable[Block]) -> OpenPgpKeys:
    """Return the contents of armoured blocks. Raises HeldError with the first reason in order, of any block."""
    found, refusals = list[OpenPgpKeys](), list[HeldError]()
    for number, block in enumerate(blocks, start=1):
        try:
            found.append(_read(block, number))
        except HeldError as refusal:
            refusals.append(refusal)
    if refusals:
        raise min(refusals, key=lambda refusal: refusal.reason.rank)
    together = joined(found)
    if not together.primaries:
        raise unreadable("it is a revocation certificate without its key. Ask the tenant for a new key")
    return together


def joined(texts: Sequence[OpenPgpKeys]) -> OpenPgpKeys:
    """Return the contents of several texts together, in their order."""
    return OpenPgpKeys(
        b"".join(text.keys for text in texts),
        b"".join(text.revocations for text in texts),
        tuple(dict.fromkeys(primary for text in texts for primary in text.primaries)),
    )


def _read(block: Block, number: int) -> OpenPgpKeys:
    """Return the contents of one block: keys with their packets, or only revocation certificates."""
    try:
        everything = list(packets(decode_armour(block.body)))
    except ValueError as exc:
        raise unreadable(
            f"PGP block {number} is damaged ({exc}). Ask the tenant for it again (gpg --armor --export), and paste all"
        ) from exc
    if any(packet.tag in (SECRET_KEY, SECRET_SUBKEY) for packet in everything):
        raise private_key()
    found = [packet for packet in everything if packet.tag in KEY_PACKETS]
    keys = list(dropwhile(_is_key_revocation, found))
    if not found or (keys and keys[0].tag != PUBLIC_KEY):
        raise unreadable(f"PGP block {number} holds no public key. Ask the tenant for it again (gpg --armor --export)")
    _check_keys(keys, number)
    # A revocation certificate counts at any place. gpg gets each of them separately too, as if from a file of its own.
    revocations = (frame(packet) for packet in found if _is_key_revocation(packet))
    primaries = dict.fromkeys(_fingerprint(packet) for packet in keys if packet.tag == PUBLIC_KEY)
    return OpenPgpKeys(b"".join(map(frame, keys)), b"".join(revocations), tuple(primaries))


def _check_keys(keys: Sequence[Packet], number: int) -> None:
    versions = [packet.body[0] if packet.body else 0 for packet in keys if packet.tag == PUBLIC_KEY]
    if odd := [version for version in versions if version != 4]:
        raise unreadable(f"PGP block {number} has a key of version {odd[0]}. Ask the tenant for a version 4 key")
    if any(_is_bogus_rsa(packet) for packet in keys):
        raise HeldError(
            Reason.KEY_TOO_WEAK,
            f"PGP block {number} has an RSA key that protects nothing: its modulus is even, or its exponent is even, "
            "below 3 or longer than 64 bits. Ask the tenant for a new key.",
        )


def unreadable(why: str) -> HeldError:
    """Return the error for a text that is not a readable key. `why` is a clause without a full stop."""
    return HeldError(Reason.KEY_UNREADABLE, f"The tenant's key cannot be read: {why}.")


def _fingerprint(packet: Packet) -> str:
    """Return the fingerprint of a version 4 key (RFC 9580, 5.5.4.2)."""
    framed = b"\x99" + len(packet.body).to_bytes(2) + packet.body
    return sha1(framed, usedforsecurity=False).hexdigest().upper()


def _is_key_revocation(packet: Packet) -> bool:
    return packet.tag == SIGNATURE and packet.body.startswith(_KEY_REVOCATION)


def _is_bogus_rsa(packet: Packet) -> bool:
    """Return whether an RSA key protects nothing. gpg seals to such keys: exponent 1 leaves the session key readable.

    The body has version, time and algorithm, then modulus and exponent, each after its length in bits (RFC 9580, 5.5.2
    and 5.5.5.1).
    """
    if packet.tag not in (PUBLIC_KEY, PUBLIC_SUBKEY) or packet.body[5:6] not in _RSA_OCTETS:
        return False
    modulus, rest = _number(packet.body[6:])
    exponent, _ = _number(rest)
    return not (modulus % 2 and exponent % 2 and 3 <= exponent < 2**64)


def _number(data: bytes) -> tuple[int, bytes]:
    end = 2 + (int.from_bytes(data[:2]) + 7) // 8
    return int.from_bytes(data[2:end]), data[end:]
