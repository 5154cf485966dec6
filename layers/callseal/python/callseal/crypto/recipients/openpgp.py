"""Verdicts on OpenPGP keys: they follow gpg's listing of the imported keys, and one trial of sealing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING

from callseal.core.errors import HeldError, Reason, TransientError
from callseal.core.recipient import MAX_RECIPIENTS, OpenPgpKeys, OpenPgpRecipients, Recipient
from callseal.crypto.envelopes import openpgp as envelope
from callseal.crypto.openpgp_packets import packets
from callseal.crypto.recipients import algorithms
from callseal.crypto.recipients.blocks import Block
from callseal.crypto.recipients.openpgp_blocks import (
    DSA,
    ELGAMAL,
    KEY_PACKETS,
    RSA,
    RSA_ENCRYPT_ONLY,
    RSA_SIGN_ONLY,
    joined,
    read_keys,
    unreadable,
)

if TYPE_CHECKING:
    from callseal.crypto.gpg import Gpg
    from callseal.crypto.gpg_listing import ListedKey, ListedPart

MIN_BITS = 2048
# Public-key algorithms (RFC 9580, 9.1) whose strength is their length in bits. The others are curves.
_SIZED = {RSA, RSA_ENCRYPT_ONLY, RSA_SIGN_ONLY, ELGAMAL, DSA}
# gpg's validity letters: invalid, disabled, revoked, expired.
_BAD = {"i", "d", "r", "e"}


def judge(blocks: Iterable[Block], now: datetime, gpg: Gpg) -> OpenPgpRecipients:
    """Return the recipients in armoured blocks. Raises HeldError with the first reason in order, of any key."""
    sent = read_keys(blocks)
    if len(sent.primaries) > MAX_RECIPIENTS:
        raise unreadable(
            f"it has {len(sent.primaries)} keys, and a file is sealed to {MAX_RECIPIENTS} recipients at most. Ask the "
            "tenant which keys to use"
        )
    keys = _listed(sent, gpg)
    members, refusals = list[Recipient](), list[HeldError]()
    for primary in sent.primaries:
        try:
            members.append(_recipient(_imported(primary, keys), now))
        except HeldError as refusal:
            refusals.append(refusal)
    if refusals:
        raise min(refusals, key=lambda refusal: refusal.reason.rank)
    return _sealable(members, sent, sent, gpg)


def judge_after(earlier: OpenPgpRecipients, newest: OpenPgpRecipients, now: datetime, gpg: Gpg) -> OpenPgpRecipients:
    """Return the recipients of an earlier text, judged by a newer text as well, with a keyring of both texts.

    Each key keeps the part that encrypted before. Raises HeldError if either text revokes it, or ends its validity.
    """
    both = joined([earlier.sent, newest.sent])
    keys = _listed(both, gpg)
    for member in earlier.members:
        key = _imported(member.fingerprint, keys)
        _check_primary(key, now)
        _check_usable([part for part in key.parts if part.fingerprint == member.encrypts_with], key, now)
    return _sealable(earlier.members, earlier.sent, both, gpg)


def inspect(block: Block, gpg: Gpg) -> Iterator[Recipient]:
    """Yield the keys of a block, good or bad, each with its newest subkey that may encrypt, else its primary."""
    try:
        sent = read_keys([block])
    except HeldError:
        return
    keys = _listed(sent, gpg)
    for primary in sent.primaries:
        if key := keys.get(primary):
            yield _as_recipient(key, max(_encrypting(key) or [key.primary], key=lambda part: part.created))
        else:
            yield Recipient(primary, "openpgp", None)


def _listed(sent: OpenPgpKeys, gpg: Gpg) -> dict[str, ListedKey]:
    """Return gpg's listing of the keys that it imported, by their fingerprints."""
    from callseal.crypto.gpg_keys import KeysTooSlowError

    try:
        return {key.fingerprint: key for key in gpg.keys.list(gpg.keys.imported(sent.keys, sent.revocations))}
    except KeysTooSlowError as exc:
        raise unreadable(f"{exc} Ask the tenant for a smaller export (gpg --export-options export-minimal)") from exc


def _sealable(members: Sequence[Recipient], sent: OpenPgpKeys, ring: OpenPgpKeys, gpg: Gpg) -> OpenPgpRecipients:
    """Return recipients with their keyring.

    An empty message is sealed as a trial, because a refusal by gpg at delivery would be retried without end.
    """
    keyring = gpg.keys.export(gpg.keys.imported(ring.keys, ring.revocations))
    if odd := {packet.tag for packet in packets(keyring)} - KEY_PACKETS:
        raise RuntimeError(f"gpg exported packets of the types {odd}, which do not belong to a public key.")
    recipients = OpenPgpRecipients(tuple(members), keyring, sent)
    try:
        envelope.seal(BytesIO(), 0, recipients, gpg, lambda _: None)
    except TransientError as exc:
        names = ", ".join(member.fingerprint for member in members)
        raise HeldError(
            Reason.KEY_NOT_FOR_ENCRYPTION,
            f"gpg cannot seal to the OpenPGP key {names}. Ask the tenant for a key with an RSA or ECDH subkey.",
        ) from exc
    return recipients


