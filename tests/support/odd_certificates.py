"""Certificates that each break RFC 5280 in one place, as old or home-made authorities issue them, self-signed.

openssl makes none of these, so they are written field by field. All share one RSA key.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from callseal.crypto.envelopes import der
from tests.support.keys import x509_tenant

KEY_USAGE, SUBJECT_ALT_NAME, BASIC_CONSTRAINTS = "2.5.29.15", "2.5.29.17", "2.5.29.19"
SHA256_WITH_RSA = der.sequence(der.oid("1.2.840.113549.1.1.11"), der.element(der.NULL))
ENCIPHERS = der.element(der.BIT_STRING, b"\x05\xa0")
UTF8, PRINTABLE, TELETEX, UNIVERSAL, BMP = 0x0C, 0x13, 0x14, 0x1C, 0x1E


@cache
def private_key() -> rsa.RSAPrivateKey:
    loaded = serialization.load_pem_private_key(key_file().read_bytes(), None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return loaded


def key_file() -> Path:
    """Return the private key of every odd certificate."""
    return x509_tenant("rsa2048", "odd").private_key


def public_info(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def name(value: bytes = b"odd", tag: int = UTF8) -> bytes:
    return der.sequence(der.set_of(der.sequence(der.oid("2.5.4.3"), der.element(tag, value))))


def utc(text: str) -> bytes:
    return der.element(0x17, text.encode())


def generalized(text: str) -> bytes:
    return der.element(0x18, text.encode())


def extension(identifier: str, value: bytes, critical: bytes | None = None) -> bytes:
    flag = [] if critical is None else [der.element(0x01, critical)]
    return der.sequence(der.oid(identifier), *flag, der.octets(value))


USAGE = extension(KEY_USAGE, ENCIPHERS, b"\xff")


def alternative(*names: bytes) -> bytes:
    return extension(SUBJECT_ALT_NAME, der.sequence(*names))


def certificate(
    *extensions: bytes,
    version: bytes = der.explicit(0, der.integer(2)),
    serial: bytes = der.integer(5),
    algorithm: bytes = SHA256_WITH_RSA,
    outer: bytes = b"",
    issuer: bytes = name(),
    first: bytes = utc("250101000000Z"),
    last: bytes = utc("400101000000Z"),
    subject: bytes = name(),
    info: bytes = b"",
    unique: bytes = b"",
) -> bytes:
    """Return a certificate in DER, with each field as passed."""
    listed = der.explicit(3, der.sequence(*extensions)) if extensions else b""
    info = info or public_info(private_key().public_key())
    tbs = der.sequence(version, serial, algorithm, issuer, der.sequence(first, last), subject, info, unique, listed)
    signature = private_key().sign(tbs, padding.PKCS1v15(), hashes.SHA256())
    return der.sequence(tbs, outer or algorithm, der.bits(signature))


def info_of(algorithm: bytes) -> bytes:
    """Return the key's SubjectPublicKeyInfo with another algorithm identifier."""
    _, bits = der.split(der.split(public_info(private_key().public_key()))[0].content)
    return der.sequence(algorithm, bits.encoded)


def rsa_info(modulus: int, exponent: int) -> bytes:
    key = der.bits(der.sequence(der.integer(modulus), der.integer(exponent)))
    return der.sequence(der.sequence(der.oid("1.2.840.113549.1.1.1"), der.element(der.NULL)), key)


