"""What an OpenPGP text holds, packet by packet, before gpg sees any of it: public keys of version 4, and nothing else.

Ring trust packets (tag 12) are dropped with all other packets that belong to no key: gpg would believe them.
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
    """Return what armoured blocks hold; raises HeldError with the first reason in order, of whichever block it is."""
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
        raise unreadable("it is a revocation certificate without its key. Ask the tenant for the key that replaces it")
    return together


def joined(several: Sequence[OpenPgpKeys]) -> OpenPgpKeys:
    """Return what several texts hold, in their order."""
    return OpenPgpKeys(
        b"".join(one.keys for one in several),
        b"".join(one.revocations for one in several),
        tuple(dict.fromkeys(primary for one in several for primary in one.primaries)),
    )


def _read(block: Block, number: int) -> OpenPgpKeys:
    """Return what one block holds: keys with what follows each, or revocation certificates alone."""
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
        raise unreadable(f"PGP block {number} holds no public key. Ask for it again (gpg --armor --export)")
    _check_keys(keys, number)
    # A certificate counts wherever it is: gpg also gets each by itself, as a file of its own would have it.
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
            f"PGP block {number} has an RSA key that protects nothing: its modulus is even, or its exponent is not an "
            "odd number from 3 on, of 64 bits at most. Ask the tenant for a new key.",
        )


def unreadable(why: str) -> HeldError:
    """Return the refusal of a text that cannot be read as keys."""
    return HeldError(Reason.KEY_UNREADABLE, f"The tenant's key cannot be read: {why}.")


def _fingerprint(packet: Packet) -> str:
    """Return the fingerprint of a version 4 key (RFC 9580, 5.5.4.2)."""
    framed = b"\x99" + len(packet.body).to_bytes(2) + packet.body
    return sha1(framed, usedforsecurity=False).hexdigest().upper()


def _is_key_revocation(packet: Packet) -> bool:
    return packet.tag == SIGNATURE and packet.body.startswith(_KEY_REVOCATION)


def _is_bogus_rsa(packet: Packet) -> bool:
    """Find RSA that gpg would seal to all the same. By an exponent of 1 the session key is readable for everybody.

    Version, time, algorithm; then modulus and exponent, each after its length in bits (RFC 9580, 5.5.2 and 5.5.5.1).
    """
    if packet.tag not in (PUBLIC_KEY, PUBLIC_SUBKEY) or packet.body[5:6] not in _RSA_OCTETS:
        return False
    modulus, rest = _number(packet.body[6:])
    exponent, _ = _number(rest)
    return not (modulus % 2 and exponent % 2 and 3 <= exponent < 2**64)


def _number(data: bytes) -> tuple[int, bytes]:
    end = 2 + (int.from_bytes(data[:2]) + 7) // 8
    return int.from_bytes(data[2:end]), data[end:]
