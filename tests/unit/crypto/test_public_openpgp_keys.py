"""OpenPGP keys from public sources, with the verdict on which gpg (after an import), sq and rnp agree.

What counts is which keys open the message: its PKESK packets name them (RFC 9580, 5.1).
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from callseal.core.errors import HeldError, Reason
from callseal.crypto.envelopes import openpgp
from callseal.crypto.openpgp_packets import PKESK, head_packets
from callseal.crypto.recipients import OpenPgpRecipients
from tests.security.abuse.forged_signatures import RING_TRUST, USER_ID, joined, parts
from tests.support.keys import gpg
from tests.support.openpgp_keys import Key, home
from tests.unit.crypto.verdicts import armour, dearmour, judged, sealer
from tests.vectors.cases import CASES

LABEL = "PGP PUBLIC KEY BLOCK"
OPENED_BY = {
    "pgp-old-and-new-export/c2_both.asc": ["B8CB47C7AD0092D8"],
    "pgp-revocation-certificate-beside/c3.asc": ["06BD19E9058AAF9F"],
    "pgp-revocation-certificate-beside/c3_two_blocks.asc": Reason.KEY_REVOKED,
    "pgp-subkey-expired-primary-encrypts/c1_sce_expired_sub.asc": ["A3ABA138D3674DFA"],
    "pgp-marker-packet-first/marker.asc": ["BB15A7C43F1BBF1E"],
    "pgp-new-subkey-counts-as-proven/rot_old.asc": ["1E697EA390CD54C7"],
    "pgp-new-subkey-counts-as-proven/rot_new.asc": ["54E8740661ACD292"],
}


def opened_by(text: str) -> list[str] | Reason:
    found = judged(text)
    if isinstance(found, HeldError):
        return found.reason
    assert isinstance(found, OpenPgpRecipients)
    sealed = bytearray()
    openpgp.seal(BytesIO(b"call"), 4, found, sealer(), sealed.extend)
    return [packet.body[1:9].hex().upper() for packet in head_packets(bytes(sealed)) if packet.tag == PKESK]


def read(name: str) -> str:
    return (Path(CASES) / name).read_text()


@pytest.mark.parametrize("name", OPENED_BY)
def test_verdict_equals_that_of_an_import(name: str) -> None:
    assert opened_by(read(name)) == OPENED_BY[name]


def test_order_of_an_old_and_a_new_export_does_not_matter() -> None:
    both = read("pgp-old-and-new-export/c2_both.asc")
    blocks = [f"-----BEGIN {part}" for part in both.split("-----BEGIN ")[1:]]
    expected = OPENED_BY["pgp-old-and-new-export/c2_both.asc"]
    for text in ("".join(blocks), "".join(reversed(blocks)), "".join(blocks * 3)):
        assert opened_by(text) == expected
    together = b"".join(joined(parts(data)) for data in map(_data, blocks))
    assert opened_by(armour(LABEL, together)) == expected, "in one block"


def test_revocation_certificate_counts_at_any_position() -> None:
    key, other = Key(days=-3).add(days=-3), Key(days=-3).add(days=-3)
    clean = parts(key.data)
    revocation = next(part for part in parts(key.revoke().data) if part[0] == 2 and part[1][1] == 0x20)
    for at in range(len(clean) + 1):
        assert opened_by(armour(LABEL, joined([*clean[:at], revocation, *clean[at:]]))) is Reason.KEY_REVOKED, at
    alone = armour(LABEL, joined([revocation]))
    for text in (alone + armour(LABEL, joined(clean)), armour(LABEL, joined(clean)) + other.text + alone):
        assert opened_by(text) is Reason.KEY_REVOKED
    # It has no effect on another key, and alone it is not a key.
    assert opened_by(other.text + alone) == opened_by(other.text)
    assert opened_by(alone) is Reason.KEY_UNREADABLE


def test_subkeys_revocation_behind_another_subkey_counts() -> None:
    key = Key(days=-3).add(days=-3).add(days=-2)
    old = opened_by(key.text)
    some = parts(key.revoke_subkey(2).data)
    revocation = next(part for part in some if part[0] == 2 and part[1][1] == 0x28)
    misplaced = [part for part in some if part is not revocation]
    place = next(at for at, (tag, _) in enumerate(misplaced) if tag == USER_ID)
    for at in (place, len(misplaced)):
        found = opened_by(armour(LABEL, joined([*misplaced[:at], revocation, *misplaced[at:]])))
        assert isinstance(found, list)
        assert found != old


def test_text_passed_to_gpg_has_only_packets_of_keys() -> None:
    text = read("pgp-old-and-new-export/c2_both.asc")
    found = judged(text)
    assert isinstance(found, OpenPgpRecipients)
    assert {tag for tag, _ in parts(found.keyring)} <= {2, 6, 13, 14, 17} - {RING_TRUST}


def test_user_id_with_a_next_line_character_does_not_split_gpgs_listing() -> None:
    """U+0085 is `C2 85` in UTF-8. The text after it would be read as a separate record."""
    for name in ("fpr", "pub", "sec", "sub"):
        key = named(f"evil <evil@example.invalid>\u0085{name}")
        found = opened_by(key.text)
        assert isinstance(found, list), f"{name}: {found}"
        assert len(found) == 1


def named(user_id: str) -> Key:
    key = Key()
    gpg(home(), "--quick-add-uid", key.fingerprint, user_id)
    return key.add()


def _data(block: str) -> bytes:
    return dearmour(block)


class SealsToAnother:
    """A gpg that seals to another key than requested."""

    def __init__(self, other: OpenPgpRecipients) -> None:
        self._other = other

    def seal(self, source: Any, size: int, keyring: bytes, fingerprints: Any, sink: Any) -> None:
        sealer().seal(source, size, self._other.keyring, [self._other.members[0].encrypts_with], sink)


def test_message_to_other_keys_than_asked_for_never_reaches_the_sink() -> None:
    asked, other = judged(Key().add().text), judged(Key().add().text)
    assert isinstance(asked, OpenPgpRecipients)
    assert isinstance(other, OpenPgpRecipients)
    sealed = bytearray()
    with pytest.raises(openpgp.WrongRecipientsError):
        openpgp.seal(BytesIO(b"call"), 4, asked, SealsToAnother(other), sealed.extend)  # type: ignore[arg-type]
    assert sealed == b""
