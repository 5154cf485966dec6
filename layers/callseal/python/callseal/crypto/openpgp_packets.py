"""OpenPGP packet framing (RFC 9580, 4.2): the types and limits of packets. Their bodies are left to gpg."""

from collections.abc import Iterator
from typing import NamedTuple

PKESK, SIGNATURE, SECRET_KEY, PUBLIC_KEY, SECRET_SUBKEY, USER_ID, PUBLIC_SUBKEY = 1, 2, 5, 6, 7, 13, 14
USER_ATTRIBUTE, SEIPD = 17, 18


class Packet(NamedTuple):
    """A packet's type and its body."""

    tag: int
    body: bytes


def packets(data: bytes) -> Iterator[Packet]:
    """Yield the packets in some data. Raises ValueError if the data is not a sequence of packets of known length."""
    position = 0
    while position < len(data):
        tag, start, length = _header(data, position)
        if length is None or start + length > len(data):
            raise ValueError("a packet is cut off")
        yield Packet(tag, data[start : start + length])
        position = start + length


def frame(packet: Packet) -> bytes:
    """Return a packet's bytes with a five-octet length, which fits every body (RFC 9580, 4.2.1.3)."""
    return bytes((0xC0 | packet.tag, 0xFF)) + len(packet.body).to_bytes(4) + packet.body


def head_packets(head: bytes) -> Iterator[Packet]:
    """Yield the packets that begin in the head of a message. The head may end anywhere, and cut off the last body."""
    position: int | None = 0
    while position is not None and position + 6 <= len(head):
        tag, start, length = _header(head, position)
        position = None if length is None else start + length
        yield Packet(tag, head[start:position])


def _header(data: bytes, position: int) -> tuple[int, int, int | None]:
    """Return a packet's type, the start of its body and the body's length (None if partial or indeterminate)."""
    try:
        octet = data[position]
        if not octet & 0x80:
            raise ValueError("no packet begins here")
        if octet & 0x40:
            return (octet & 0x3F, *_new_length(data, position + 1))
        width = (1, 2, 4, 0)[octet & 3]
        start = position + 1 + width
        return octet >> 2 & 0xF, start, int.from_bytes(data[position + 1 : start]) if width else None
    except IndexError as exc:
        raise ValueError("a packet header is cut off") from exc


def _new_length(data: bytes, position: int) -> tuple[int, int | None]:
    first = data[position]
    if first < 192:
        return position + 1, first
    if first < 224:
        return position + 2, ((first - 192) << 8) + data[position + 1] + 192
    if first < 255:
        return position + 1, None
    return position + 5, int.from_bytes(data[position + 1 : position + 5])
