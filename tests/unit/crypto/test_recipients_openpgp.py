"""Verdicts on OpenPGP keys: real keys made by gpg, intact and damaged, dated in the past, present and future."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callseal.core.errors import HeldError, Reason
from callseal.core.recipient import usable_until
from callseal.crypto.envelopes import openpgp
from callseal.crypto.recipients import OpenPgpRecipients
from tests.support.keys import gpg, run, tool
from tests.support.openpgp_keys import Key, home, packets_of
from tests.unit.crypto.verdicts import (
    armour,
    assert_held,
    dearmour,
    edited,
    edits,
    fingerprints,
    judged,
    sealer,
    verdict,
)

LABEL = "PGP PUBLIC KEY BLOCK"
PRIMARY, SUBKEY, SIGNATURE = 6, 14, 2


@cache
def good() -> Key:
    return Key().add()


def subkey_used(text: str) -> str:
    """Seal to a key, and return the subkey id that the message names."""
    recipients = verdict(text)
    assert isinstance(recipients, OpenPgpRecipients)
    sealed = bytearray()
    openpgp.seal(BytesIO(b"hello"), 5, recipients, sealer(), sealed.extend)
    assert gpg(home(), "--quiet", "--decrypt", data=bytes(sealed)) == b"hello"
    listing = gpg(home(), "--list-packets", data=bytes(sealed)).decode(errors="replace")
    return re.findall(r"keyid ([0-9A-F]{16})", listing)[0]


# Algorithms.


@pytest.mark.parametrize(
    "algorithm",
    ["cv25519", "nistp256", "nistp384", "nistp521", "brainpoolP256r1", "secp256k1", "rsa2048", "rsa3072", "elg2048"],
)
def test_a_strong_key_is_accepted_under_its_primary_fingerprint(algorithm: str) -> None:
    key = Key().add(algorithm)
    assert fingerprints(key.text) == [key.fingerprint]
    assert verdict(key.text).members[0].kind == "openpgp"


@pytest.mark.parametrize(
    ("primary", "algorithm", "told"),
    [
        ("rsa2048", "rsa3072", ("RSA", 3072)),
        ("dsa2048", "elg2048", ("ElGamal", 2048)),
        ("ed25519", "cv25519", ("Curve25519", 255)),
        ("rsa2048", "nistp521", ("EC P-521", 521)),
        ("ed25519", "brainpoolP384r1", ("EC brainpoolP384r1", 384)),
    ],
)
def test_accepted_key_has_algorithm_and_strength_of_its_encryption_key(
    primary: str, algorithm: str, told: tuple[str, int]
) -> None:
    (member,) = verdict(Key(primary).add(algorithm).text).members
    assert (member.algorithm, member.strength) == told


def test_a_dsa_key_with_elgamal_is_accepted() -> None:
    key = Key("dsa2048").add("elg2048")
    assert fingerprints(key.text) == [key.fingerprint]


def test_a_primary_key_that_encrypts_needs_no_subkey() -> None:
    key = Key("rsa2048", "sign,encr")
    assert fingerprints(key.text) == [key.fingerprint]
    assert subkey_used(key.text) == key.fingerprint[-16:]


@pytest.mark.parametrize(("algorithm", "bits"), [("rsa1024", 1024), ("elg1024", 1024)])
def test_a_short_key_is_too_weak(algorithm: str, bits: int) -> None:
    key = Key().add(algorithm)
    assert_held(key.text, Reason.KEY_TOO_WEAK, key.fingerprint, f"encrypts with {bits} bits", "2048 bits or more")


def test_strength_is_that_of_the_subkey_that_gpg_uses() -> None:
    # gpg uses the newest subkey. A strong older subkey does not help, and a weak older one does no harm. An attacker
    # who breaks a weak primary key can bind its own subkey.
    weak_last = Key(days=-3).add("rsa2048", days=-2).add("rsa1024", days=-1)
    strong_last = Key(days=-3).add("rsa1024", days=-2).add("rsa2048", days=-1)
    weak_primaries = Key("rsa1024").add("cv25519"), Key("dsa1024").add("cv25519")

    assert_held(weak_last.text, Reason.KEY_TOO_WEAK, weak_last.fingerprint)
    assert fingerprints(strong_last.text) == [strong_last.fingerprint]
    for key in weak_primaries:
        assert_held(key.text, Reason.KEY_TOO_WEAK, key.fingerprint, "primary key with 1024 bits")


def test_of_several_subkeys_the_newest_good_one_counts() -> None:
    key = Key(expires="0", days=-4).add(expires="90d", days=-3).add(expires="50d", days=-2)
    newest = re.findall(
        r"^sub:.:255:18:([0-9A-F]{16})", gpg(home(), "--with-colons", "-k", key.fingerprint).decode(), re.M
    )[1]
    assert subkey_used(key.text) == newest
    ends = usable_until(verdict(key.text))
    assert ends is not None
    assert timedelta(days=47) < ends - datetime.now(UTC) < timedelta(days=49)

    key.revoke_subkey(2)
    assert subkey_used(key.text) != newest
    ends = usable_until(verdict(key.text))
    assert ends is not None
    assert timedelta(days=86) < ends - datetime.now(UTC) < timedelta(days=88)


def test_a_key_for_signatures_is_not_for_encryption() -> None:
    for key in (Key(), Key("rsa2048", "sign"), Key().add("ed25519", "sign")):
        assert_held(key.text, Reason.KEY_NOT_FOR_ENCRYPTION, key.fingerprint, "no subkey for encryption")


# Time and revocation.


def test_key_expires_with_its_subkey_or_primary_whichever_is_first() -> None:
    now = datetime.now(UTC)
    for key, days in [
        (Key(expires="9d").add(expires="30d"), 9),
        (Key(expires="30d").add(expires="9d"), 9),
        (Key(expires="0").add(expires="9d"), 9),
        (Key(expires="9d").add(expires="0"), 9),
    ]:
        ends = usable_until(verdict(key.text))
        assert ends is not None
        assert abs(ends - now - timedelta(days=days)) < timedelta(minutes=10)
    assert usable_until(verdict(Key(expires="0").add(expires="0").text)) is None


def test_an_expired_key_is_held() -> None:
    key = Key(expires="30d", days=-100).add(days=-100)
    assert_held(key.text, Reason.KEY_EXPIRED, key.fingerprint, "has expired", "extend it")


def test_a_key_whose_subkey_alone_has_expired_is_held() -> None:
    key = Key(expires="0", days=-100).add(expires="30d", days=-100)
    assert_held(key.text, Reason.KEY_EXPIRED, key.fingerprint, "no encryption subkey left that has not expired")


def test_key_is_valid_until_it_expires_and_not_beyond() -> None:
    key = Key(expires="0").add(expires="30d")
    ends = usable_until(verdict(key.text))
    assert ends
    assert fingerprints(key.text, ends - timedelta(seconds=1)) == [key.fingerprint]
    assert_held(key.text, Reason.KEY_EXPIRED, key.fingerprint, now=ends)


def test_extended_key_is_accepted_again() -> None:
    key = Key(expires="30d", days=-100).add(expires="0", days=-100)
    assert_held(key.text, Reason.KEY_EXPIRED)
    gpg(home(), "--quick-set-expire", key.fingerprint, "9d")
    assert fingerprints(key.text) == [key.fingerprint]


def test_a_key_made_in_the_future_is_not_yet_valid() -> None:
    key = Key(days=10).add(days=10)
    day = datetime.now(UTC) + timedelta(days=10)
    assert_held(key.text, Reason.KEY_NOT_YET_VALID, key.fingerprint, f"valid only from {day:%Y-%m-%d}", "Wait")


def test_a_subkey_made_in_the_future_is_not_yet_valid() -> None:
    key = Key(expires="0").add(days=10)
    day = datetime.now(UTC) + timedelta(days=10)
    assert_held(key.text, Reason.KEY_NOT_YET_VALID, key.fingerprint, f"valid only from {day:%Y-%m-%d}", "Wait")


def test_a_revoked_key_is_held_even_when_it_has_expired_too() -> None:
    for key in (Key().add().revoke(), Key(expires="30d", days=-100).add(days=-100).revoke()):
        assert_held(key.text, Reason.KEY_REVOKED, key.fingerprint, "is revoked", "a new key")


def test_a_key_whose_subkey_is_revoked_is_held() -> None:
    key = Key().add().revoke_subkey(1)
    assert_held(key.text, Reason.KEY_REVOKED, key.fingerprint, "no encryption subkey left that is not revoked")


# Frames.


def headers(*lines: str) -> Callable[[str], str]:
    return lambda text: text.replace("BLOCK-----\n", "BLOCK-----\n" + "\n".join(lines), 1)


FRAMES: dict[str, Callable[[str], str]] = {
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "indented": lambda text: "\n".join("   \t" + line for line in text.splitlines()),
    "trailing spaces": lambda text: text.replace("\n", "  \n"),
    "blank lines": lambda text: text.replace("\n", "\n\n"),
    "BOM": lambda text: "\ufeff" + text,
    "prose around": lambda text: f"Hi -- our key: see below.\n{text}\nYours, Bob -- (+49) 151\n",
    "without checksum": lambda text: re.sub(r"\n=[A-Za-z0-9+/]{4}\n", "\n", text),
    "Version and Comment": headers("Version: GnuPG v2", "Comment: https://example.invalid/?q=a+b", ""),
    "Comment without a text": headers("Comment: ", "Version:", ""),
    "without the empty line": lambda text: text.replace("BLOCK-----\n\n", "BLOCK-----\n", 1),
    "one line": lambda text: text.replace("\n", ""),
    "wide lines": lambda text: re.sub(r"(?<=[A-Za-z0-9+/])\n(?=[A-Za-z0-9+/])", "", text),
}


@pytest.mark.parametrize("frame", FRAMES)
def test_a_key_is_read_in_any_frame(frame: str) -> None:
    assert fingerprints(FRAMES[frame](good().text)) == [good().fingerprint]


def test_key_is_accepted_with_any_owner_name() -> None:
    for name in (
        b"M\xfcller <latin@x>",
        "Ünï 录音 <utf8@x>".encode(),
        b"a:b\\x3a%00 <odd@x>",
        "line\u2028pub <sep@x>".encode(),
    ):
        run(tool("gpg"), "--homedir", home(), "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", "",
            "--allow-freeform-uid", "--quick-generate-key", name, "ed25519", "sign", "9d")  # type: ignore[arg-type]  # fmt: skip
        listing = gpg(home(), "--with-colons", "--list-keys").decode("latin-1")
        fingerprint = re.findall(r"^fpr:+([0-9A-F]+):", listing, re.MULTILINE)[-1]
        gpg(home(), "--quick-add-key", fingerprint, "cv25519", "encr", "9d")
        assert fingerprints(gpg(home(), "--armor", "--export", fingerprint).decode()) == [fingerprint]


# Several.


def test_several_keys_in_one_block_or_in_several_are_several_recipients() -> None:
    one, two = good(), Key().add()
    together = gpg(home(), "--armor", "--export", one.fingerprint, two.fingerprint).decode()
    assert sorted(fingerprints(together)) == sorted([one.fingerprint, two.fingerprint])
    assert fingerprints(one.text + "\n" + two.text) == [one.fingerprint, two.fingerprint]
    assert fingerprints(one.text + one.text) == [one.fingerprint]


def test_sixteen_keys_are_sixteen_recipients_and_seventeen_too_many() -> None:
    names = [Key().add().fingerprint for _ in range(17)]
    sixteen = gpg(home(), "--armor", "--export", *names[:16]).decode()
    assert len(fingerprints(sixteen)) == 16
    seventeen = gpg(home(), "--armor", "--export", *names).decode()
    assert_held(seventeen, Reason.KEY_UNREADABLE, "it has 17 keys", "16 recipients at most")
    assert_held("\n".join([good().text] * 17), Reason.KEY_UNREADABLE, "17 blocks", "16 recipients at most")


def test_one_bad_key_holds_all_and_is_named() -> None:
    bad = Key()
    together = gpg(home(), "--armor", "--export", good().fingerprint, bad.fingerprint).decode()
    for text in (together, good().text + bad.text, bad.text + good().text):
        sentence = assert_held(text, Reason.KEY_NOT_FOR_ENCRYPTION, bad.fingerprint)
        assert good().fingerprint not in sentence


def test_first_documented_reason_wins_in_any_order_of_blocks() -> None:
    in_order = [
        (gpg(home(), "--armor", "--export-secret-keys", good().fingerprint).decode(), Reason.KEY_IS_PRIVATE),
        (armour(LABEL, gpg(home(), "--export-secret-keys", good().fingerprint)), Reason.KEY_IS_PRIVATE),
        (armour(LABEL, good().data[:-9]), Reason.KEY_UNREADABLE),
        (Key().text, Reason.KEY_NOT_FOR_ENCRYPTION),
        (Key().add("rsa1024").text, Reason.KEY_TOO_WEAK),
        (Key().add().revoke().text, Reason.KEY_REVOKED),
        (Key(expires="30d", days=-100).add(days=-100).text, Reason.KEY_EXPIRED),
        (Key(days=10).add(days=10).text, Reason.KEY_NOT_YET_VALID),
    ]
    for place, (_, reason) in enumerate(in_order):
        texts = [text for text, _ in in_order[place:]] + [good().text]
        for blocks in (texts, texts[::-1]):
            assert_held("\n".join(blocks), reason)


# Private keys.


def test_private_key_is_rejected_explicitly_and_never_repeated() -> None:
    text = gpg(home(), "--armor", "--export-secret-keys", good().fingerprint).decode()
    assert "PRIVATE KEY BLOCK" in text
    for pasted in (text, good().text + text, text + good().text, text[:200], text.replace("\n", "\r\n")):
        assert_held(pasted, Reason.KEY_IS_PRIVATE, "PRIVATE key, which must never leave the tenant")


def test_private_key_with_a_public_label_is_detected() -> None:
    secret = gpg(home(), "--export-secret-keys", good().fingerprint)
    subkeys = gpg(home(), "--export-secret-subkeys", good().fingerprint)
    public = packets_of(good().data)
    (secret_subkey,) = [packet for tag, packet in packets_of(secret) if tag == 7]
    mixed = b"".join(packet for _, packet in public) + secret_subkey
    for data in (secret, subkeys, good().data + secret, secret + good().data, mixed):
        assert_held(armour(LABEL, data), Reason.KEY_IS_PRIVATE, "compromised")
        assert_held(good().text + armour(LABEL, data), Reason.KEY_IS_PRIVATE)


# Damage.


def test_a_damaged_armour_is_unreadable() -> None:
    lines = good().text.splitlines(keepends=True)
    checksum = next(line for line in lines if line.startswith("="))
    wrong = {
        "checksum": good().text.replace(checksum, "=AAAA\n"),
        "one letter less": good().text.replace(lines[4], lines[4][1:]),
        "a line less": "".join(lines[:4] + lines[5:]),
        "quoted": "".join([lines[0], *("> " + line for line in lines[1:-1]), lines[-1]]),
        "nothing in it": lines[0] + lines[-1],
        "only a header": lines[0] + "Version: GnuPG v2\n\n" + lines[-1],
        "only a checksum": lines[0] + checksum + lines[-1],
        "not ASCII": good().text.replace(lines[4], "ä" + lines[4]),
    }
    for name, text in wrong.items():
        words = (
            ("PGP block 1 holds no public key",) if name in ("nothing in it", "only a header") else ("PGP block 1 is",)
        )
        assert_held(text, Reason.KEY_UNREADABLE, *words)
        assert_held(good().text + text, Reason.KEY_UNREADABLE, "PGP block 2")


def test_truncated_block_holds_even_after_a_good_block() -> None:
    for cut in (good().text[:-40], good().text[:100], f"-----BEGIN {LABEL}-----"):
        assert_held(cut, Reason.KEY_UNREADABLE, "BEGIN and END lines do not match")
        assert_held(good().text + cut, Reason.KEY_UNREADABLE, "BEGIN and END lines do not match")


def test_a_key_cut_off_inside_its_frame_is_unreadable() -> None:
    assert_held(armour(LABEL, good().data[:-9]), Reason.KEY_UNREADABLE, "cut off")


def test_packets_that_belong_to_no_key_are_unreadable() -> None:
    message = gpg(home(), "-r", good().fingerprint, "--trust-model", "always", "--encrypt", data=b"x")
    packets = packets_of(good().data)
    for data in (message, b"".join(packet for _, packet in packets[1:]), b"\xc6\x00", b"\xcd\x01x"):
        assert_held(armour(LABEL, data), Reason.KEY_UNREADABLE)


def test_a_key_whose_own_signature_is_damaged_is_unreadable() -> None:
    packets = packets_of(good().data)
    place = [tag for tag, _ in packets].index(SIGNATURE)
    damaged = [packet if number != place else packet[:-3] + bytes([packet[-3] ^ 1]) + packet[-2:]
               for number, (_, packet) in enumerate(packets)]  # fmt: skip
    assert_held(armour(LABEL, b"".join(damaged)), Reason.KEY_UNREADABLE, good().fingerprint, "no valid self-signature")


def test_a_key_without_any_name_is_held() -> None:
    (primary, *_) = packets_of(good().data)
    assert_held(armour(LABEL, primary[1]), Reason.KEY_UNREADABLE)
    assert_held(Key().add().text + armour(LABEL, primary[1]), Reason.KEY_UNREADABLE)


def test_a_key_that_gpg_does_not_even_list_holds_the_good_one_beside_it() -> None:
    # given: a well-framed packet without content, in place of a primary key
    data = b"\xc6\x06\x04" + bytes(5)
    assert_held(armour(LABEL, data), Reason.KEY_UNREADABLE)
    assert_held(good().text + armour(LABEL, data), Reason.KEY_UNREADABLE, "gpg does not import it")


def test_a_subkey_that_its_key_did_not_sign_is_not_sealed_to() -> None:
    # given: a thief's subkey appended to the tenant's key, without and with the thief's signature
    own, thief = packets_of(Key().data), packets_of(good().data)
    stolen = [packet for tag, packet in thief if tag == SUBKEY]
    signature = thief[-1][1]
    for tail in (stolen, [*stolen, signature]):
        data = b"".join([packet for _, packet in own] + tail)
        assert_held(armour(LABEL, data), Reason.KEY_NOT_FOR_ENCRYPTION)


@pytest.mark.parametrize("version", [2, 3, 5, 6])
def test_key_of_another_version_is_unreadable_and_the_version_is_named(version: int) -> None:
    # given: packets as that version writes them (RFC 9580, 5.5.2), with an RSA key
    created = (1_700_000_000).to_bytes(4)
    modulus = b"\x08\x00" + b"\xc5" * 256 + b"\x00\x11\x01\x00\x01"
    body = {
        2: b"\x02" + created + b"\0\0\x01" + modulus,
        3: b"\x03" + created + b"\0\0\x01" + modulus,
        5: b"\x05" + created + b"\x01" + len(modulus).to_bytes(4) + modulus,
        6: b"\x06" + created + b"\x01" + len(modulus).to_bytes(4) + modulus,
    }[version]
    data = b"\x99" + len(body).to_bytes(2) + body + b"\xcd\x03bob"
    assert_held(armour(LABEL, data), Reason.KEY_UNREADABLE, f"a key of version {version}", "a version 4 key")
    assert_held(armour(LABEL, good().data + data), Reason.KEY_UNREADABLE, f"a key of version {version}")


@pytest.mark.parametrize("label", ["PGP MESSAGE", "PGP SIGNATURE", "PGP SIGNED MESSAGE"])
def test_other_pgp_block_is_unreadable_and_named(label: str) -> None:
    assert_held(armour(label, good().data), Reason.KEY_UNREADABLE, f"it has a block '{label}'")


def test_binary_export_is_requested_with_armour() -> None:
    assert_held(good().data.decode("latin-1"), Reason.KEY_UNREADABLE, "gpg --armor --export")


@settings(max_examples=150)
@given(edits)
def test_key_with_arbitrary_text_changes_is_judged(changes: list[tuple[str, int, int]]) -> None:
    judged(edited(good().text.encode(), changes).decode("latin-1"))


@settings(max_examples=150)
@given(edits)
def test_key_with_arbitrary_byte_changes_is_judged(changes: list[tuple[str, int, int]]) -> None:
    found = judged(armour(LABEL, edited(good().data, changes)))
    # After any change, files are sealed to the tenant's own key or to none.
    assert isinstance(found, HeldError) or [member.fingerprint for member in found.members] == [good().fingerprint]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from([2, 5, 6, 7, 13, 14, 17, 18, 20, 63]), st.binary(max_size=60)), max_size=5))
def test_arbitrary_packets_are_held(parts: list[tuple[int, bytes]]) -> None:
    data = b"".join(bytes([0xC0 | tag, len(body)]) + body for tag, body in parts)
    assert isinstance(judged(armour(LABEL, data)), HeldError)


def test_gpg_reads_the_keys_of_the_fixtures() -> None:
    # The frames above prove something only if gpg itself reads the plain key.
    done = subprocess.run([tool("gpg"), "--show-keys"], input=good().text.encode(), capture_output=True, check=True)
    assert good().fingerprint.encode() in done.stdout
    assert base64.b64encode(dearmour(good().text)) == base64.b64encode(good().data)
    assert [tag for tag, _ in packets_of(good().data)] == [PRIMARY, 13, SIGNATURE, SUBKEY, SIGNATURE]
