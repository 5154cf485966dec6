"""CMS envelopes (RFC 5652): AuthEnvelopedData with AES-256-GCM, EnvelopedData with AES-256-CBC, written as a stream.

The size of the plaintext is known in advance. All lengths follow from it, so one pass writes DER. If the whole is too
long for a length of 31 bits, which is the limit of some readers, BER of indefinite length is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC, GCM
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from callseal.core.errors import HeldError, Reason, TransientError
from callseal.crypto.envelopes import Sink, Source, der

if TYPE_CHECKING:
    from callseal.core.recipient import CmsRecipient

CHUNK_BYTES = 256 * 1024
BLOCK_BYTES = 16
TAG_BYTES = 16
MAX_DEFINITE_LENGTH = 2**31 - 1
# NIST SP 800-38D, 5.2.1.1: 2^39 - 256 bits under one key and nonce.
MAX_GCM_BYTES = 2**36 - 32

DATA = der.oid("1.2.840.113549.1.7.1")
ENVELOPED_DATA = der.oid("1.2.840.113549.1.7.3")
AUTH_ENVELOPED_DATA = der.oid("1.2.840.113549.1.9.16.1.23")
AES256_CBC = der.oid("2.16.840.1.101.3.4.1.42")
AES256_GCM = der.oid("2.16.840.1.101.3.4.1.46")
EC_PUBLIC_KEY = der.oid("1.2.840.10045.2.1")
NULL = der.element(der.NULL)

# RFC 4055, 4.1: SHA-256 for both the label's hash and MGF1.
_SHA256 = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"), NULL)
RSAES_OAEP = der.sequence(
    der.oid("1.2.840.113549.1.1.7"),
    der.sequence(
        der.explicit(0, _SHA256),
        der.explicit(1, der.sequence(der.oid("1.2.840.113549.1.1.8"), _SHA256)),
    ),
)
RSA_PKCS1 = der.sequence(der.oid("1.2.840.113549.1.1.1"), NULL)
# RFC 3565, 2.3.2: the parameters are absent.
AES256_WRAP = der.sequence(der.oid("2.16.840.1.101.3.4.1.45"))

# RFC 5753, 7.1.4 and 7.1.5: dhSinglePass-stdDH-sha*kdf-scheme, the hash as strong as the curve.
_CURVES: dict[type[ec.EllipticCurve], tuple[bytes, bytes, type[HashAlgorithm]]] = {
    ec.SECP256R1: (der.oid("1.2.840.10045.3.1.7"), der.oid("1.3.132.1.11.1"), SHA256),
    ec.SECP384R1: (der.oid("1.3.132.0.34"), der.oid("1.3.132.1.11.2"), SHA384),
    ec.SECP521R1: (der.oid("1.3.132.0.35"), der.oid("1.3.132.1.11.3"), SHA512),
}


def seal(source: Source, size: int, recipients: Iterable[CmsRecipient], profile: str, sink: Sink) -> None:
    """Seal exactly `size` bytes of the source to every recipient, under one random key that is used once.

    `profile` is `authenveloped-gcm` or `enveloped-cbc` (unauthenticated, for receivers without RFC 5083).
    Raises TransientError if the source has fewer or more bytes, HeldError `UnsupportedFile` if the file is too long for
    AES-GCM, and ValueError for an empty list of recipients or another profile. After any error the caller must discard
    what was written.
    """
    members = list(recipients)
    if not members:
        raise ValueError("no recipient")
    if profile not in _WRITERS:
        raise ValueError(f"no profile {profile!r}")
    writer = _WRITERS[profile](os.urandom(32), members, size)
    sink(writer.head())
    for chunk in _encrypted(source, size, writer):
        if writer.indefinite:
            sink(der.header(der.OCTET_STRING, len(chunk)))
        sink(chunk)
    sink(writer.tail())


def wrap_key(key: bytes, recipient: CmsRecipient, *, oaep: bool) -> bytes:
    """Return CMS's RecipientInfo with the content-encryption key, encrypted to one recipient.

    For RSA, `oaep` selects RSAES-OAEP with SHA-256 instead of PKCS #1 v1.5.
    """
    public_key = recipient.public_key
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return _key_agree(key, recipient.issuer_and_serial, public_key)
    algorithm, scheme = (RSAES_OAEP, _OAEP) if oaep else (RSA_PKCS1, padding.PKCS1v15())
    # KeyTransRecipientInfo (RFC 5652, 6.2.1). Version 0 is the one for issuerAndSerialNumber.
    return der.sequence(
        der.integer(0), recipient.issuer_and_serial, algorithm, der.octets(public_key.encrypt(key, scheme))
    )


_OAEP = padding.OAEP(mgf=padding.MGF1(SHA256()), algorithm=SHA256(), label=None)


def _key_agree(key: bytes, issuer_and_serial: bytes, public_key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a KeyAgreeRecipientInfo with an ephemeral key (RFC 5753, 3.1.1)."""
    curve, scheme, kdf_hash = _CURVES[type(public_key.curve)]
    ephemeral = ec.generate_private_key(public_key.curve)
    # ECC-CMS-SharedInfo (RFC 5753, 7.2): the algorithm that uses the wrapping key, and the key's length in bits.
    shared_info = der.sequence(AES256_WRAP, der.explicit(2, der.octets((256).to_bytes(4))))
    wrapping_key = X963KDF(kdf_hash(), 32, shared_info).derive(ephemeral.exchange(ec.ECDH(), public_key))
    point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    originator_key = der.explicit(1, der.sequence(EC_PUBLIC_KEY, curve), der.bits(point))
    return der.explicit(
        1,
        der.integer(3),
        der.explicit(0, originator_key),
        der.sequence(scheme, AES256_WRAP),
        der.sequence(der.sequence(issuer_and_serial, der.octets(aes_key_wrap(wrapping_key, key)))),
    )


