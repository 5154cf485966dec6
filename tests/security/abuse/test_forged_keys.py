"""Genuine OpenPGP keys with forged parts: recordings are sealed to the owner's own subkey, or held.

What counts is which keys can open the message: its PKESK packets name them (RFC 9580, 5.1).
"""

from __future__ import annotations

import time
from functools import cache
from io import BytesIO

import pytest

from callseal.core.errors import HeldError, Reason
from callseal.crypto.envelopes import openpgp
from callseal.crypto.openpgp_packets import PKESK, packets
from callseal.crypto.recipients import OpenPgpRecipients
from tests.security.abuse import forged_signatures as forge
from tests.security.abuse import openpgp_forge
from tests.security.abuse.forged_signatures import FRAMES, Frame, octets_for
from tests.support.keys import gpg
from tests.support.openpgp_keys import Key, home
from tests.unit.crypto.verdicts import armour, judged, sealer

LABEL = "PGP PUBLIC KEY BLOCK"
EACH_FRAME = pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)


@cache
def owner() -> Key:
    return Key(days=-3).add(days=-3)


@cache
def expired() -> Key:
    return Key(expires="30d", days=-100).add(expires="0", days=-100)


@cache
def stranger() -> Key:
    return Key(days=-2).add(days=-2)


def subkey_ids(key: Key) -> list[str]:
    """Return the ids of a key's own subkeys, as gpg lists them."""
    listing = gpg(home(), "--with-colons", "--list-keys", key.fingerprint).decode()
    return [line.split(":")[4] for line in listing.splitlines() if line.startswith("sub:")]


def subkey(key: Key) -> bytes:
    """Return the body of a key's subkey packet."""
    return next(body for tag, body in forge.parts(key.data) if tag == forge.PUBLIC_SUBKEY)


def opened_by(data: bytes) -> list[str] | Reason:
    """Seal to a key, and return the ids that the message's PKESK packets name, or the reason if it is held."""
    found = judged(armour(LABEL, data))
    if isinstance(found, HeldError):
        return found.reason
    assert isinstance(found, OpenPgpRecipients)
    sealed = bytearray()
    openpgp.seal(BytesIO(b"call"), 4, found, sealer(), sealed.extend)
    return [packet.body[1:9].hex().upper() for packet in packets(bytes(sealed)) if packet.tag == PKESK]


def behind(data: bytes, tag: int, inserted: bytes, frame: Frame) -> bytes:
    """Insert bytes after the first packet of a type."""
    some, done = b"", False
    for each, body in forge.parts(data):
        some += frame(each, body)
        if each == tag and not done:
            some, done = some + inserted, True
    return some


def forgeries(kind: int, key: Key, octets: range, frame: Frame, flags: int | None = None) -> bytes:
    """Forge a signature by a key for each of some trust octets, followed by that octet's trust packet."""
    now = int(time.time())
    return b"".join(
        frame(2, forge.signature_body(kind, key.fingerprint, now - 300 + octet, flags)) + forge.trusted(frame, octet)
        for octet in octets
    )


@EACH_FRAME
def test_foreign_subkey_with_a_forged_binding_is_never_sealed_to(frame: Frame) -> None:
    now, own = int(time.time()), forge.joined(forge.parts(owner().data), frame)
    for octets in octets_for(frame):
        tail = b"".join(
            frame(forge.PUBLIC_SUBKEY, forge.made_at(subkey(stranger()), now - 1000 + octet))
            + frame(2, forge.signature_body(forge.BINDING, owner().fingerprint, now - 700, forge.ENCRYPTS))
            + forge.trusted(frame, octet)
            for octet in octets
        )
        assert opened_by(own + tail) == subkey_ids(owner())


@EACH_FRAME
@pytest.mark.parametrize("first", [1, 3, 6, 255])
def test_first_octet_of_a_trust_packet_proves_nothing(frame: Frame, first: int) -> None:
    now = int(time.time())
    tail = b"".join(
        frame(forge.PUBLIC_SUBKEY, forge.made_at(subkey(stranger()), now - 1000 + octet))
        + frame(2, forge.signature_body(forge.BINDING, owner().fingerprint, now - 700, forge.ENCRYPTS))
        + forge.trusted(frame, octet, first)
        for octet in (0, 1, 2, 3, 7)
    )
    assert opened_by(forge.joined(forge.parts(owner().data), frame) + tail) == subkey_ids(owner())


@EACH_FRAME
def test_foreign_subkey_moved_with_its_genuine_binding_is_never_sealed_to(frame: Frame) -> None:
    """The binding verifies under the stranger's primary key. Its issuer, which no signature covers, is the owner."""
    now = int(time.time()) - 1000
    body = openpgp_forge.rsa_body(openpgp_forge.modulus(1), created=now)
    (_, genuine), (_, binding) = forge.parts(openpgp_forge.bound(body, openpgp_forge.primary_body(), now))
    moved = forge.with_issuer(binding, owner().fingerprint)
    for octet in (1, 2, 3, 7):
        tail = frame(forge.PUBLIC_SUBKEY, genuine) + frame(2, moved) + forge.trusted(frame, octet)
        assert opened_by(forge.joined(forge.parts(owner().data), frame) + tail) == subkey_ids(owner())


