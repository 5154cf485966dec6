"""Key texts crafted to cost time or memory, to be misread, or to control gpg.

Each text passes through all three readers of keys: our own parsers, cryptography and gpg.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType

import pytest
from asn1crypto import core, x509
from asn1crypto.keys import PublicKeyInfo, RSAPublicKey
from botocore.awsrequest import AWSResponse

from callseal.core.errors import HeldError, Reason
from callseal.crypto.recipients import OpenPgpRecipients
from callseal.crypto.recipients.blocks import find_blocks
from tests.security.abuse import openpgp_forge as forge
from tests.security.abuse.outside import assert_delivered, assert_held, bounded, hand_over
from tests.support.families import FAMILIES
from tests.support.keys import x509_tenant
from tests.support.network import Network, Request, answer
from tests.support.stack import Stack
from tests.unit.crypto.verdicts import KEY_REASONS, armour, dearmour, fingerprints, judged, verdict
from tests.unit.crypto.verdicts import assert_held as assert_refused

CERTIFICATE, PGP = "CERTIFICATE", forge.LABEL
SECRET_BYTES = 65_536  # the limit of Secrets Manager
MEBIBYTE = 1024**2  # our own limit
CONTENTS = {"acme/1.wav": b"what was said"}
SUBKEY = forge.packet(forge.SUBKEY, forge.rsa_body(forge.modulus(1)))


def certificate(serial: int | None = None, name: str | None = None, extensions: int = 0) -> str:
    """Return a certificate with an oversized part. Its signature, which is not checked, is no longer valid."""
    made = x509.Certificate.load(dearmour(x509_tenant().public_text))
    body = made["tbs_certificate"]
    if serial is not None:
        body["serial_number"] = serial
    if name is not None:
        body["issuer"] = x509.Name.build({"common_name": name})
    if extensions:
        more = [{"extn_id": f"1.2.3.{n}", "critical": False, "extn_value": core.ParsableOctetString(b"x")}
                for n in range(extensions)]  # fmt: skip
        body["extensions"] = x509.Extensions(more)
    return armour(CERTIFICATE, made.dump(force=True))


def rsa_certificate(modulus: int, exponent: int) -> str:
    made = x509.Certificate.load(dearmour(x509_tenant().public_text))
    made["tbs_certificate"]["subject_public_key_info"] = PublicKeyInfo(
        {
            "algorithm": {"algorithm": "rsa", "parameters": core.Null()},
            "public_key": RSAPublicKey({"modulus": modulus, "public_exponent": exponent}),
        }
    )
    return armour(CERTIFICATE, made.dump(force=True))


def definite(depth: int) -> bytes:
    data = b"\x05\0"
    for _ in range(depth):
        data = b"\x30\x84" + len(data).to_bytes(4) + data
    return data


# ---- size and time --------------------------------------------------------------------------------------------------

# As long as our limit, or as a secret's limit if gpg reads it. Other tests check each verdict.
SLOW: dict[str, Callable[[], str]] = {
    "spaces after BEGIN": lambda: "-BEGIN" + " " * 65_530,
    "spaces after many BEGINs": lambda: ("-BEGIN" + " " * 1000) * 1000,
    "spaces before BEGIN": lambda: "-" + " " * 1_000_000,
    "words after BEGIN": lambda: "-BEGIN" + " CERTIFICAT" * 90_000,
    "PRIVATE and no KEY": lambda: "-BEGIN" + " PRIVATE" * 130_000,
    "dashes": lambda: "-" * MEBIBYTE,
    "long dashes": lambda: "\u2014" * (MEBIBYTE // 3),
    "half markers": lambda: "-----BEGIN " * 95_000,
    "BEGINs": lambda: "-----BEGIN CERTIFICATE-----\n" * 37_000,
    "ENDs": lambda: "-----END CERTIFICATE-----\n" * 40_000,
    "empty certificates": lambda: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n" * 19_000,
    "a label each": lambda: "".join(f"-----BEGIN A{n}-----\n-----END A{n}-----\n" for n in range(24_000)),
    "sixteen long certificates": lambda: armour(CERTIFICATE, bytes(45_000)) * 16,
    "line breaks in armour": lambda: f"-----BEGIN {PGP}-----\n{chr(10) * 500_000}-----END {PGP}-----\n",
    "headers in armour": lambda: f"-----BEGIN {PGP}-----\n{('A: b' + chr(10)) * 200_000}-----END {PGP}-----\n",
    "a checksum of a megabyte": lambda: f"-----BEGIN {PGP}-----\n\n{'AAAA' * 250_000}\n=AAAA\n-----END {PGP}-----\n",
    "nested without end": lambda: armour(CERTIFICATE, b"\x30\x80" * 380_000),
    "nested with ends": lambda: armour(CERTIFICATE, definite(3000)),
    "a length of 1,016 bits": lambda: armour(CERTIFICATE, b"\x30\xff" + b"\xff" * 127),
    "three thousand extensions": lambda: certificate(extensions=3_000),
    "a long issuer": lambda: certificate(name="A" * 700_000),
    "a long serial number": lambda: certificate(serial=1 << 400_000),
    "a modulus of 60,000 bits": lambda: rsa_certificate(1 << 60_000 | 1, 65537),
    "an exponent of 16,382 bits": lambda: rsa_certificate(1 << 16_383 | 1, 1 << 16_382 | 1),
    "many user ids": lambda: forge.text(forge.key(*(b"user %d" % n for n in range(150)))),
    "a user id each byte": lambda: forge.text(forge.key(tail=forge.packet(forge.USER_ID, b"x") * 6_000)),
    "many subkeys": lambda: forge.text(forge.key(subkeys=80)),
    "many subkeys, unsigned": lambda: forge.text(forge.key(tail=SUBKEY * 170)),
    "thousands of signatures": lambda: forge.text(forge.key(tail=b"\xc2\x00" * 23_000)),
    "thousands of user ids, empty": lambda: forge.text(forge.key(tail=b"\xcd\x00" * 23_000)),
    "thousands of numbers": lambda: forge.text(
        forge.key(tail=forge.packet(forge.SUBKEY, forge.rsa_body(forge.modulus(1)) + forge.mpi(5) * 200_000))
    ),
    "a long user id": lambda: forge.text(forge.key(b"A" * 700_000)),
    "a photograph that lies": lambda: forge.text(forge.key(tail=forge.packet(17, b"\xff" * 5 + b"\x01" + bytes(9)))),
    "a packet of 4 GiB": lambda: forge.text(forge.key(tail=b"\xcd\xff\xff\xff\xff\xff")),
    "seventeen keys": lambda: forge.text(forge.key() * 17),
}  # fmt: skip


def settled(text: str) -> str:
    """Judge a text. Return the sentence of a rejection, which must have one of the keys' reasons."""
    try:
        assert verdict(text).members
    except HeldError as held:
        assert held.reason in KEY_REASONS
        return str(held)
    return ""


