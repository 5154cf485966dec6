"""CMS envelopes: opened by stock openssl, and parsed by asn1crypto as strict DER."""

import tracemalloc
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from asn1crypto import cms as asn1
from asn1crypto.algos import RSAESOAEPParams

from callseal.core.errors import HeldError, Reason, TransientError
from callseal.core.recipient import CmsRecipient
from callseal.crypto.envelopes import cms
from callseal.crypto.recipients import judge
from tests.support.keys import X509Tenant, x509_tenant
from tests.unit.crypto.sources import CHUNK, MARKER, Endless, ShortReads, spoken

GCM, CBC = "authenveloped-gcm", "enveloped-cbc"
PROFILES = [GCM, CBC]
SIZES = [0, 1, 15, 16, 17, CHUNK - 1, CHUNK, CHUNK + 1]
MEMBERS = {
    "rsa": ["rsa2048"],
    "p256": ["p256"],
    "p384": ["p384"],
    "p521": ["p521"],
    "mixed": ["rsa2048", "p256", "p521"],
}
both_profiles = pytest.mark.parametrize("profile", PROFILES)


def tenants(members: str) -> list[X509Tenant]:
    if members == "sixteen":
        return [x509_tenant("p256" if number % 4 else "rsa2048", f"r{number}") for number in range(16)]
    return [x509_tenant(algorithm) for algorithm in MEMBERS[members]]


def recipients(members: str) -> list[CmsRecipient]:
    def no_gpg() -> Any:
        raise AssertionError("an X.509 tenant needs no gpg")

    text = "".join(tenant.public_text for tenant in tenants(members))
    return list(judge(text, datetime.now(UTC), no_gpg).members)  # type: ignore[arg-type]


def seal(data: bytes, members: str = "p256", profile: str = GCM, source: Any = None) -> bytes:
    sealed = bytearray()
    cms.seal(source or BytesIO(data), len(data), recipients(members), profile, sealed.extend)
    return bytes(sealed)


def parse(sealed: bytes) -> Any:
    """Parse a message as strict DER."""
    info = asn1.ContentInfo.load(sealed, strict=True)
    assert info.dump(force=True) == sealed
    return info


@both_profiles
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("members", MEMBERS)
def test_every_recipient_opens_it_with_openssl(members: str, size: int, profile: str) -> None:
    data = spoken(size)
    sealed = seal(data, members, profile)
    for tenant in tenants(members):
        assert tenant.open(sealed) == data


@both_profiles
def test_each_of_sixteen_recipients_opens_it_alone(profile: str) -> None:
    sealed = seal(spoken(1000), "sixteen", profile)
    for tenant in tenants("sixteen"):
        assert tenant.open(sealed) == spoken(1000)


@both_profiles
def test_no_other_key_opens_it(profile: str) -> None:
    sealed = seal(spoken(1000), "mixed", profile)
    with pytest.raises(AssertionError, match="ended with"):
        x509_tenant("p384").open(sealed)


@both_profiles
@pytest.mark.parametrize("seed", range(4))
def test_short_reads_make_the_same_file(seed: int, profile: str) -> None:
    data = spoken(2 * CHUNK + 12_345)
    source = ShortReads(data, seed, most=[5000, 16, CHUNK, 70_000][seed] if seed != 1 else 3000)
    assert x509_tenant("p256").open(seal(data, "p256", profile, source)) == data


@both_profiles
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 5000])
@pytest.mark.parametrize("members", [*MEMBERS, "sixteen"])
def test_it_is_strict_der_with_the_versions_of_rfc_5652(members: str, size: int, profile: str) -> None:
    info = parse(seal(spoken(size), members, profile))
    content = info["content"]
    infos = content["recipient_infos"]
    kinds = {one.name for one in infos}

    assert len(infos) == len(recipients(members))
    if profile == GCM:
        assert info["content_type"].dotted == "1.2.840.113549.1.9.16.1.23"
        assert content["version"].native == "v0"
        inner = content["auth_encrypted_content_info"]
    else:
        assert info["content_type"].dotted == "1.2.840.113549.1.7.3"
        assert content["version"].native == ("v2" if "kari" in kinds else "v0")
        inner = content["encrypted_content_info"]
    assert inner["content_type"].native == "data"
    assert inner["encrypted_content"].dump()[0] == 0x80  # [0] IMPLICIT, primitive
    assert len(inner["encrypted_content"].native) == (size if profile == GCM else size + 16 - size % 16)


@both_profiles
def test_recipients_are_a_set_in_derived_order_and_named_by_issuer_and_serial(profile: str) -> None:
    infos = parse(seal(b"x", "sixteen", profile))["content"]["recipient_infos"]
    encoded = [one.dump() for one in infos]
    assert encoded == sorted(encoded)
    named = set()
    for one in infos:
        if one.name == "ktri":
            assert one.chosen["version"].native == "v0"
            named.add(one.chosen["rid"].chosen.dump())
        else:
            assert one.chosen["version"].native == "v3"
            (key,) = one.chosen["recipient_encrypted_keys"]
            named.add(key["rid"].chosen.dump())
    assert named == {member.issuer_and_serial for member in recipients("sixteen")}