@cache
def usable() -> dict[str, bytes]:
    """Return certificates that openssl and Bouncy Castle read, and open files with."""
    sha1 = der.sequence(der.oid("1.2.840.113549.1.1.5"), der.element(der.NULL))
    umlaut = "Müller"
    return {
        "no extensions": certificate(),
        "empty subject": certificate(USAGE, subject=der.sequence()),
        "empty subject and issuer": certificate(USAGE, subject=der.sequence(), issuer=der.sequence()),
        "names in T61String": certificate(USAGE, **both(umlaut.encode("latin-1"), TELETEX)),
        "names in BMPString": certificate(USAGE, **both(umlaut.encode("utf-16-be"), BMP)),
        "names in UniversalString": certificate(USAGE, **both(umlaut.encode("utf-32-be"), UNIVERSAL)),
        "PrintableString with @": certificate(USAGE, **both(b"a@b_*", PRINTABLE)),
        "serial number 0": certificate(USAGE, serial=der.integer(0)),
        "a negative serial number": certificate(USAGE, serial=der.element(der.INTEGER, b"\xa5\x01")),
        "a serial number of 40 octets": certificate(USAGE, serial=der.element(der.INTEGER, b"\x01" * 40)),
        "an end in GeneralizedTime before 2050": certificate(USAGE, last=generalized("20400101000000Z")),
        "an end with a fraction": certificate(USAGE, last=generalized("20400101000000.5Z")),
        "an end without seconds": certificate(USAGE, last=utc("4001010000Z")),
        "an end with an offset": certificate(USAGE, last=utc("400101000000+0100")),
        "without a defined end (9999)": certificate(USAGE, last=generalized("99991231235959Z")),
        "version 1 with extensions": certificate(USAGE, version=b""),
        "version 2 with extensions": certificate(USAGE, version=der.explicit(0, der.integer(1))),
        "version 1 spelled out": certificate(version=der.explicit(0, der.integer(0))),
        "unique identifiers": certificate(USAGE, unique=der.element(0x81, b"\0ab") + der.element(0x82, b"\0cd")),
        "two signature algorithms": certificate(USAGE, outer=sha1),
        "signed by an unknown algorithm": certificate(USAGE, algorithm=der.sequence(der.oid("1.2.3.4.5"))),
        "critical FALSE spelled out": certificate(extension(KEY_USAGE, ENCIPHERS, b"\0")),
        "an x400Address": certificate(USAGE, alternative(der.element(0xA3, der.sequence()))),
        "an ediPartyName": certificate(USAGE, alternative(der.explicit(5, der.explicit(1, der.element(UTF8, b"x"))))),
        "an IP address of 3 octets": certificate(USAGE, alternative(der.element(0x87, b"abc"))),
        "an e-mail address in UTF-8": certificate(USAGE, alternative(der.element(0x81, f"{umlaut}@x".encode()))),
        "subjectAltName twice": certificate(
            USAGE, alternative(der.element(0x82, b"a")), alternative(der.element(0x82, b"b"))
        ),
        "a subjectKeyIdentifier of garbage": certificate(USAGE, extension("2.5.29.14", b"zz")),
        "cA FALSE spelled out": certificate(USAGE, extension(BASIC_CONSTRAINTS, der.sequence(der.element(1, b"\0")))),
        "a path length without cA": certificate(USAGE, extension(BASIC_CONSTRAINTS, der.sequence(der.integer(0)))),
        "empty nameConstraints": certificate(USAGE, extension("2.5.29.30", der.sequence())),
        "an unknown critical extension": certificate(USAGE, extension("1.2.3.4", b"x", b"\xff")),
        "keyUsage with unused bits set": certificate(extension(KEY_USAGE, der.element(der.BIT_STRING, b"\x05\xbf"))),
        "RSA without NULL": certificate(USAGE, info=info_of(der.sequence(der.oid("1.2.840.113549.1.1.1")))),
        "RSA by X.509's own name": certificate(
            USAGE, info=info_of(der.sequence(der.oid("2.5.8.1.1"), der.integer(2048)))
        ),
    }  # fmt: skip


def both(value: bytes, tag: int) -> dict[str, bytes]:
    return {"subject": name(value, tag), "issuer": name(value, tag)}


@cache
def refused() -> dict[str, tuple[bytes, str]]:
    """Return certificates that must be rejected, each with words of the error."""
    modulus = private_key().public_key().public_numbers().n
    unclear, numbers = "a keyUsage that cannot be read", "has an RSA key that protects nothing"
    return {
        "keyUsage twice": (certificate(USAGE, USAGE), unclear),
        "keyUsage of garbage": (certificate(extension(KEY_USAGE, b"garbage")), unclear),
        "keyUsage with bytes behind it": (certificate(extension(KEY_USAGE, ENCIPHERS + b"\0")), unclear),
        "keyUsage of 9 unused bits": (
            certificate(extension(KEY_USAGE, der.element(der.BIT_STRING, b"\x09\xa0"))),
            unclear,
        ),
        "keyUsage whose bit is unused": (
            certificate(extension(KEY_USAGE, der.element(der.BIT_STRING, b"\x06\xa0"))),
            "does not allow keyEncipherment",
        ),
        "an empty keyUsage": (
            certificate(extension(KEY_USAGE, der.element(der.BIT_STRING, b"\0"))),
            "does not allow keyEncipherment",
        ),
        "31 February": (certificate(USAGE, last=utc("400231000000Z")), "not a valid date"),
        "an end of letters": (certificate(USAGE, last=utc("tomorrow")), "not a valid date"),
        "an end in a string": (certificate(USAGE, last=der.octets(b"20400101000000Z")), "not a valid date"),
        "an end out of range": (certificate(USAGE, last=generalized("99991231235959-0100")), "not a valid date"),
        "version 4": (certificate(USAGE, version=der.explicit(0, der.integer(3))), "certificate 1 is damaged"),
        "a padded serial number": (
            certificate(USAGE, serial=der.element(der.INTEGER, b"\0\0\x05")), "certificate 1 is damaged",
        ),
        "an empty serial number": (certificate(USAGE, serial=der.element(der.INTEGER)), "certificate 1 is damaged"),
        "an RSA exponent of 1": (certificate(USAGE, info=rsa_info(modulus, 1)), numbers),
        "an even RSA exponent": (certificate(USAGE, info=rsa_info(modulus, 2)), numbers),
        "an RSA key for OAEP alone": (
            certificate(USAGE, info=info_of(der.sequence(der.oid("1.2.840.113549.1.1.7"), der.sequence()))),
            "of a kind that is not supported (algorithm 1.2.840.113549.1.1.7)",
        ),
        "an issuer that is no UTF-8": (certificate(USAGE, issuer=name(b"M\xfcller")), "issuer's name"),
        "an issuer of half a character": (certificate(USAGE, issuer=name(b"abc", BMP)), "issuer's name"),
        "an issuer that is no name": (certificate(USAGE, issuer=der.sequence(der.octets(b"x"))), "issuer's name"),
    }  # fmt: skip
