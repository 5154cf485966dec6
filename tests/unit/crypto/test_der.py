"""The DER writer against asn1crypto, which implements all of X.690."""

import re

import pytest
from asn1crypto import core, parser
from hypothesis import example, given
from hypothesis import strategies as st

from callseal.crypto.envelopes import der

LENGTHS = [0, 1, 127, 128, 129, 255, 256, 65_535, 65_536, 2**24 - 1, 2**24]
arcs = st.integers(0, 2**70)
oids = st.builds(
    lambda root, second, rest: ".".join(map(str, [root, second if root == 2 else second % 40, *rest])),
    st.integers(0, 2),
    st.integers(0, 2000),
    st.lists(arcs, max_size=8),
)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_is_written_in_as_few_octets_as_it_can(length: int) -> None:
    written = der.header(der.OCTET_STRING, length)[1:]
    if length < 128:
        assert written == bytes([length])
    else:
        assert written[0] == 0x80 + len(written) - 1
        assert int.from_bytes(written[1:]) == length
        assert written[1] != 0


@pytest.mark.parametrize("length", LENGTHS[:9])
def test_an_octet_string_of_any_length_reads_back(length: int) -> None:
    value = bytes(length)
    assert der.octets(value) == core.OctetString(value).dump()
    assert core.OctetString.load(der.octets(value), strict=True).native == value


@given(st.integers(0, 2**4096))
@example(0)
@example(127)
@example(128)
@example(255)
@example(256)
def test_integers_are_what_asn1crypto_writes(value: int) -> None:
    assert der.integer(value) == core.Integer(value).dump()


@given(oids)
@example("2.16.840.1.101.3.4.1.46")
@example("2.999.3")
@example("0.0")
@example("1.39.127.128.16383.16384")
def test_object_identifiers_are_what_asn1crypto_writes(dotted: str) -> None:
    assert core.ObjectIdentifier.load(der.oid(dotted), strict=True).dotted == dotted
    assert der.oid(dotted) == core.ObjectIdentifier(dotted).dump(force=True)


@given(oids)
@example("2.999.3")
@example("0.0")
@example("1.39.127.128.16383.16384")
def test_an_object_identifier_reads_back(dotted: str) -> None:
    assert der.dotted(der.split(der.oid(dotted))[0].content) == dotted


@pytest.mark.parametrize("content", [b"", b"\x2a\x86"])
def test_an_object_identifier_that_is_cut_off_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="cut off"):
        der.dotted(content)


@given(st.binary(max_size=300))
def test_bit_strings_are_what_asn1crypto_writes(value: bytes) -> None:
    assert core.OctetBitString.load(der.bits(value), strict=True).native == value
    assert der.bits(value) == core.OctetBitString(value).dump()


class Anys(core.SequenceOf):
    _child_spec = core.Any


class OctetSet(core.SetOf):
    _child_spec = core.OctetString


@given(st.lists(st.binary(max_size=150), max_size=8))
def test_sequences_and_sets_are_what_asn1crypto_writes(values: list[bytes]) -> None:
    members = [der.octets(value) for value in values]
    sequence = Anys.load(der.sequence(*members), strict=True)
    assert [member.dump() for member in sequence] == members
    # X.690, 11.6: ascending. asn1crypto sorts the members when it writes.
    assert der.set_of(*members) == OctetSet(values).dump(force=True)
    assert der.set_of(*members) == der.set_of(*reversed(members))


@given(st.integers(0, 30), st.binary(max_size=200))
def test_explicit_tags_are_what_asn1crypto_writes(number: int, value: bytes) -> None:
    assert der.explicit(number, der.octets(value)) == core.OctetString(value, explicit=("context", number)).dump()


@given(st.binary(max_size=200))
def test_an_element_of_indefinite_length_reads_back_as_ber(value: bytes) -> None:
    written = der.indefinite(der.SEQUENCE) + der.octets(value) + der.END_OF_CONTENTS
    assert [member.native for member in core.SequenceOf.load(written, spec=core.OctetString)] == [value]


@given(st.lists(st.tuples(st.sampled_from([0x02, 0x04, 0x30, 0xA0]), st.binary(max_size=300)), max_size=6))
def test_split_reverses_joining(parts: list[tuple[int, bytes]]) -> None:
    encoded = [der.element(tag, content) for tag, content in parts]
    found = der.split(b"".join(encoded))
    assert [(one.tag, one.content) for one in found] == parts
    assert [one.encoded for one in found] == encoded


@given(st.binary(max_size=40))
@example(b"\x30")
@example(b"\x30\x82\x01")
def test_split_of_any_bytes_covers_them_or_raises_value_error(data: bytes) -> None:
    try:
        found = der.split(data)
    except ValueError as error:
        assert re.search("longer than its container", str(error))
        return
    assert b"".join(one.encoded for one in found) == data


@given(st.binary(min_size=1, max_size=300))
def test_split_sees_the_lengths_that_asn1crypto_sees(content: bytes) -> None:
    encoded = der.octets(content)
    assert parser.parse(encoded, strict=True)[4] == der.split(encoded)[0].content