def test_rsa_recipients_get_oaep_with_sha256_throughout() -> None:
    (info,) = parse(seal(b"x", "rsa", GCM))["content"]["recipient_infos"]
    algorithm = info.chosen["key_encryption_algorithm"]
    assert algorithm["algorithm"].native == "rsaes_oaep"
    parameters = RSAESOAEPParams.load(algorithm["parameters"].dump(), strict=True).native
    assert parameters["hash_algorithm"]["algorithm"] == "sha256"
    assert parameters["mask_gen_algorithm"]["algorithm"] == "mgf1"
    assert parameters["mask_gen_algorithm"]["parameters"]["algorithm"] == "sha256"
    assert parameters["p_source_algorithm"]["parameters"] == b""


def test_rsa_recipients_of_the_old_profile_get_pkcs1() -> None:
    (info,) = parse(seal(b"x", "rsa", CBC))["content"]["recipient_infos"]
    assert info.chosen["key_encryption_algorithm"]["algorithm"].native == "rsaes_pkcs1v15"


@pytest.mark.parametrize(
    ("members", "scheme"), [("p256", "1.3.132.1.11.1"), ("p384", "1.3.132.1.11.2"), ("p521", "1.3.132.1.11.3")]
)
def test_ec_recipients_get_ecdh_with_a_hash_as_strong_as_the_curve_and_aes256_wrap(members: str, scheme: str) -> None:
    (info,) = parse(seal(b"x", members, GCM))["content"]["recipient_infos"]
    algorithm = info.chosen["key_encryption_algorithm"]
    assert algorithm["algorithm"].dotted == scheme
    assert (
        asn1.KeyEncryptionAlgorithm.load(algorithm["parameters"].dump())["algorithm"].dotted
        == "2.16.840.1.101.3.4.1.45"
    )
    assert info.chosen["ukm"].native is None
    (key,) = info.chosen["recipient_encrypted_keys"]
    assert len(key["encrypted_key"].native) == 40


def test_gcm_parameters_are_a_nonce_of_12_and_a_tag_of_16() -> None:
    content = parse(seal(b"x", "p256", GCM))["content"]
    algorithm = content["auth_encrypted_content_info"]["content_encryption_algorithm"]
    assert algorithm["algorithm"].dotted == "2.16.840.1.101.3.4.1.46"
    encoded = algorithm["parameters"].dump()
    assert (encoded[:4], encoded[16:]) == (b"\x30\x11\x04\x0c", b"\x02\x01\x10")
    assert len(content["mac"].native) == 16
    assert len(content["auth_attrs"]) == len(content["unauth_attrs"]) == 0


@both_profiles
def test_each_seal_has_its_own_key_and_nonce(profile: str) -> None:
    data = spoken(64)
    contents = []
    for _ in range(20):
        content = parse(seal(data, "rsa", profile))["content"]
        inner = content["auth_encrypted_content_info" if profile == GCM else "encrypted_content_info"]
        (info,) = content["recipient_infos"]
        contents.append((
            inner["encrypted_content"].native,
            inner["content_encryption_algorithm"].dump(),
            info.chosen["encrypted_key"].native,
        ))  # fmt: skip
    for column in zip(*contents, strict=True):
        assert len(set(column)) == 20


@both_profiles
def test_two_ec_recipients_get_two_ephemeral_keys(profile: str) -> None:
    infos = parse(seal(b"x", "sixteen", profile))["content"]["recipient_infos"]
    ephemeral = {one.chosen["originator"].dump() for one in infos if one.name == "kari"}
    assert len(ephemeral) == 12


@both_profiles
def test_output_contains_no_plain_bytes(profile: str) -> None:
    sealed = seal(spoken(CHUNK + 100), "mixed", profile)
    assert not any(MARKER[start : start + 8] in sealed for start in range(len(MARKER) - 8))


@pytest.mark.parametrize("place", [-1, -16, -30, -5000])
def test_a_flipped_bit_does_not_pass_openssl(place: int) -> None:
    sealed = bytearray(seal(spoken(10_000)))
    assert x509_tenant("p256").open(bytes(sealed)) == spoken(10_000)
    sealed[place] ^= 1
    with pytest.raises(AssertionError, match="ended with"):
        x509_tenant("p256").open(bytes(sealed))


@both_profiles
@pytest.mark.parametrize("told", [1, CHUNK, CHUNK + 1, 3 * CHUNK])
@pytest.mark.parametrize("by", [-CHUNK, -1, 1, CHUNK])
def test_source_shorter_or_longer_than_announced_is_rejected(told: int, by: int, profile: str) -> None:
    sealed = bytearray()
    with pytest.raises(TransientError, match=r"ended early or grew"):
        cms.seal(Endless(max(told + by, 0)), told, recipients("p256"), profile, sealed.extend)
    with pytest.raises(AssertionError, match="ended with"):
        x509_tenant("p256").open(bytes(sealed))


