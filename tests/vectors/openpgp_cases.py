"""OpenPGP keys that tenants send, good and bad, made by the real gpg and sq; other versions are built by packet."""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path

from callseal.core.errors import Reason
from tests.support.keys import gpg, openpgp_tenant, run, tool, x509_tenant
from tests.support.openpgp_keys import Key, home, packets_of
from tests.unit.crypto.verdicts import armour
from tests.vectors.case import Case
from tests.vectors.cases import CASES as CASES_OF_OTHERS

LABEL = "PGP PUBLIC KEY BLOCK"
SUBKEY, SECRET_SUBKEY = 14, 7

WEAK = "gpg encrypts to any length that it can make. Callseal asks for 2048 bits where strength is a matter of length."
TEXT = "gpg imports binary keys too. A secret is text, and pasting into a console changes binary data."
PRIVATE = (
    "gpg imports a private key and encrypts to its public half. For Callseal, a private key that was sent is "
    "compromised."
)
ALL = "gpg imports what it can read, and encrypts to that. Callseal judges the whole text: every block must be usable."
MANY = "gpg has no limit. Callseal seals to 16 recipients at most."


@cache
def key(algorithm: str) -> Key:
    """Return a key with an encryption subkey of this algorithm."""
    return Key("dsa2048" if algorithm.startswith("elg") else "ed25519").add(algorithm)


@cache
def sq(*arguments: str) -> str:
    """Make a key with Sequoia, and return its public half."""
    base = Path(tempfile.mkdtemp(dir=home()))
    program = tool("sq")
    run(program, "key", "generate", "--userid", "<sq@example.invalid>", *arguments, "--export", base / "key")
    return run(program, "key", "extract-cert", base / "key").decode()


@cache
def old() -> Key:
    return Key(expires="30d", days=-100).add(days=-100)


def exported(*keys: Key) -> str:
    return gpg(home(), "--armor", "--export", *(one.fingerprint for one in keys)).decode()


def secret(*, armoured: bool = True) -> bytes:
    options = ["--armor"] if armoured else []
    return gpg(home(), *options, "--export-secret-keys", key("cv25519").fingerprint)


def mixed() -> str:
    """Append a secret subkey to a public key."""
    (subkey,) = [packet for tag, packet in packets_of(secret(armoured=False)) if tag == SECRET_SUBKEY]
    return armour(LABEL, key("cv25519").data + subkey)


def stolen() -> str:
    """Append another owner's subkey to a key without a subkey."""
    thief = packets_of(key("cv25519").data)
    parts = [packet for _, packet in packets_of(Key().data)]
    return armour(LABEL, b"".join([*parts, *(packet for tag, packet in thief if tag == SUBKEY), thief[-1][1]]))


def of_version(version: int) -> str:
    """Return an RSA key as that version of OpenPGP writes it (RFC 9580, 5.5.2)."""
    created = (1_700_000_000).to_bytes(4)
    numbers = b"\x08\x00" + b"\xc5" * 256 + b"\x00\x11\x01\x00\x01"
    long = b"\x01" + len(numbers).to_bytes(4) + numbers
    body = bytes([version]) + created + (b"\0\0\x01" + numbers if version == 3 else long)
    return armour(LABEL, b"\x99" + len(body).to_bytes(2) + body + b"\xcd\x03bob")


def without_checksum(*, padded: bool) -> str:
    """Return a key in armour without its checksum (RFC 9580, 6.1 makes it optional).

    gpg 2.2 reads it only if the base64 ends with padding. A longer name makes the key longer.
    """
    fresh = (Key("ed25519", suffix="x" * (number % 3)).add("cv25519") for number in range(60))
    fitting = next(one for one in fresh if (len(one.data) % 3 != 0) == padded)
    return re.sub(r"\n=[A-Za-z0-9+/]{4}\n", "\n", fitting.text)


def wrong_checksum() -> str:
    return re.sub(r"\n=[A-Za-z0-9+/]{4}\n", "\n=AAAA\n", key("cv25519").text)


def with_headers() -> str:
    return key("cv25519").text.replace("BLOCK-----\n", "BLOCK-----\nVersion: GnuPG v2\nComment: ours, of 2026\n", 1)


def case(name: str) -> str:
    return (CASES_OF_OTHERS / name).read_text()


