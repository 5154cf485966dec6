"""A parser of certificates (RFC 5280, section 4.1) that reads only the fields that decide about sealing.

cryptography's parser reads every name, date and extension, and rejects a certificate for any oddity in them, though
openssl and Bouncy Castle use such certificates. See docs/decisions/0054-certificate-parser.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from callseal.crypto.envelopes import der

BOOLEAN, UTC_TIME, GENERALIZED_TIME = 0x01, 0x17, 0x18
VERSION, EXTENSIONS = 0xA0, 0xA3
UNIQUE_IDS = {0x81, 0x82, 0xA1, 0xA2}
# UTF8String, UniversalString, BMPString. In the other string types, any octets are valid.
_CODECS = {0x0C: "utf-8", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}
KEY_USAGE, BASIC_CONSTRAINTS = der.oid("2.5.29.15"), der.oid("2.5.29.19")
# Seconds, fraction and zone are optional in practice, though RFC 5280 (4.1.2.5) requires `YYYYMMDDHHMMSSZ`.
_TIME = re.compile(
    rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:[.,]\d+)?(?:Z|([+-])(\d\d)(\d\d))?",
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The fields of a certificate, in its own DER. The methods parse them."""

    encoded: bytes
    tbs: bytes
    signature_algorithm: bytes
    signature: bytes
    serial: bytes
    issuer: bytes
    subject: bytes
    public_key_info: bytes
    _not_before: der.Element
    _not_after: der.Element
    # Each extension: its object identifier in DER, and its value.
    _extensions: tuple[tuple[bytes, bytes], ...]

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the whole certificate (upper-case hex)."""
        return sha256(self.encoded).hexdigest().upper()

    def not_before(self) -> datetime:
        """Return the first moment of validity (UTC). Raises ValueError."""
        return _time(self._not_before)

    def not_after(self) -> datetime:
        """Return the last moment of validity (UTC). Raises ValueError."""
        return _time(self._not_after)

    def key_usage(self) -> int | None:
        """Return the first octet of keyUsage (0x80 is bit 0), or None without the extension. Raises ValueError.

        Bits that the encoding declares as unused are cleared.
        """
        value = self._extension(KEY_USAGE)
        if value is None:
            return None
        if value.tag != der.BIT_STRING or not value.content or value.content[0] > 7:
            raise ValueError("keyUsage is not a BIT STRING")
        unused, octets = value.content[0], value.content[1:]
        if len(octets) != 1:
            return octets[0] if octets else 0
        return octets[0] & (0xFF << unused) & 0xFF

    def is_authority(self) -> bool:
        """Return whether basicConstraints has cA TRUE. Raises ValueError."""
        value = self._extension(BASIC_CONSTRAINTS)
        if value is None:
            return False
        if value.tag != der.SEQUENCE:
            raise ValueError("basicConstraints is not a SEQUENCE")
        return any(field.tag == BOOLEAN and any(field.content) for field in _split(value.content))

    def _extension(self, wanted: bytes) -> der.Element | None:
        values = [value for identifier, value in self._extensions if identifier == wanted]
        if not values:
            return None
        if len(values) > 1:
            raise ValueError("the extension occurs more than once")
        (element,) = _split(values[0])
        return element


def parse(data: bytes) -> Certificate:
    """Return the fields of a certificate in DER. Raises ValueError if it is damaged."""
    tbs, algorithm, signature = _fields(_sole(data), 3)
    fields = _split(_content(tbs))
    if fields and fields[0].tag == VERSION:
        _check_version(fields.pop(0))
    if len(fields) < 6:
        raise ValueError("a field is missing")
    serial, _, issuer, validity, subject, public_key = fields[:6]
    _check_integer(serial)
    not_before, not_after = _fields(validity, 2)
    if signature.tag != der.BIT_STRING or not signature.content:
        raise ValueError("the signature is not a BIT STRING")
    for part in (algorithm, issuer, subject, public_key):
        _content(part)
    return Certificate(
        data,
        tbs.encoded,
        algorithm.encoded,
        signature.content[1:],
        serial.encoded,
        issuer.encoded,
        subject.encoded,
        public_key.encoded,
        not_before,
        not_after,
        _extensions(fields[6:]),
    )


def algorithm_of(encoded: bytes) -> tuple[str, bytes]:
    """Return an AlgorithmIdentifier's object identifier (dotted) and its parameters (DER). Raises ValueError."""
    identifier, *parameters = _split(_content(_sole(encoded)))
    if identifier.tag != der.OID:
        raise ValueError("an algorithm has no object identifier")
    return der.dotted(identifier.content), b"".join(parameter.encoded for parameter in parameters)


