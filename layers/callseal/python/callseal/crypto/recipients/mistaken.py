"""What people send in place of a certificate or an OpenPGP key, recognised so that the sentence can say what it is.

A text that is recognised here is refused in any case: this chooses the words, and whether the key counts as private.
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
_SSH = f"a public key for SSH, which can sign in and not encrypt. {_ASK}"
_STORE = (
    "Such a file usually holds the private key: delete every copy of it. Ask the tenant whether it did (that key pair "
    f"must not be used any more), and for {_FORMS}"
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
    label: f"a block of it is a '{label}', {what}"
    for label, what in {
        "PGP SIGNATURE": _DETACHED,
        "SSH SIGNATURE": _DETACHED,
        "PGP MESSAGE": _ENCRYPTED,
        "AGE ENCRYPTED FILE": _ENCRYPTED,
        "CMS": _ENCRYPTED,
        "PKCS7": _BUNDLE,
        "PKCS #7 SIGNED DATA": _BUNDLE,
        "PKCS12": f"a PKCS#12 file. {_STORE}",
        "TRUSTED CERTIFICATE": (
            "a form of certificate that openssl alone reads. Ask the tenant for the plain one (openssl x509 without "
            "-trustout)"
        ),
        "X509 CRL": f"a list of revoked certificates. {_ASK}",
        "SSH2 PUBLIC KEY": _SSH,
    }.items()
}
# By the type of their first packet (RFC 9580, section 5).
_PACKETS = {
    PKESK: _ENCRYPTED,
    2: _DETACHED,
    PUBLIC_KEY: "an OpenPGP key in binary form. Ask the tenant for its text form (gpg --armor --export)",
}
# Also beside good blocks: the first looks like a block with damaged hyphens, the second like one that is cut off.
_FRAMES = {
    re.compile(r"---- ?BEGIN SSH2 PUBLIC KEY ?----"): f"a part of it is {_SSH}",
    re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----"): (
        "a block of it is a 'PGP SIGNED MESSAGE', and a key inside of a signed mail cannot be used as it is. Ask the "
        "tenant for the key alone (gpg --armor --export)"
    ),
}
# Of a text without blocks: by its beginning, and by the whole of it where it is short.
_BEGINNINGS = {
    re.compile(r"\s*(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+ AAAA"): _SSH,
    re.compile(r"\s*age1[a-z0-9]{20}"): f"a public key for age. {_ASK}",
    re.compile(r"\s*untrusted comment:"): f"a minisign or signify key, which can verify and not encrypt. {_ASK}",
    re.compile(r"(?i)[^<]{0,200}<(?:!doctype html|html)"): f"a web page. {_ASK}",
    re.compile(r"(?is)\s*(?=<).*<(?:[a-z0-9]+:)?X509Certificate>"): f"a certificate inside of XML. {_ASK}",
    re.compile(r"(?is)\s*(?=<).*<(?:[a-z0-9]+:)?RSAKeyValue>"): f"a bare public key in XML. {_ASK}",
    re.compile(r"(?s)\s*[{\[].*\"kty\""): f"a JSON Web Key. {_ASK}",
    re.compile(r"(?ism).*^content-type:\s*(?:application/(?:x-)?pkcs7|multipart/signed)"): f"an S/MIME mail. {_ASK}",
}
_WHOLES = {
    re.compile(r"\s*"): f"empty. {_ASK}",
    re.compile(r"\s*https?://\S+\s*"): "only an address. Ask the tenant for the key that it leads to",
    re.compile(r"\s*(?:0x)?(?:[0-9A-Fa-f]{2}[\s:]{0,2}){4,64}\s*"): (
        f"only a fingerprint or a key id. Keep it to compare the key with. {_ASK}"
    ),
}
_SHORT = 4096
_PRIVATE_MEMBER = re.compile(r"\"d\"\s*:|<D>[A-Za-z0-9+/=\s]+</D>")


def frame_of(text: str) -> str | None:
    """Return what a text holds whose frame would be taken for a damaged block; None for any other text."""
    return next((what for pattern, what in _FRAMES.items() if pattern.search(text)), None)


def text_of(text: str) -> str:
    """Return what a text without blocks is, and what to ask for; raises HeldError `KeyIsPrivate`."""
    whole = (what for pattern, what in _WHOLES.items() if len(text) < _SHORT and pattern.fullmatch(text))
    found = next(whole, None) or next((what for pattern, what in _BEGINNINGS.items() if pattern.match(text)), None)
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
    """Return what OpenPGP blocks are that hold nothing but signatures, as a revocation certificate does."""
    with suppress(ValueError):
        if all(len(block.body) < _SHORT and _tags(block) == {2} for block in blocks):
            return (
                "it is a revocation certificate (or another signature) without the key that it is about. Ask the "
                "tenant whether its key is revoked, and for the key that it uses now (gpg --armor --export)"
            )
    return None


def _tags(block: Block) -> set[int]:
    return {packet.tag for packet in packets(decode_armour(block.body))}


def _of_bytes(text: str) -> str | None:
    """Return what bytes are that come without their frame: in base64, or as an editor shows a binary file."""
    with suppress(ValueError):
        what, ask = _of_der(base64.b64decode("".join(text.split()), validate=True))
        return f"{what} without its BEGIN and END lines. {ask}"
    with suppress(ValueError):
        what, ask = _of_der(text.encode("latin-1"))
        return f"{what} in binary form. {ask}"
    with suppress(ValueError):
        return _of_packets(text.encode("latin-1"))
    return None


def _of_der(data: bytes) -> tuple[str, str]:
    """Return what a DER structure is and what to ask for; raises ValueError for anything else, HeldError if private."""
    (outer,) = der.split(data)
    first, *rest = der.split(outer.content) if outer.tag == der.SEQUENCE else []
    if first.tag == der.INTEGER and rest:
        return _of_versioned(first.content, rest)
    if first.tag == der.OID:
        return "a PKCS#7 or S/MIME file", _ASK
    if first.tag == der.SEQUENCE and [one.tag for one in rest] == [der.SEQUENCE, der.BIT_STRING]:
        return "a certificate or a certificate request", f"{_ASK}, and paste all of it"
    if first.tag == der.SEQUENCE and [one.tag for one in rest] == [der.BIT_STRING]:
        return "a bare public key", _ASK
    if first.tag == der.SEQUENCE and [one.tag for one in rest] == [der.OCTET_STRING]:
        raise private_key()  # EncryptedPrivateKeyInfo (RFC 5958, section 3)
    raise ValueError("an unknown structure")


def _of_versioned(version: bytes, rest: list[der.Element]) -> tuple[str, str]:
    """A PKCS#12 file has version 3 (RFC 7292, section 4), private keys 0 or 1, an RSA public key its modulus here."""
    if version == b"\3":
        return "a PKCS#12 file (.p12, .pfx)", _STORE
    if len(version) == 1:
        raise private_key()
    if [one.tag for one in rest] == [der.INTEGER]:
        return "a bare public key", _ASK
    raise ValueError("an unknown structure")


def _of_packets(data: bytes) -> str:
    """Return what binary OpenPGP is; raises ValueError for anything else, HeldError `KeyIsPrivate`."""
    found = next(packets(data)).tag
    if found in (SECRET_KEY, SECRET_SUBKEY):
        raise private_key()
    if found not in _PACKETS:
        raise ValueError("an unknown packet")
    return _PACKETS[found]