@pytest.mark.parametrize("which", SLOW)
def test_text_made_to_cost_time_is_judged_in_a_moment(which: str) -> None:
    text = SLOW[which]()
    assert len(text) <= MEBIBYTE + 50_000
    with bounded(seconds=8):
        settled(text[:MEBIBYTE])


@pytest.mark.parametrize("letter", ["x", "\N{TELEPHONE RECEIVER}", "\n", "-----BEGIN CERTIFICATE-----\n"], ids=repr)
def test_hundred_megabytes_are_refused_at_once(letter: str) -> None:
    text = letter * (100_000_000 // len(letter))
    with bounded(seconds=0.5, mib=8):
        assert "longer than 1,048,576 bytes" in settled(text)


def test_hundred_megabytes_from_the_service_hold_the_file(
    cloud: Stack, network: Network, encrypt_recording: ModuleType
) -> None:
    cloud.tenant("acme", "no key")

    def answer_100_megabytes(request: Request) -> AWSResponse:
        return answer(request, 200, json.dumps({"SecretString": "x" * 100_000_000, "VersionId": "v" * 32}).encode())

    network.before("GetSecretValue", answer_100_megabytes, times=None)
    with bounded(seconds=10):
        assert hand_over(encrypt_recording, *(cloud.land(key, data) for key, data in CONTENTS.items())) == []
    (detail,) = assert_held(cloud, CONTENTS, "KeyUnreadable")
    assert detail["key_version"] == "v" * 32


@pytest.mark.parametrize("family", FAMILIES)
def test_secret_as_long_as_it_can_be_is_used(cloud: Stack, encrypt_recording: ModuleType, family: str) -> None:
    """64 KiB, nearly all of it text around the key."""
    tenant = FAMILIES[family].make("tenant")
    text = "Dear operator, -here- is our key:\n" + tenant.public_text
    cloud.tenant("acme", text + "." * (SECRET_BYTES - len(text)))
    with bounded(seconds=5):
        assert hand_over(encrypt_recording, *(cloud.land(key, data) for key, data in CONTENTS.items())) == []
    assert_delivered(cloud, CONTENTS, {"acme": tenant})


@pytest.mark.parametrize("filler", ["\0", " ", "-", "\N{EM DASH}", "-BEGIN ", "{", "A" * 64 + "\n", "\ud7ff"], ids=repr)
def test_secret_full_of_other_text_holds_the_file(cloud: Stack, encrypt_recording: ModuleType, filler: str) -> None:
    cloud.tenant("acme", "-BEGIN" + filler * ((SECRET_BYTES - 6) // len(filler.encode())))
    with bounded(seconds=5):
        assert hand_over(encrypt_recording, *(cloud.land(key, data) for key, data in CONTENTS.items())) == []
    (detail,) = assert_held(cloud, CONTENTS, "KeyUnreadable")
    assert len(detail["message"]) < 500


# ---- ambiguous texts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "user_id",
    [b"--output /tmp/x",
     b"\n[GNUPG:] INV_RECP 0 x\n", b"[GNUPG:] KEY_CREATED P 0", b"\r\nfpr:::::::::" + b"A" * 40 + b":",
     b"a:b:c:::::", b"\\x3a\\x0a", b"\0", b"\xff\xfe", "\u0430cme".encode(), b"\x1b[2J", b"%n%s", b"$(id)"],
    ids=repr,
)  # fmt: skip
def test_user_id_with_gpg_commands_or_output_is_only_a_name(user_id: bytes) -> None:
    assert fingerprints(forge.text(forge.key(user_id))) == [forge.fingerprint()]


@pytest.mark.parametrize(
    "tail",
    [forge.packet(8, b"\x01" + bytes(100)), forge.packet(12, b"\x06\x00gpg"), forge.packet(18, b"\x01x"),
     forge.packet(11, b"b\x00\x00\x00\x00\x00x"), forge.packet(60, b"x"), forge.packet(10, b"PGP")],
    ids=["compressed", "trust", "encrypted", "literal", "private use", "marker"],
)  # fmt: skip
def test_packets_that_belong_to_no_key_change_no_recipient(tail: bytes) -> None:
    found = judged(forge.text(forge.key(tail=tail)))
    if isinstance(found, OpenPgpRecipients):
        assert [member.fingerprint for member in found.members] == [forge.fingerprint()]


def test_subkey_that_the_owner_did_not_sign_is_never_sealed_to() -> None:
    """An attacker appends a subkey to a tenant's key, newer than the tenant's own subkeys."""
    assert_refused(forge.text(forge.key(subkeys=0, tail=SUBKEY)), Reason.KEY_NOT_FOR_ENCRYPTION)


@pytest.mark.parametrize(
    ("modulus", "exponent"),
    [(forge.modulus(1), 1), (forge.modulus(1), 0), (forge.modulus(1), 2), (forge.modulus(1), 65536), (0, 65537),
     (1 << 2047, 65537),
     (forge.modulus(1), 1 << 64 | 1), (1 << 16_383 | 1, 1 << 16_382 | 1)],
    ids=["e=1", "e=0", "e=2", "even e", "n=0", "even n", "long e", "very long e"],
)  # fmt: skip
@pytest.mark.parametrize("place", ["subkey", "beside a good one"])
def test_rsa_key_without_protection_is_too_weak(modulus: int, exponent: int, place: str) -> None:
    """gpg seals to all of these. With an exponent of 1 the session key is readable in the message."""
    bogus = forge.bound(forge.rsa_body(modulus, exponent, forge.CREATED + 9), forge.primary_body(), forge.CREATED + 9)
    text = forge.text(forge.key(subkeys=0 if place == "subkey" else 1, tail=bogus))
    with bounded(seconds=1):
        assert_refused(text, Reason.KEY_TOO_WEAK, "protects nothing")


@pytest.mark.parametrize("exponent", [3, 17, 65537, 2**64 - 59])
def test_rsa_with_an_odd_exponent_is_used(exponent: int) -> None:
    body = forge.rsa_body(forge.modulus(1), exponent)
    assert fingerprints(forge.text(forge.key(subkeys=0, tail=forge.bound(body, forge.primary_body())))) == [
        forge.fingerprint()
    ]


@pytest.mark.parametrize("exponent", [0, 1, 2, -1])
def test_certificate_with_an_unsafe_rsa_key_is_refused(exponent: int) -> None:
    modulus = x509.Certificate.load(dearmour(x509_tenant().public_text)).public_key["public_key"].parsed["modulus"]
    assert_refused(rsa_certificate(modulus.native, exponent), Reason.KEY_NOT_FOR_ENCRYPTION)


@pytest.mark.parametrize(
    "label",
    ["\u0421ERTIFICATE", "CERTIFIC\u0410TE", "CERTIFICATE\u200b", "certificate", "CERTIFICATE\t", " CERTIFICATE",
     "X509  CERTIFICATE", "TRUSTED CERTIFICATE", "PGP PUBLIC KEY BLO\u0421K", "PGP MESSAGE", "PKCS7"],
    ids=ascii,
)  # fmt: skip
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside a good one"])
def test_look_alike_label_is_never_a_key(label: str, beside: bool) -> None:
    """Alone, the text is held. Next to a good key it is ignored or held. Recordings are never sealed to it."""
    stranger, good = x509_tenant(name="stranger"), x509_tenant()
    text = armour(label, dearmour(stranger.public_text)) + (good.public_text if beside else "")
    found = judged(text)
    if not isinstance(found, Exception):
        assert beside
        assert [member.fingerprint for member in found.members] == fingerprints(good.public_text)


@pytest.mark.parametrize(
    "change",
    [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n"), lambda text: text.replace("\n", "\x85"),
     lambda text: text.replace("\n", "\u2028"), lambda text: "\ud800" + text, lambda text: "\0" + text],
    ids=["BOM", "CRLF", "NEL", "LINE SEPARATOR", "lone surrogate", "NUL"],
)  # fmt: skip
def test_odd_characters_around_a_key_change_no_recipient(change: object) -> None:
    text = x509_tenant().public_text
    assert callable(change)
    assert fingerprints(change(text)) == fingerprints(text)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-7"])
def test_key_in_another_encoding_is_unreadable(family: str, encoding: str) -> None:
    text = FAMILIES[family].make("tenant").public_text
    assert_refused(text.encode(encoding).decode("latin-1"), Reason.KEY_UNREADABLE)


def test_nested_blocks_are_truncated() -> None:
    inner = x509_tenant().public_text
    assert_refused(f"-----BEGIN CERTIFICATE-----\n{inner}-----END CERTIFICATE-----\n", Reason.KEY_UNREADABLE)


def test_certificate_text_inside_a_name_is_no_recipient() -> None:
    """A certificate whose issuer's name contains another certificate's text has one recipient: itself."""
    stranger = x509_tenant(name="stranger").public_text
    (member,) = verdict(certificate(name=stranger)).members
    assert [member.fingerprint] != fingerprints(stranger)
    assert len(find_blocks(certificate(name=stranger))) == 1
