"""The part of DER (X.690) that CMS needs: definite lengths of the fewest octets, and single-octet tags.

docs/decisions/0001-der-writer.md explains why Callseal has its own.
"""

from typing import NamedTuple

INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x05, 0x06, 0x30, 0x31
END_OF_CONTENTS = b"\0\0"


class Element(NamedTuple):
    """One element: its tag octet, its contents, and its whole encoding."""

    tag: int
    content: bytes
    encoded: bytes


def header(tag: int, length: int) -> bytes:
    """Return the tag and length (X.690, 8.1.3) of an element whose contents follow."""
    if length < 0x80:
        return bytes((tag, length))
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets


def indefinite(tag: int) -> bytes:
    """Return the start of a constructed element of indefinite length (BER), which END_OF_CONTENTS ends."""
    return bytes((tag, 0x80))


def element(tag: int, *contents: bytes) -> bytes:
    """Return an element with the concatenated contents."""
    body = b"".join(contents)
    return header(tag, len(body)) + body


def sequence(*elements: bytes) -> bytes:
    """Encode a SEQUENCE."""
    return element(SEQUENCE, *elements)


def set_of(*elements: bytes) -> bytes:
    """Encode a SET OF, its elements in ascending order of their encodings (X.690, 11.6)."""
    return element(SET, *sorted(elements))


def explicit(number: int, *contents: bytes) -> bytes:
    """Encode a constructed, context-specific tag around its contents."""
    return element(0xA0 | number, *contents)


def integer(value: int) -> bytes:
    """Encode a non-negative INTEGER."""
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def octets(value: bytes) -> bytes:
    """Encode an OCTET STRING."""
    return element(OCTET_STRING, value)


def bits(value: bytes) -> bytes:
    """Encode a BIT STRING of whole octets."""
    return element(BIT_STRING, b"\0", value)


def oid(dotted: str) -> bytes:
    """Encode an OBJECT IDENTIFIER (X.690, 8.19)."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return element(OID, *(_base128(arc) for arc in (40 * first + second, *rest)))


def dotted(content: bytes) -> str:
    """Return an OBJECT IDENTIFIER, such as `2.5.29.15`, from its contents (X.690, 8.19).

    Raises ValueError if they are cut off.
    """
    arcs, arc = list[int](), 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if octet < 0x80:
            arcs, arc = [*arcs, arc], 0
    if not content or content[-1] >= 0x80:
        raise ValueError("an object identifier is cut off")
    root = min(arcs[0] // 40, 2)
    return ".".join(map(str, (root, arcs[0] - 40 * root, *arcs[1:])))


def split(data: bytes) -> list[Element]:
    """Return the elements of a concatenation. Raises ValueError if they do not fill the data exactly."""
    elements, position = [], 0
    while position < len(data):
        start, tag = position, data[position]
        first = int.from_bytes(data[position + 1 : position + 2])
        count = first & 0x7F if first >= 0x80 else 0
        position += 2 + count
        length = int.from_bytes(data[position - count : position]) if count else first
        if position + length > len(data):
            raise ValueError("an element is longer than its container")
        elements.append(Element(tag, data[position : position + length], data[start : position + length]))
        position += length
    return elements


def _base128(arc: int) -> bytes:
    encoded = bytes((arc & 0x7F,))
    while arc := arc >> 7:
        encoded = bytes((0x80 | arc & 0x7F,)) + encoded
    return encoded
