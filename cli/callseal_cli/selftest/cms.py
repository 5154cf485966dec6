"""Open CMS as a receiver does: AuthEnvelopedData (RFC 5083) and EnvelopedData (RFC 5652), for one RSA recipient.

It shares no code with the functions' writer. It does not use openssl, because that of macOS lacks RFC 5083.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.padding import PKCS7

SET, CONTENT = 0x31, 0xA0
# The contents of the OBJECT IDENTIFIERs, in hex.
AUTH_ENVELOPED_DATA = bytes.fromhex("2a864886f70d0109100117")
ENVELOPED_DATA = bytes.fromhex("2a864886f70d010703")
_OAEP = OAEP(MGF1(SHA256()), SHA256(), None)


def open_cms(sealed: bytes, key: RSAPrivateKey) -> bytes:
    """Return the content of a message. Raise ValueError or InvalidTag if the key or the message is wrong."""
    (_, message), *after = _elements(sealed)
    if after:
        raise ValueError("bytes after the message")
    (_, kind), (_, content) = _elements(message)
    if kind not in _OPENERS:
        raise ValueError("neither AuthEnvelopedData nor EnvelopedData")
    unwrap, decrypt = _OPENERS[kind]
    ((_, data),) = _elements(content)
    members = list(_elements(data))
    # The recipients are the only SET. The encrypted content follows (RFC 5652, 6.1).
    infos, info = next((this[1], following[1]) for this, following in pairwise(members) if this[0] == SET)
    (_, recipient), *_ = _elements(infos)
    *_, (_, wrapped) = _elements(recipient)
    _, (_, algorithm), (_, encrypted) = _elements(info)
    _, (_, parameters) = _elements(algorithm)
    return decrypt(key.decrypt(wrapped, unwrap), parameters, encrypted, members[-1][1])


def _gcm(key: bytes, parameters: bytes, encrypted: bytes, tag: bytes) -> bytes:
    (_, nonce), *_ = _elements(parameters)
    return AESGCM(key).decrypt(nonce, encrypted + tag, None)


def _cbc(key: bytes, initial: bytes, encrypted: bytes, _: bytes) -> bytes:
    decryptor, unpadder = Cipher(AES256(key), CBC(initial)).decryptor(), PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(encrypted) + decryptor.finalize()) + unpadder.finalize()


_OPENERS: dict[bytes, tuple[AsymmetricPadding, Callable[[bytes, bytes, bytes, bytes], bytes]]] = {
    AUTH_ENVELOPED_DATA: (_OAEP, _gcm),
    ENVELOPED_DATA: (PKCS1v15(), _cbc),
}


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Return tag and contents of consecutive DER elements. Raise ValueError if they are truncated."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], *_length(data, at + 1)
        if at + length > len(data):
            raise ValueError("the message is truncated")
        yield tag, data[at : at + length]
        at += length


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Return an element's length and the offset of its contents (X.690, 8.1.3). Raise ValueError if indefinite."""
    first = data[at] if at < len(data) else 0x80
    if first < 0x80:
        return first, at + 1
    octets = first & 0x7F
    if not octets:
        raise ValueError("no definite length")
    return int.from_bytes(data[at + 1 : at + 1 + octets]), at + 1 + octets
