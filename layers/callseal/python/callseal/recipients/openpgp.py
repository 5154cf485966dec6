"""Judging OpenPGP keys: could gpg seal to this key, now? Decided on gpg's own listing, and tried once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

from callseal.envelopes import openpgp as envelope
from callseal.errors import HeldError, Reason, TransientError
from callseal.openpgp_packets import PUBLIC_KEY, PUBLIC_SUBKEY, SECRET_KEY, SECRET_SUBKEY, Packet, packets
from callseal.recipients import algorithms
from callseal.recipients.blocks import Block, decode_armour, private_key
from callseal.recipients.model import MAX_RECIPIENTS, OpenPgpRecipients, Recipient

if TYPE_CHECKING:
    from callseal.gpg import Gpg

MIN_BITS = 2048
# Public-key algorithms (RFC 9580, 9.1) whose strength is their length in bits; the others are curves.
RSA, RSA_ENCRYPT_ONLY, RSA_SIGN_ONLY, ELGAMAL = 1, 2, 3, 16
_RSA_OCTETS = {bytes([RSA]), bytes([RSA_ENCRYPT_ONLY]), bytes([RSA_SIGN_ONLY])}
_SIZED = {RSA, RSA_ENCRYPT_ONLY, RSA_SIGN_ONLY, ELGAMAL}


def judge(blocks: Iterable[Block], now: datetime, gpg: Gpg) -> OpenPgpRecipients:
    """Judge armoured keys; raises HeldError with the first reason in order, of whichever key it is."""
    keyring, primaries = _load_all(blocks)
    if primaries > MAX_RECIPIENTS:
        raise _unreadable(
            f"it has {primaries} keys, and a file is sealed to {MAX_RECIPIENTS} recipients at most. Ask the tenant "
            "whose they must be"
        )
    listing = gpg.list_keys(keyring)
    if len(listing) != primaries:
        raise _unreadable(f"gpg reads only {len(listing)} of its {primaries} keys. Ask the tenant to export them again")
    members, refusals = {}, []
    for key in listing:
        try:
            members[key["fingerprint"]] = _recipient(key, now)
        except HeldError as refusal:
            refusals.append(refusal)
    if refusals:
        raise min(refusals, key=lambda refusal: refusal.reason.rank)
    recipients = OpenPgpRecipients(tuple(members.values()), keyring)
    _check_sealing(recipients, gpg)
    return recipients


def inspect(block: Block, gpg: Gpg) -> Iterator[Recipient]:
    """Tell what the keys of a block are, good or bad, by their newest part that encrypts."""
    try:
        keyring, _ = _load(block, 1)
    except HeldError:
        return
    for key in gpg.list_keys(keyring):
        parts = [sub for sub in key.get("subkey_info", {}).values() if "e" in sub["cap"].lower()] or [key]
        part = max(parts, key=lambda sub: int(sub["date"]))
        ends = [_time(one["expires"]) for one in (key, part) if one["expires"]]
        algorithm = algorithms.of_openpgp(int(part["algo"]), part["curve"])
        yield Recipient(
            key["fingerprint"],
            "openpgp",
            min(ends, default=None),
            algorithm=algorithm,
            strength=int(part["length"]),
        )


def _unreadable(why: str) -> HeldError:
    return HeldError(Reason.KEY_UNREADABLE, f"The tenant's key cannot be read: {why}.")


def _load_all(blocks: Iterable[Block]) -> tuple[bytes, int]:
    """Decode all blocks to one keyring, and count the primary keys in it."""
    keyring, primaries, refusals = b"", 0, []
    for number, block in enumerate(blocks, start=1):
        try:
            data, count = _load(block, number)
            keyring, primaries = keyring + data, primaries + count
        except HeldError as refusal:
            refusals.append(refusal)
    if refusals:
        raise min(refusals, key=lambda refusal: refusal.reason.rank)
    return keyring, primaries


def _load(block: Block, number: int) -> tuple[bytes, int]:
    """Decode one block, and count the primary keys in it."""
    try:
        data = decode_armour(block.body)
        found = list(packets(data))
    except ValueError as exc:
        raise _unreadable(
            f"PGP block {number} is damaged ({exc}). Ask the tenant for it again (gpg --armor --export), and paste all"
        ) from exc
    if any(packet.tag in (SECRET_KEY, SECRET_SUBKEY) for packet in found):
        raise private_key()
    versions = [packet.body[0] if packet.body else 0 for packet in found if packet.tag == PUBLIC_KEY]
    if not versions or found[0].tag != PUBLIC_KEY:
        raise _unreadable(f"PGP block {number} holds no public key. Ask for it again (gpg --armor --export)")
    if odd := [version for version in versions if version != 4]:
        raise _unreadable(f"PGP block {number} has a key of version {odd[0]}. Ask the tenant for a version 4 key")
    if any(_is_bogus_rsa(packet) for packet in found):
        raise HeldError(
            Reason.KEY_TOO_WEAK,
            f"PGP block {number} has an RSA key that protects nothing: its modulus is even, or its exponent is not an "
            "odd number from 3 on, of 64 bits at most. Ask the tenant for a new key.",
        )
    return data, len(versions)


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


def _recipient(key: dict[str, Any], now: datetime) -> Recipient:
    fingerprint = key["fingerprint"]
    _check_primary(key, now, fingerprint)
    # gpg seals to the newest subkey that is good; the primary key itself where it can encrypt and no subkey can.
    subkeys = [sub for sub in key.get("subkey_info", {}).values() if "e" in sub["cap"]]
    candidates = subkeys or ([key] if "e" in key["cap"] else [])
    if not candidates:
        raise _refuse(
            Reason.KEY_NOT_FOR_ENCRYPTION, fingerprint, "has no subkey for encryption. Ask the tenant to add one"
        )
    usable = [sub for sub in candidates if sub["trust"] not in _BAD and not _over(sub, now) and not _early(sub, now)]
    if not usable:
        raise _refuse(*_why_none(candidates, now, fingerprint))
    chosen = max(usable, key=lambda sub: int(sub["date"]))
    _check_strength(chosen, fingerprint)
    ends = [_time(part["expires"]) for part in (key, chosen) if part["expires"]]
    algorithm = algorithms.of_openpgp(int(chosen["algo"]), chosen["curve"])
    return Recipient(
        fingerprint, "openpgp", min(ends, default=None), algorithm=algorithm, strength=int(chosen["length"])
    )


# gpg's validity letters: invalid, disabled, revoked, expired.
_BAD = {"i", "d", "r", "e"}


def _refuse(reason: Reason, fingerprint: str, why: str) -> HeldError:
    return HeldError(reason, f"OpenPGP key {fingerprint} {why}.", fingerprint)


def _check_primary(key: dict[str, Any], now: datetime, fingerprint: str) -> None:
    if key["trust"] == "r":
        raise _refuse(Reason.KEY_REVOKED, fingerprint, "is revoked. Ask the tenant for its successor")
    # A key made in the future is signed in the future, which gpg takes for a bad signature.
    if key["trust"] == "i" and not _early(key, now):
        raise _refuse(Reason.KEY_UNREADABLE, fingerprint, "has no valid self-signature. Ask for a new export")
    if _over(key, now):
        raise _refuse(Reason.KEY_EXPIRED, fingerprint, "has run out. Ask for its prolongation or its successor")
    if _early(key, now):
        raise _refuse(*_not_yet(key, fingerprint))


def _why_none(candidates: list[dict[str, Any]], now: datetime, fingerprint: str) -> tuple[Reason, str, str]:
    if any(sub["trust"] == "r" for sub in candidates):
        return Reason.KEY_REVOKED, fingerprint, "has no encryption subkey left that is not revoked. Ask for a new one"
    if any(_over(sub, now) for sub in candidates):
        return Reason.KEY_EXPIRED, fingerprint, "has no encryption subkey left that has not run out. Ask for a new one"
    early = [sub for sub in candidates if _early(sub, now)]
    if early:
        return _not_yet(min(early, key=lambda sub: int(sub["date"])), fingerprint)
    return Reason.KEY_NOT_FOR_ENCRYPTION, fingerprint, "has no encryption subkey that gpg accepts. Ask for a new one"


def _not_yet(part: dict[str, Any], fingerprint: str) -> tuple[Reason, str, str]:
    when = _time(part["date"])
    return Reason.KEY_NOT_YET_VALID, fingerprint, f"is valid only from {when:%Y-%m-%d %H:%M} UTC. Wait until then"


def _check_strength(part: dict[str, Any], fingerprint: str) -> None:
    if int(part["algo"]) in _SIZED and int(part["length"]) < MIN_BITS:
        raise _refuse(
            Reason.KEY_TOO_WEAK,
            fingerprint,
            f"encrypts with {part['length']} bits, too weak. Ask the tenant for {MIN_BITS} bits or more",
        )


def _check_sealing(recipients: OpenPgpRecipients, gpg: Gpg) -> None:
    """Seal nothing to them once: what gpg refuses later would be retried for ever."""
    try:
        envelope.seal(BytesIO(), 0, recipients, gpg, lambda _: None)
    except TransientError as exc:
        names = ", ".join(member.fingerprint for member in recipients.members)
        raise HeldError(
            Reason.KEY_NOT_FOR_ENCRYPTION,
            f"gpg cannot seal to the OpenPGP key {names}. Ask the tenant for a key with an RSA or ECDH subkey.",
        ) from exc


def _time(field: str) -> datetime:
    return datetime.fromtimestamp(int(field), UTC)


def _over(part: dict[str, Any], now: datetime) -> bool:
    return part["trust"] == "e" or (bool(part["expires"]) and _time(part["expires"]) <= now)


def _early(part: dict[str, Any], now: datetime) -> bool:
    return _time(part["date"]) > now