def _imported(primary: str, keys: dict[str, ListedKey]) -> ListedKey:
    if primary not in keys:
        raise _refuse(
            Reason.KEY_UNREADABLE,
            primary,
            "has no valid self-signature, so gpg does not import it. Ask the tenant to export it again",
        )
    return keys[primary]


def _recipient(key: ListedKey, now: datetime) -> Recipient:
    """Return the recipient: with the newest usable subkey, or else the primary if it may encrypt, as gpg chooses."""
    _check_primary(key, now)
    _check_strength(key.primary, key.fingerprint, "has a primary key")
    subkeys = _encrypting(key)
    own = [key.primary] if key.primary.may_encrypt else []
    usable = _usable(subkeys, now) or _usable(own, now)
    chosen = max(usable or _check_usable(subkeys or own, key, now), key=lambda part: part.created)
    _check_strength(chosen, key.fingerprint, "encrypts")
    return _as_recipient(key, chosen)


def _as_recipient(key: ListedKey, part: ListedPart) -> Recipient:
    ends = [listed.expires for listed in (key.primary, part) if listed.expires]
    return Recipient(
        key.fingerprint,
        "openpgp",
        min(ends, default=None),
        algorithm=algorithms.of_openpgp(part.algorithm, part.curve),
        strength=part.length,
        subkey=part.fingerprint,
        revoked_subkeys=tuple(subkey.fingerprint for subkey in key.subkeys if subkey.is_revoked),
    )


def _encrypting(key: ListedKey) -> list[ListedPart]:
    return [part for part in key.subkeys if part.may_encrypt]


def _usable(parts: Iterable[ListedPart], now: datetime) -> list[ListedPart]:
    return [part for part in parts if part.validity not in _BAD and not part.is_over(now) and not part.is_early(now)]


def _refuse(reason: Reason, fingerprint: str, why: str) -> HeldError:
    return HeldError(reason, f"OpenPGP key {fingerprint} {why}.", fingerprint)


def _check_primary(key: ListedKey, now: datetime) -> None:
    primary = key.primary
    if primary.is_revoked:
        raise _refuse(Reason.KEY_REVOKED, key.fingerprint, "is revoked. Ask the tenant for a new key")
    # A key made in the future has a signature of the future, which gpg lists as a bad one.
    if primary.validity == "i" and not primary.is_early(now):
        raise _refuse(
            Reason.KEY_UNREADABLE, key.fingerprint, "has no valid self-signature. Ask the tenant to export it again"
        )
    if primary.is_over(now):
        raise _refuse(
            Reason.KEY_EXPIRED,
            key.fingerprint,
            "has expired. Ask the tenant to extend it and export it again, or to send a new key",
        )
    if primary.is_early(now):
        raise _not_yet(primary, key)


def _check_usable(candidates: Sequence[ListedPart], key: ListedKey, now: datetime) -> list[ListedPart]:
    """Return the usable candidates. Raises HeldError with the reason if there is none."""
    if usable := _usable(candidates, now):
        return usable
    if not candidates:
        raise _refuse(
            Reason.KEY_NOT_FOR_ENCRYPTION, key.fingerprint, "has no subkey for encryption. Ask the tenant to add one"
        )
    if any(part.is_revoked for part in candidates):
        why = "has no encryption subkey left that is not revoked. Ask the tenant for a new one"
        raise _refuse(Reason.KEY_REVOKED, key.fingerprint, why)
    if any(part.is_over(now) for part in candidates):
        why = "has no encryption subkey left that has not expired. Ask the tenant for a new one"
        raise _refuse(Reason.KEY_EXPIRED, key.fingerprint, why)
    if early := [part for part in candidates if part.is_early(now)]:
        raise _not_yet(min(early, key=lambda part: part.created), key)
    why = "has no encryption subkey that gpg accepts. Ask the tenant for a new one"
    raise _refuse(Reason.KEY_NOT_FOR_ENCRYPTION, key.fingerprint, why)


def _not_yet(part: ListedPart, key: ListedKey) -> HeldError:
    why = f"is valid only from {part.created:%Y-%m-%d %H:%M} UTC. Wait until then"
    return _refuse(Reason.KEY_NOT_YET_VALID, key.fingerprint, why)


def _check_strength(part: ListedPart, fingerprint: str, what: str) -> None:
    if part.algorithm in _SIZED and part.length < MIN_BITS:
        why = f"{what} with {part.length} bits, too weak. Ask the tenant for {MIN_BITS} bits or more"
        raise _refuse(Reason.KEY_TOO_WEAK, fingerprint, why)
