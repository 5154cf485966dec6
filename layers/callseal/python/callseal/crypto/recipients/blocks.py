"""Blocks: the parts of a text between `-----BEGIN X-----` and `-----END X-----`. Any text around them is ignored.

PEM (RFC 7468) and OpenPGP's ASCII armour (RFC 9580, section 6) share these lines.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from itertools import dropwhile

from callseal.core.errors import HeldError, Reason

_MARKER = re.compile(r"-----(BEGIN|END) ([A-Z0-9][A-Z0-9 ]{0,62})-----")
# Wider than the accepted markers, because a private key must be recognised even if its frame is damaged.
_PRIVATE = re.compile(
    r"[-\u2010-\u2015]\s*BEGIN[A-Z0-9 ]*\b(PRIVATE|SECRET)\s+KEY|PuTTY-User-Key-File-\d|Private-Lines:"
    # age, and minisign or signify
    r"|AGE-SECRET-KEY-1|untrusted comment:[a-z ]{0,40} secret key",
    re.IGNORECASE,
)
# A marker whose hyphens were lost or replaced by dashes. Its block must not be ignored like prose. `++` does not
# backtrack, so a text of many spaces does not take quadratic time.
_LIKE_A_MARKER = re.compile(r"[-\u2010-\u2015]\s*(?:BEGIN|END)\s++[A-Z0-9 ]*(?:CERTIFICATE|PUBLIC KEY)")
_ARMOUR_HEADER = re.compile(r"[ \t]*[A-Za-z][A-Za-z0-9-]*: ")
_CRC24_INIT, _CRC24_POLYNOMIAL = 0xB704CE, 0x1864CFB


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its label, such as `CERTIFICATE`, and the text between its two lines."""

    label: str
    body: str


def private_key() -> HeldError:
    """Return the error for a pasted private key. It repeats no part of the key."""
    return HeldError(
        Reason.KEY_IS_PRIVATE,
        "The tenant's key is a PRIVATE key, which must never leave the tenant. Delete this version of the secret. Ask "
        "the tenant to stop using this key pair, which is compromised, and to send the public key of a new one.",
    )


def has_private_key(text: str) -> bool:
    """Return whether the text has a private key in any known form."""
    return _PRIVATE.search(text) is not None


def refuse_private_keys(text: str) -> None:
    """Raise HeldError `KeyIsPrivate` if the text has a private key in any known form."""
    if has_private_key(text):
        raise private_key()


def find_blocks(text: str) -> list[Block]:
    """Return the blocks of a text. Raises HeldError `KeyUnreadable` if a BEGIN or END line is damaged or alone."""
    blocks, markers = [], list(_MARKER.finditer(text))
    if len(_LIKE_A_MARKER.findall(text)) > len([m for m in markers if _LIKE_A_MARKER.match(m[0], 4)]):
        raise HeldError(
            Reason.KEY_UNREADABLE,
            "The tenant's key cannot be read: a BEGIN or END line is damaged (it must have five plain hyphens on "
            "each side). Paste it from the original text file, not from a document or mail.",
        )
    for begin, end in zip(markers[::2], [*markers[1::2], None], strict=False):
        if end is None or begin[1] != "BEGIN" or end[1] != "END" or begin[2] != end[2]:
            raise HeldError(
                Reason.KEY_UNREADABLE,
                f"The tenant's key cannot be read: its block '{begin[2]}' is cut off, because the BEGIN and END "
                "lines do not match. Paste the whole key again.",
            )
        blocks.append(Block(begin[2], text[begin.end() : end.start()]))
    return blocks


def decode_pem(body: str) -> bytes:
    """Return the bytes of a PEM block's body. White space is ignored. Raises ValueError for any other deviation."""
    return base64.b64decode("".join(body.split()), validate=True)


def decode_armour(body: str) -> bytes:
    """Return the bytes of an armoured block's body. Headers and checksum are optional. Raises ValueError.

    A checksum must be right, if there is one. RFC 9580 lets a reader ignore it, but gpg rejects a key with a wrong one.
    """
    lines = dropwhile(_is_before_data, (line.strip() for line in body.splitlines()))
    text = "".join("".join(line.split()) for line in lines)
    # Base64 has "=" only as padding at its end. The checksum "=XXXX" follows it.
    checksum = text[-4:] if len(text) >= 5 and text[-5] == "=" and not text.endswith("=") else None
    data = base64.b64decode(text[:-5] if checksum else text, validate=True)
    if checksum and int.from_bytes(base64.b64decode(checksum, validate=True)) != _crc24(data):
        raise binascii.Error("its checksum is wrong")
    return data


def _is_before_data(line: str) -> bool:
    return not line or _ARMOUR_HEADER.match(line + " ") is not None


def _crc24(data: bytes) -> int:
    crc = _CRC24_INIT
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc = (crc << 1) ^ (_CRC24_POLYNOMIAL if crc & 0x800000 else 0)
    return crc & 0xFFFFFF
