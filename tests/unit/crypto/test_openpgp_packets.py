"""OpenPGP packet framing, compared with `gpg --list-packets`, and applied to arbitrary bytes."""

import base64
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callseal.crypto.openpgp_packets import head_packets, packets
from tests.support.keys import OpenPgpTenant, gpg, openpgp_tenant


def tags_by_gpg(tenant: OpenPgpTenant, data: bytes) -> list[int]:
    listing = gpg(tenant.home, "--list-packets", data=data).decode(errors="replace")
    return [int(tag) for tag in re.findall(r"^# off=\d+ ctb=\w+ tag=(\d+) ", listing, re.MULTILINE)]


def new_header(tag: int, length: int) -> bytes:
    """Return a header of the new format, RFC 9580, 4.2.1."""
    if length < 192:
        return bytes([0xC0 | tag, length])
    if length < 8384:
        return bytes([0xC0 | tag, (length - 192 >> 8) + 192, length - 192 & 0xFF])
    return bytes([0xC0 | tag, 255]) + length.to_bytes(4)


def old_header(tag: int, length: int) -> bytes:
    """Return a header of the old format, RFC 9580, 4.2.2."""
    kind, width = (0, 1) if length < 256 else (1, 2) if length < 65_536 else (2, 4)
    return bytes([0x80 | tag << 2 | kind]) + length.to_bytes(width)


bodies = st.binary(max_size=40) | st.sampled_from([191, 192, 255, 256, 8383, 8384, 65_535, 65_536]).map(bytes)
framed = st.tuples(st.integers(1, 63), bodies, st.booleans())


@pytest.mark.parametrize("algorithm", ["rsa2048", "cv25519"])
def test_a_key_has_the_packets_that_gpg_lists(algorithm: str) -> None:
    tenant = openpgp_tenant(algorithm)
    exported = gpg(tenant.home, "--export")

    assert [packet.tag for packet in packets(exported)] == tags_by_gpg(tenant, exported)
    assert [packet.tag for packet in packets(exported)] == [6, 13, 2, 14, 2]


def test_a_message_has_the_packets_that_gpg_lists_up_to_the_sealed_one() -> None:
    tenant = openpgp_tenant("cv25519")
    message = gpg(
        tenant.home,
        "-r",
        tenant.fingerprint,
        "-r",
        tenant.fingerprint,
        "--trust-model",
        "always",
        "--encrypt",
        data=b"x",
    )
    assert [packet.tag for packet in head_packets(message)] == tags_by_gpg(tenant, message)[:2] == [1, 18]


@given(st.lists(framed, max_size=6))
def test_packets_of_both_formats_are_parsed(parts: list[tuple[int, bytes, bool]]) -> None:
    wanted = [(tag & 15 if old else tag, body) for tag, body, old in parts]
    data = b"".join(
        (old_header if old else new_header)(tag, len(body)) + body
        for (tag, body), (_, _, old) in zip(wanted, parts, strict=True)
    )
    assert [tuple(packet) for packet in packets(data)] == wanted


@given(st.lists(framed, min_size=1, max_size=3), st.data())
def test_a_sequence_that_is_cut_off_is_a_value_error(parts: list[tuple[int, bytes, bool]], data: st.DataObject) -> None:
    encoded = [new_header(tag, len(body)) + body for tag, body, _ in parts]
    whole = b"".join(encoded)
    ends = {len(b"".join(encoded[:count])) for count in range(len(encoded) + 1)}
    cut = data.draw(st.integers(1, len(whole) - 1).filter(lambda place: place not in ends)) if len(whole) > 1 else 1
    with pytest.raises(ValueError, match="cut off"):
        list(packets(whole[:cut]))


@given(st.binary() | st.binary().map(lambda tail: b"\x99\x01\x0d\x04" + tail))
@example(b"\xc6")
@example(b"\xc6\xff\0\0")
@example(b"\xc6\xc0")
@example(b"\x9b")
@example(b"\x9a\0\0")
def test_arbitrary_bytes_are_packets_or_a_value_error(data: bytes) -> None:
    try:
        found = list(packets(data))
    except ValueError:
        return
    assert sum(len(packet.body) for packet in found) <= len(data)


@given(st.binary())
def test_head_of_any_bytes_is_packets_or_raises_value_error(head: bytes) -> None:
    try:
        tags = [packet.tag for packet in head_packets(head)]
    except ValueError:
        return
    assert all(0 <= tag < 64 for tag in tags)


def test_an_armoured_text_is_no_packet() -> None:
    with pytest.raises(ValueError, match="no packet begins here"):
        list(packets(base64.b64encode(b"key")))


def test_partial_lengths_are_rejected_in_a_key() -> None:
    with pytest.raises(ValueError, match="cut off"):
        list(packets(bytes([0xC6, 224 + 9]) + bytes(600)))


def test_the_head_ends_where_a_packet_of_unknown_length_begins() -> None:
    head = new_header(1, 300) + bytes(300) + bytes([0xC0 | 18, 224 + 13]) + bytes(2000)
    assert [packet.tag for packet in head_packets(head)] == [1, 18]


def test_a_head_may_break_off_anywhere() -> None:
    head = new_header(1, 300) + bytes(300) + new_header(18, 50_000) + bytes(100)
    assert [packet.tag for packet in head_packets(head)] == [1, 18]
    assert [packet.tag for packet in head_packets(head[:200])] == [1]