def cut(text: str) -> str:
    return text[: len(text) // 2]


def message() -> bytes:
    return gpg(home(), "--armor", "--trust-model", "always", "-r", key("cv25519").fingerprint, "--encrypt", data=b"x")


USABLE = [
    *(Case(f"RSA {bits}", lambda bits=bits: Key(f"rsa{bits}").add(f"rsa{bits}").text) for bits in (2048, 3072, 4096)),
    Case("Curve25519", lambda: key("cv25519").text),
    *(Case(f"EC P-{bits}", lambda bits=bits: key(f"nistp{bits}").text) for bits in (256, 384, 521)),
    *(Case(f"EC {name}", lambda name=name: key(name).text)
      for name in ("brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1", "secp256k1")),
    Case("DSA 2048 with ElGamal 2048", lambda: key("elg2048").text),
    Case("a primary key that encrypts itself", lambda: Key("rsa2048", "sign,encr").text),
    Case("that never ends", lambda: Key(expires="0").add(expires="0").text),
    Case("by sq, Curve25519", lambda: sq()),
    Case("by sq, RSA 3072", lambda: sq("--cipher-suite", "rsa3k")),
    Case("by sq, for storage alone", lambda: sq("--can-encrypt", "storage")),
    Case("an older weak subkey beside a strong one",
         lambda: Key(days=-3).add("rsa1024", days=-2).add("rsa2048", days=-1).text),
    Case("two keys in one block", lambda: exported(key("cv25519"), key("nistp256"))),
    Case("two keys in two blocks", lambda: key("cv25519").text + key("nistp256").text),
    Case("without the armour's checksum", lambda: without_checksum(padded=True)),
    Case("without the armour's checksum, nor padding at its end", lambda: without_checksum(padded=False), None,
         "gpg 2.2 takes armour without a checksum only if its base64 ends with padding. The checksum is optional."),
    Case("with armour headers", with_headers),
    Case("CRLF line ends", lambda: key("cv25519").text.replace("\n", "\r\n")),
    Case("an old and a new export of one key, whose old subkey is revoked",
         lambda: case("pgp-old-and-new-export/c2_both.asc")),
    Case("its subkey expired, a primary key that encrypts",
         lambda: case("pgp-subkey-expired-primary-encrypts/c1_sce_expired_sub.asc")),
    Case("a marker packet first", lambda: case("pgp-marker-packet-first/marker.asc")),
    Case("in the middle of a letter", lambda: f"Hi,\nhere it is:\n\n{key('cv25519').text}\nYours, Bob\n"),
]  # fmt: skip
CASES = [
    *USABLE,
    Case("RSA 1024", lambda: key("rsa1024").text, Reason.KEY_TOO_WEAK, WEAK),
    Case("RSA 1024 that signs, Curve25519 that encrypts", lambda: Key("rsa1024").add("cv25519").text,
         Reason.KEY_TOO_WEAK, WEAK),
    Case("DSA 2048 with ElGamal 1024", lambda: key("elg1024").text, Reason.KEY_TOO_WEAK, WEAK),
    Case("for signatures only, Ed25519", lambda: Key().text, Reason.KEY_NOT_FOR_ENCRYPTION),
    Case("for signatures only, RSA", lambda: Key("rsa2048", "sign").text, Reason.KEY_NOT_FOR_ENCRYPTION),
    Case("for signatures only, by sq", lambda: sq("--cannot-encrypt"), Reason.KEY_NOT_FOR_ENCRYPTION),
    Case("with a subkey that is not its own", stolen, Reason.KEY_NOT_FOR_ENCRYPTION),
    Case("revoked", lambda: Key().add().revoke().text, Reason.KEY_REVOKED),
    Case("with its revocation certificate beside it",
         lambda: case("pgp-revocation-certificate-beside/c3_two_blocks.asc"), Reason.KEY_REVOKED),
    Case("its subkey revoked", lambda: Key().add().revoke_subkey(1).text, Reason.KEY_REVOKED),
    Case("expired", lambda: old().text, Reason.KEY_EXPIRED),
    Case("its subkey expired", lambda: Key(expires="0", days=-100).add(expires="30d", days=-100).text,
         Reason.KEY_EXPIRED),
    Case("expired, by sq", lambda: sq("--creation-time", "20200101", "--expires", "20210101"), Reason.KEY_EXPIRED),
    Case("of the future", lambda: Key(days=10).add(days=10).text, Reason.KEY_NOT_YET_VALID),
    Case("its subkey of the future", lambda: Key(expires="0").add(days=10).text, Reason.KEY_NOT_YET_VALID),
    Case("a good one and an expired one", lambda: key("cv25519").text + old().text, Reason.KEY_EXPIRED),
    Case("of version 3", lambda: of_version(3), Reason.KEY_UNREADABLE),
    Case("of version 6", lambda: of_version(6), Reason.KEY_UNREADABLE),
    Case("a good one and one of version 6", lambda: key("cv25519").text + of_version(6), Reason.KEY_UNREADABLE, ALL),
    Case("without any name", lambda: armour(LABEL, packets_of(key("cv25519").data)[0][1]), Reason.KEY_UNREADABLE),
    Case("its checksum wrong", wrong_checksum, Reason.KEY_UNREADABLE),
    Case("cut off in the middle", lambda: cut(key("cv25519").text), Reason.KEY_UNREADABLE),
    Case("a good one and one cut off", lambda: key("cv25519").text + cut(key("nistp256").text),
         Reason.KEY_UNREADABLE, ALL),
    Case("17 keys", lambda: exported(*(Key().add() for _ in range(17))), Reason.KEY_UNREADABLE, MANY),
    Case("binary, not armoured", lambda: key("cv25519").data, Reason.KEY_UNREADABLE, TEXT),
    Case("a message, not a key", message, Reason.KEY_UNREADABLE),
    Case("the private key", secret, Reason.KEY_IS_PRIVATE, PRIVATE),
    Case("the private key beside it", lambda: key("cv25519").text.encode() + secret(), Reason.KEY_IS_PRIVATE, PRIVATE),
    Case("the private key behind a public label", lambda: armour(LABEL, secret(armoured=False)),
         Reason.KEY_IS_PRIVATE, PRIVATE),
    Case("a secret subkey among public ones", mixed, Reason.KEY_IS_PRIVATE, PRIVATE),
    Case("with an X.509 certificate", lambda: openpgp_tenant("cv25519").public_text + x509_tenant().public_text,
         Reason.KEY_UNREADABLE, "gpg skips the certificate. A file is sealed to one family."),
]  # fmt: skip