def key_parts(public_key_info: bytes) -> tuple[str, der.Element]:
    """Return the public key's algorithm (dotted) and the BIT STRING with the key. Raises ValueError."""
    algorithm, key = _fields(_sole(public_key_info), 2)
    return algorithm_of(algorithm.encoded)[0], key


def name_parts(encoded: bytes) -> list[list[tuple[bytes, str]]]:
    """Return a name's attributes (type in DER, text), by relative distinguished name.

    Raises ValueError if a text has characters that its string type does not allow. openssl cannot read a CMS file with
    such a text, for any of its recipients.
    """
    names = _split(_content(_sole(encoded)))
    return [[_attribute(attribute) for attribute in _split(_content(name, der.SET))] for name in names]


def _attribute(attribute: der.Element) -> tuple[bytes, str]:
    kind, value = _fields(attribute, 2)
    if kind.tag != der.OID:
        raise ValueError("a name's attribute has no type")
    return kind.encoded, value.content.decode(_CODECS.get(value.tag, "latin-1"))


def _extensions(rest: list[der.Element]) -> tuple[tuple[bytes, bytes], ...]:
    if any(field.tag not in UNIQUE_IDS and field.tag != EXTENSIONS for field in rest):
        raise ValueError("a field is unknown")
    blocks = [field for field in rest if field.tag == EXTENSIONS]
    if len(blocks) > 1:
        raise ValueError("the extensions occur more than once")
    return tuple(_extension(element) for block in blocks for element in _split(_content(_sole(block.content))))


def _extension(extension: der.Element) -> tuple[bytes, bytes]:
    """Return identifier and value. `critical` is not read, because unknown extensions do not affect sealing."""
    parts = _split(_content(extension))
    if len(parts) not in (2, 3) or parts[0].tag != der.OID or parts[-1].tag != der.OCTET_STRING:
        raise ValueError("an extension has no value")
    return parts[0].encoded, parts[-1].content


def _time(element: der.Element) -> datetime:
    text = element.content
    if element.tag == UTC_TIME:
        text = (b"20" if text[:2] < b"50" else b"19") + text  # RFC 5280, 4.1.2.5.1
    match = _TIME.fullmatch(text)
    if element.tag not in (UTC_TIME, GENERALIZED_TIME) or not match:
        raise ValueError("a date is damaged")
    *moment, sign, hours, minutes = match.groups(b"0")
    ahead = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == b"-" else 1)
    try:
        return datetime(*map(int, moment), tzinfo=UTC) - ahead  # type: ignore[misc, arg-type]
    except OverflowError as exc:
        raise ValueError("a date is out of range") from exc


def _check_version(version: der.Element) -> None:
    """Raise ValueError for a version other than 1 to 3, which may have another structure."""
    number = _sole(version.content)
    if number.tag != der.INTEGER or number.content not in (b"\0", b"\1", b"\2"):
        raise ValueError("an unknown version")


def _check_integer(number: der.Element) -> None:
    """Raise ValueError for a padded INTEGER (X.690, 8.3.2).

    Some readers compare serial numbers by their bytes, others by their values.
    """
    padded = (
        number.content[:1] in (b"\0", b"\xff")
        and number.content[1:]
        and (number.content[0] >> 7 == number.content[1] >> 7)
    )
    if number.tag != der.INTEGER or not number.content or padded:
        raise ValueError("the serial number is not an INTEGER")


def _split(data: bytes) -> list[der.Element]:
    """Split as `der.split` does, but reject all but DER: definite lengths of the fewest octets, single-octet tags."""
    elements = der.split(data)
    if any(found.tag & 0x1F == 0x1F or found.encoded != der.element(found.tag, found.content) for found in elements):
        raise ValueError("an element is not in DER")
    return elements


def _sole(data: bytes) -> der.Element:
    elements = _split(data)
    if len(elements) != 1:
        raise ValueError("there is more than one element, or none")
    return elements[0]


def _content(element: der.Element, tag: int = der.SEQUENCE) -> bytes:
    if element.tag != tag:
        raise ValueError("a field is of another type")
    return element.content


def _fields(element: der.Element, count: int) -> list[der.Element]:
    found = _split(_content(element))
    if len(found) != count:
        raise ValueError("a field is missing")
    return found