@EACH_FRAME
def test_foreign_key_under_the_owners_primary_is_never_sealed_to(frame: Frame) -> None:
    """The stranger's whole key, its primary key changed to a subkey, with a trust packet after each signature."""
    tail = b""
    for tag, body in forge.parts(stranger().data):
        tail += frame(forge.PUBLIC_SUBKEY if tag == forge.PUBLIC_KEY else tag, body)
        tail += forge.trusted(frame, 3) if tag == forge.SIGNATURE else b""
    assert opened_by(forge.joined(forge.parts(owner().data), frame) + tail) == subkey_ids(owner())


@EACH_FRAME
def test_forged_certification_does_not_extend_an_expired_key(frame: Frame) -> None:
    assert opened_by(expired().data) is Reason.KEY_EXPIRED
    for octets in octets_for(frame):
        forged = forgeries(forge.CERTIFICATION, expired(), octets, frame, forge.EVERYTHING)
        assert opened_by(behind(expired().data, forge.USER_ID, forged, frame)) is Reason.KEY_EXPIRED


@EACH_FRAME
def test_forged_direct_key_signature_does_not_extend_an_expired_key(frame: Frame) -> None:
    for octets in octets_for(frame):
        forged = forgeries(forge.DIRECT_KEY, expired(), octets, frame, forge.EVERYTHING)
        assert opened_by(behind(expired().data, forge.PUBLIC_KEY, forged, frame)) is Reason.KEY_EXPIRED


@EACH_FRAME
@pytest.mark.parametrize("kind", [forge.CERTIFICATION, forge.DIRECT_KEY])
def test_key_for_signatures_is_not_made_to_encrypt(frame: Frame, kind: int) -> None:
    """RSA could encrypt. Only the owner's signature states that this key is for signatures alone."""
    key, place = rsa_signer(), forge.USER_ID if kind == forge.CERTIFICATION else forge.PUBLIC_KEY
    for octets in octets_for(frame):
        forged = forgeries(kind, key, octets, frame, forge.EVERYTHING)
        assert opened_by(behind(key.data, place, forged, frame)) is Reason.KEY_NOT_FOR_ENCRYPTION


@cache
def rsa_signer() -> Key:
    return Key("rsa2048", "sign", days=-3)


@EACH_FRAME
@pytest.mark.parametrize("kind", [forge.KEY_REVOCATION, forge.SUBKEY_REVOCATION])
def test_forged_revocation_revokes_nothing(frame: Frame, kind: int) -> None:
    place = forge.PUBLIC_KEY if kind == forge.KEY_REVOCATION else forge.PUBLIC_SUBKEY
    for octets in octets_for(frame):
        forged = forgeries(kind, owner(), octets, frame)
        assert opened_by(behind(owner().data, place, forged, frame)) == subkey_ids(owner())


@EACH_FRAME
@pytest.mark.parametrize("of", ["key", "subkey"])
def test_trust_packet_does_not_undo_a_genuine_revocation(frame: Frame, of: str) -> None:
    key = Key(days=-3).add(days=-3)
    key = key.revoke() if of == "key" else key.revoke_subkey(1)
    for octet in (*range(16), 0x80, 0xFF):
        trusting = b""
        for tag, body in forge.parts(key.data):
            revokes = tag == 2 and body[1] in (forge.KEY_REVOCATION, forge.SUBKEY_REVOCATION)
            trusting += frame(tag, body) + (forge.trusted(frame, octet) if revokes else b"")
        assert opened_by(trusting) is Reason.KEY_REVOKED


@EACH_FRAME
@pytest.mark.parametrize("foreign", [8, 10, 11, 12, 18, 60, 61, 62, 63])
def test_foreign_packet_before_a_binding_changes_nothing(frame: Frame, foreign: int) -> None:
    """Both after the owner's own subkey and after a stranger's, which is never used."""
    # An old header has four bits for the type.
    now, odd = int(time.time()), (frame if foreign < 16 else forge.new_frame)(foreign, b"PGP" + bytes(20))
    own = behind(owner().data, forge.PUBLIC_SUBKEY, odd, frame)
    forged = frame(2, forge.signature_body(forge.BINDING, owner().fingerprint, now - 700, forge.ENCRYPTS))
    foreign_subkey = frame(forge.PUBLIC_SUBKEY, forge.made_at(subkey(stranger()), now - 1000))
    for octet in (1, 3, 7):
        assert opened_by(own + foreign_subkey + odd + forged + forge.trusted(frame, octet)) == subkey_ids(owner())


def test_gpg_itself_accepts_the_forgery(tmp_path: object) -> None:
    """With the same bytes as a keyring file, gpg seals to the stranger. Otherwise the tests above could not fail."""
    now = int(time.time())
    foreign = forge.made_at(subkey(stranger()), now - 1000)
    data = owner().data + forge.old_frame(forge.PUBLIC_SUBKEY, foreign)
    data += forge.old_frame(2, forge.signature_body(forge.BINDING, owner().fingerprint, now - 700, forge.ENCRYPTS))
    data += forge.trusted(forge.old_frame, 3)
    ring = home() / "forged.gpg"
    ring.write_bytes(data)
    sealed = gpg(home(), "--no-default-keyring", "--keyring", str(ring), "--trust-model", "always",
                 "--encrypt", "--recipient", owner().fingerprint, data=b"call")  # fmt: skip
    ids = [packet.body[1:9].hex().upper() for packet in packets(sealed) if packet.tag == PKESK]
    assert ids != subkey_ids(owner())
