"""Texts that people send by mistake in place of a certificate or an OpenPGP key.

A text that is recognised here would be refused anyway. Recognising it makes the error precise, and decides whether the
text counts as a private key.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from contextlib import suppress

from callseal.crypto.envelopes import der
from callseal.crypto.openpgp_packets import PKESK, PUBLIC_KEY, SECRET_KEY, SECRET_SUBKEY, packets
from callseal.crypto.recipients.blocks import Block, decode_armour, private_key

NO_BLOCK = "it has no '-----BEGIN CERTIFICATE-----' and no '-----BEGIN PGP PUBLIC KEY BLOCK-----'"
_FORMS = "its certificate in PEM form, or its OpenPGP public key (gpg --armor --export)"
_ASK = f"Ask the tenant for {_FORMS}"
_SSH = f"a public key for SSH, which is for logins and not for encryption. {_ASK}"
_STORE = (
    "Such a file usually holds the private key: delete every copy of it. Ask the tenant whether it did (if so, that "
    f"key pair must not be used any more), and for {_FORMS}"
)
_ENCRYPTED = f"an encrypted message, not a key. {_ASK}"
_BUNDLE = "a PKCS#7 bundle. Ask the tenant for its own certificate in PEM form (openssl pkcs7 -print_certs shows it)"
_BARE = "a bare public key without a certificate. Ask the tenant for the X.509 certificate (self-signed will do)"
_DETACHED = f"a signature, not a key. {_ASK}"

LABELS = dict.fromkeys(("PUBLIC KEY", "RSA PUBLIC KEY", "EC PUBLIC KEY"), f"it is {_BARE}") | dict.fromkeys(
    ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
    "it is a certificate request, not a certificate. Ask the tenant for the certificate that was issued for it",
)
LABELS |= {
    label: f"it has a block '{label}', {description}"
    for label, description in {
        "PGP SIGNATURE": _DETACHED,
        "SSH SIGNATURE": _DETACHED,
        "PGP MESSAGE": _ENCRYPTED,
        "AGE ENCRYPTED FILE": _ENCRYPTED,
        "CMS": _ENCRYPTED,
        "PKCS7": _BUNDLE,
        "PKCS #7 SIGNED DATA": _BUNDLE,
        "PKCS12": f"a PKCS#12 file. {_STORE}",
        "TRUSTED CERTIFICATE": (
            "a form of certificate that only openssl reads. Ask the tenant for the plain form (openssl x509 without "
            "-trustout)"
        ),
        "X509 CRL": f"a list of revoked certificates. {_ASK}",
        "SSH2 PUBLIC KEY": _SSH,
    }.items()
}
# Binary OpenPGP, by the type of its first packet (RFC 9580, section 5).
_PACKETS = {
    PKESK: _ENCRYPTED,
    2: _DETACHED,
    PUBLIC_KEY: "an OpenPGP key in binary form. Ask the tenant for its text form (gpg --armor --export)",
}
# Also beside good blocks. The first looks like a block with damaged hyphens, the second like one that is cut off.
_FRAMES = {
    re.compile(r"---- ?BEGIN SSH2 PUBLIC KEY ?----"): f"a part of the text is {_SSH}",
    re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----"): (
        "it has a block 'PGP SIGNED MESSAGE', and a key inside a signed mail cannot be used. Ask the tenant for the "
        "key alone (gpg --armor --export)"
    ),
}
# Texts without blocks: recognised by their beginning, or by the whole text if it is short.
_BEGINNINGS = {
    re.compile(r"\s*(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+ AAAA"): _SSH,
    re.compile(r"\s*age1[a-z0-9]{20}"): f"a public key for age. {_ASK}",
    re.compile(r"\s*untrusted comment:"): f"a minisign or signify key, for signatures and not encryption. {_ASK}",
    re.compile(r"(?i)[^<]{0,200}<(?:!doctype html|html)"): f"a web page. {_ASK}",
    re.compile(r"(?is)\s*(?=<).*<(?:[a-z0-9]+:)?X509Certificate>"): f"a certificate inside XML. {_ASK}",
    re.compile(r"(?is)\s*(?=<).*<(?:[a-z0-9]+:)?RSAKeyValue>"): f"a bare public key in XML. {_ASK}",
    re.compile(r"(?s)\s*[{\[].*\"kty\""): f"a JSON Web Key. {_ASK}",
    re.compile(r"(?ism).*^content-type:\s*(?:application/(?:x-)?pkcs7|multipart/signed)"): f"an S/MIME mail. {_ASK}",
}
_WHOLES = {
    re.compile(r"\s*"): f"empty. {_ASK}",
    re.compile(r"\s*https?://\S+\s*"): "only a web address. Ask the tenant for the key that is published there",
    re.compile(r"\s*(?:0x)?(?:[0-9A-Fa-f]{2}[\s:]{0,2}){4,64}\s*"): (
        f"only a fingerprint or a key id. Keep it to compare with the key's. {_ASK}"
    ),
}
_SHORT = 4096
_PRIVATE_MEMBER = re.compile(r"\"d\"\s*:|<D>[A-Za-z0-9+/=\s]+</D>")


def frame_of(text: str) -> str | None:
    """Return the description of a text whose frame looks like a damaged block, or None for any other text."""
    return next((description for pattern, description in _FRAMES.items() if pattern.search(text)), None)


def text_of(text: str) -> str:
    """Return what a text without blocks is, and what to ask for. Raises HeldError `KeyIsPrivate`."""
    whole = (_WHOLES[pattern] for pattern in _WHOLES if len(text) < _SHORT and pattern.fullmatch(text))
    beginning = (_BEGINNINGS[pattern] for pattern in _BEGINNINGS if pattern.match(text))
    found = next(whole, None) or next(beginning, None)
    if found and _PRIVATE_MEMBER.search(text):
        raise private_key()
    found = found or _of_bytes(text)
    if found:
        return f"{NO_BLOCK}: it is {found}"
    return (
        f"{NO_BLOCK}. Ask the tenant for the text form (PEM, or ASCII armour by gpg --armor --export), and paste "
        "all of it"
    )


def signatures_alone(blocks: Iterable[Block]) -> str | None:
    """Return the description of OpenPGP blocks that have only signatures, or None for other blocks.

    A revocation certificate is such a block.
    """
    with suppress(ValueError):
        if all(len(block.body) < _SHORT and _tags(block) == {2} for block in blocks):
            return (
                "it is a revocation certificate (or another signature) without its key. Ask the tenant whether its key "
                "is revoked, and for the key that it uses now (gpg --armor --export)"
            )
    return None


def _tags(block: Block) -> set[int]:
    return {packet.tag for packet in packets(decode_armour(block.body))}


def _of_bytes(text: str) -> str | None:
    """Return what a text without a frame is: base64, or a binary file as an editor shows it. None if unknown."""
    with suppress(ValueError):
        description, ask = _of_der(base64.b64decode("".join(text.split()), validate=True))
        return f"{description} without its BEGIN and END lines. {ask}"
    with suppress(ValueError):
        description, ask = _of_der(text.encode("latin-1"))
        return f"{description} in binary form. {ask}"
    with suppress(ValueError):
        return _of_packets(text.encode("latin-1"))
    return None


def _of_der(data: bytes) -> tuple[str, str]:
    """Return what a DER structure is, and what to ask for. Raises ValueError if unknown, HeldError `KeyIsPrivate`."""
    (outer,) = der.split(data)
    first, *rest = der.split(outer.content) if outer.tag == der.SEQUENCE else []
    tags = [element.tag for element in rest]
    if first.tag == der.INTEGER and rest:
        return _of_versioned(first.content, rest)
    if first.tag == der.OID:
        return "a PKCS#7 or S/MIME file", _ASK
    if first.tag == der.SEQUENCE and tags == [der.SEQUENCE, der.BIT_STRING]:
        return "a certificate or a certificate request", f"{_ASK}, and paste all of it"
    if first.tag == der.SEQUENCE and tags == [der.BIT_STRING]:
        return "a bare public key", _ASK
    if first.tag == der.SEQUENCE and tags == [der.OCTET_STRING]:
        raise private_key()  # EncryptedPrivateKeyInfo (RFC 5958, section 3)
    raise ValueError("an unknown structure")


def _of_versioned(version: bytes, rest: list[der.Element]) -> tuple[str, str]:
    """Return what a structure is that begins with an INTEGER, and what to ask for.

    The INTEGER is version 3 in a PKCS#12 file (RFC 7292, section 4), version 0 or 1 in a private key, and the modulus
    in an RSA public key.
    """
    if version == b"\3":
        return "a PKCS#12 file (.p12, .pfx)", _STORE
    if len(version) == 1:
        raise private_key()
    if [element.tag for element in rest] == [der.INTEGER]:
        return "a bare public key", _ASK
    raise ValueError("an unknown structure")


def _of_packets(data: bytes) -> str:
    """Return what binary OpenPGP data is. Raises ValueError if unknown, HeldError `KeyIsPrivate`."""
    found = next(packets(data)).tag
    if found in (SECRET_KEY, SECRET_SUBKEY):
        raise private_key()
    if found not in _PACKETS:
        raise ValueError("an unknown packet")
    return _PACKETS[found]