@both_profiles
def test_no_byte_beyond_the_announced_size_is_sealed(profile: str) -> None:
    sealed = bytearray()
    with pytest.raises(TransientError, match=r"ended early or grew"):
        cms.seal(Endless(100 * CHUNK), CHUNK, recipients("p256"), profile, sealed.extend)
    assert len(sealed) < CHUNK + 2000


@both_profiles
def test_error_of_a_source_is_raised(profile: str) -> None:
    def break_off() -> None:
        raise TransientError("The connection broke off.")

    sealed = bytearray()
    with pytest.raises(TransientError, match="The connection broke off"):
        cms.seal(Endless(CHUNK, break_off), 2 * CHUNK, recipients("p256"), profile, sealed.extend)
    with pytest.raises(AssertionError, match="ended with"):
        x509_tenant("p256").open(bytes(sealed))


@both_profiles
def test_error_of_a_sink_is_raised(profile: str) -> None:
    def full(_: object) -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        cms.seal(BytesIO(b"x"), 1, recipients("p256"), profile, full)


@both_profiles
def test_without_recipients_nothing_is_sealed(profile: str) -> None:
    sealed = bytearray()
    with pytest.raises(ValueError, match="no recipient"):
        cms.seal(BytesIO(b"x"), 1, [], profile, sealed.extend)
    assert not sealed


def test_unknown_profile_does_not_select_the_weaker_one() -> None:
    sealed = bytearray()
    with pytest.raises(ValueError, match="no profile 'gcm'"):
        cms.seal(BytesIO(b"x"), 1, recipients("p256"), "gcm", sealed.extend)
    assert not sealed


# Lengths: definite if the whole fits 31 bits, otherwise indefinite.


def outer_length(sealed: bytes) -> int | None:
    count = sealed[1] & 0x7F
    return None if sealed[1] == 0x80 else int.from_bytes(sealed[2 : 2 + count]) if sealed[1] & 0x80 else sealed[1]


@both_profiles
@pytest.mark.parametrize("size", [0, 1, 16, CHUNK, CHUNK + 1, 3 * CHUNK])
@pytest.mark.parametrize("members", ["rsa", "p256", "mixed"])
def test_openssl_opens_the_indefinite_form_too(
    monkeypatch: pytest.MonkeyPatch, members: str, size: int, profile: str
) -> None:
    monkeypatch.setattr(cms, "MAX_DEFINITE_LENGTH", 10)
    sealed = seal(spoken(size), members, profile)
    assert outer_length(sealed) is None
    for tenant in tenants(members):
        assert tenant.open(sealed) == spoken(size)


@both_profiles
def test_boundary_is_the_length_of_the_whole_message(monkeypatch: pytest.MonkeyPatch, profile: str) -> None:
    # P-256 only: every message of a given size has the same length.
    length = outer_length(seal(spoken(1000), "p256", profile))
    assert length

    monkeypatch.setattr(cms, "MAX_DEFINITE_LENGTH", length)
    assert outer_length(seal(spoken(1000), "p256", profile)) == length
    monkeypatch.setattr(cms, "MAX_DEFINITE_LENGTH", length - 1)
    assert outer_length(seal(spoken(1000), "p256", profile)) is None


def head_of(size: int, profile: str) -> bytes:
    """Begin to seal that many bytes, of which only one chunk exists, and return the first bytes written."""
    written: list[bytes] = []
    with pytest.raises(TransientError):
        cms.seal(Endless(CHUNK), size, recipients("p256"), profile, lambda data: written.append(bytes(data)))
    return written[0]


@both_profiles
def test_lengths_are_definite_up_to_31_bits_and_indefinite_above(profile: str) -> None:
    overhead = 2**31 - 1 - 4096
    length = outer_length(head_of(overhead, profile))
    assert length
    largest = overhead + 2**31 - 1 - length
    if profile == CBC:
        largest = largest // 16 * 16 - 1  # fills its last block except for one octet of padding

    edge = head_of(largest, profile)
    assert edge[:2] == b"\x30\x84"
    assert 2**31 - 17 <= (outer_length(edge) or 0) <= 2**31 - 1
    padded = largest if profile == GCM else largest + 1
    mac = 18 if profile == GCM else 0
    assert outer_length(edge) == len(edge) - 6 + padded + mac
    for beyond in (largest + (1 if profile == GCM else 17), 2**31, 2**32, 2**35):
        assert head_of(beyond, profile)[:2] == b"\x30\x80"


def test_file_beyond_the_gcm_limit_is_held_before_any_write() -> None:
    sealed = bytearray()
    with pytest.raises(HeldError, match="set the tenant's cms_profile to enveloped-cbc") as held:
        cms.seal(Endless(0), 2**36 - 31, recipients("p256"), GCM, sealed.extend)
    assert held.value.reason is Reason.UNSUPPORTED_FILE
    assert not sealed
    assert head_of(2**36 - 32, GCM)[:2] == b"\x30\x80"


@both_profiles
def test_memory_does_not_grow_with_the_file(profile: str) -> None:
    members = recipients("p256")
    tracemalloc.start()
    try:
        cms.seal(Endless(64 * CHUNK), 64 * CHUNK, members, profile, lambda _: None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * CHUNK