def _encrypted(source: Source, size: int, writer: _GcmWriter | _CbcWriter) -> Iterator[memoryview]:
    """Yield the encrypted content chunk by chunk. A chunk is valid until the next one: the buffers are reused."""
    plain = memoryview(bytearray(CHUNK_BYTES))
    sealed = memoryview(bytearray(CHUNK_BYTES + 2 * BLOCK_BYTES))
    update_into, done = writer.context.update_into, 0
    while count := source.readinto(plain):
        done += count
        if done > size:
            break
        if written := update_into(plain[:count], sealed):
            yield sealed[:written]
    if done != size:
        raise TransientError(f"The landed file ended early or grew while it was read: {done} of {size} bytes.")
    if padding_octets := writer.padding():
        yield sealed[: update_into(padding_octets, sealed)]


class _Writer:
    """The part that both envelopes share: everything before the encrypted content, and the lengths around it."""

    content_type: bytes
    version: int

    def __init__(self, infos: list[bytes], algorithm: bytes, content_size: int, mac_size: int) -> None:
        self._start = der.integer(self.version) + der.set_of(*infos)
        self._algorithm = algorithm
        self._content_size = content_size
        self._mac_size = mac_size
        self._definite_head = self._head()
        self.indefinite = self._definite_head is None

    def head(self) -> bytes:
        """Return everything before the first encrypted byte."""
        if self._definite_head is not None:
            return self._definite_head
        return b"".join(
            (
                der.indefinite(der.SEQUENCE), self.content_type, der.indefinite(0xA0),
                der.indefinite(der.SEQUENCE), self._start,
                der.indefinite(der.SEQUENCE), DATA, self._algorithm, der.indefinite(0xA0),
            )
        )  # fmt: skip

    def _head(self) -> bytes | None:
        """Return the head with definite lengths, built from the inside out, or None if the whole is too long."""
        content = der.header(0x80, self._content_size)
        info = DATA + self._algorithm + content
        info = der.header(der.SEQUENCE, len(info) + self._content_size) + info
        data = self._start + info
        data = der.header(der.SEQUENCE, len(data) + self._content_size + self._mac_size) + data
        body = self.content_type + der.header(0xA0, len(data) + self._content_size + self._mac_size) + data
        length = len(body) + self._content_size + self._mac_size
        return der.header(der.SEQUENCE, length) + body if length <= MAX_DEFINITE_LENGTH else None

    def _tail(self, mac: bytes) -> bytes:
        """Return the end: close the encrypted content and its info, add the MAC, close the rest.

        With definite lengths, only the MAC is left.
        """
        close = der.END_OF_CONTENTS if self.indefinite else b""
        return close * 2 + mac + close * 3


class _GcmWriter(_Writer):
    """AuthEnvelopedData (RFC 5083) with AES-256-GCM (RFC 5084): a nonce of 12 octets, a tag of 16."""

    content_type = AUTH_ENVELOPED_DATA
    version = 0

    def __init__(self, key: bytes, members: list[CmsRecipient], size: int) -> None:
        if size > MAX_GCM_BYTES:
            raise HeldError(
                Reason.UNSUPPORTED_FILE,
                f"The landed file has {size:,} bytes, and AES-GCM can seal {MAX_GCM_BYTES:,} under one key. Upload "
                "it in parts, or set the tenant's cms_profile to enveloped-cbc.",
            )
        nonce = os.urandom(12)
        self.context = Cipher(AES256(key), GCM(nonce)).encryptor()
        algorithm = der.sequence(AES256_GCM, der.sequence(der.octets(nonce), der.integer(TAG_BYTES)))
        infos = [wrap_key(key, member, oaep=True) for member in members]
        super().__init__(infos, algorithm, size, len(der.header(der.OCTET_STRING, TAG_BYTES)) + TAG_BYTES)

    def padding(self) -> bytes:
        """Return no padding, as GCM needs none."""
        return b""

    def tail(self) -> bytes:
        """Return the end of the message, with the tag as the MAC of AuthEnvelopedData."""
        self.context.finalize()
        return self._tail(der.octets(self.context.tag))


class _CbcWriter(_Writer):
    """EnvelopedData (RFC 5652, 6.1) with AES-256-CBC (RFC 3565) and the padding of RFC 5652, 6.3."""

    content_type = ENVELOPED_DATA

    def __init__(self, key: bytes, members: list[CmsRecipient], size: int) -> None:
        iv = os.urandom(BLOCK_BYTES)
        # RFC 5652, 6.1: 0 if every recipient is a KeyTransRecipientInfo by issuer and serial, else 2.
        self.version = 2 if any(isinstance(m.public_key, ec.EllipticCurvePublicKey) for m in members) else 0
        self.context: CipherContext = Cipher(AES256(key), CBC(iv)).encryptor()
        self._padding = BLOCK_BYTES - size % BLOCK_BYTES
        infos = [wrap_key(key, member, oaep=False) for member in members]
        super().__init__(infos, der.sequence(AES256_CBC, der.octets(iv)), size + self._padding, 0)

    def padding(self) -> bytes:
        """Return the padding: 1 to 16 octets up to the end of a block, each with their number as its value."""
        return bytes((self._padding,)) * self._padding

    def tail(self) -> bytes:
        """Return the end of the message, without a MAC."""
        self.context.finalize()
        return self._tail(b"")


_WRITERS: dict[str, type[_GcmWriter | _CbcWriter]] = {"authenveloped-gcm": _GcmWriter, "enveloped-cbc": _CbcWriter}
