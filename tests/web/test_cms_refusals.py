"""CMS files that were changed, cut off or swapped, and wrong keys: each is refused with its code, without plain bytes.

`Browser.open` checks at each refusal that no bytes left the worker.
"""

from random import Random

import pytest

from tests.interop.damage import FRAMING, SIZE, cms_regions, cuts, flipped, positions, region_of, sealed_to
from tests.interop.rows import BER, CBC, DER, GCM, plain
from tests.web.browser import Browser, Sealed, sha256
from tests.web.key_files import bare, openpgp_secret, with_certificate

PLAIN = sha256(plain(SIZE))
both_keys = pytest.mark.parametrize("key", ["rsa2048", "p256"])
both_lengths = pytest.mark.parametrize("lengths", [DER, BER])


@both_lengths
@both_keys
def test_no_flipped_bit_passes_in_gcm(browser: Browser, key: str, lengths: str) -> None:
    sealed = sealed_to(GCM, key, lengths)
    regions = cms_regions(sealed)
    places = positions(sealed, regions, 200)

    answers = browser.open(with_certificate(key), [Sealed(flipped(sealed, place)) for place in places])

    found = [(region_of(regions, place), place, answer) for place, answer in zip(places, answers, strict=True)]
    assert [one for one in found if one[0] != FRAMING and one[2].code != "Damaged"] == []
    assert [one for one in found if one[2].digest not in (None, PLAIN)] == []
    assert {answer.code for _, _, answer in found} <= {None, "Damaged", "WrongKey", "NotSupported", "ChecksumMissing"}


@both_lengths
@pytest.mark.parametrize(("form", "key"), [(GCM, "rsa2048"), (GCM, "p256"), (CBC, "p256")])
def test_truncated_message_is_damaged(browser: Browser, form: str, key: str, lengths: str) -> None:
    sealed = sealed_to(form, key, lengths)
    whole = Sealed(sealed, sha256=sha256(sealed))
    assert browser.open_one(bare(key), whole).digest == PLAIN

    pieces = [*cuts(sealed), sealed[: len(sealed) - 1]]
    for size in (None, len(sealed)):  # the size of the piece, and the size of the card
        files = [Sealed(piece, sha256=sha256(sealed), size=size) for piece in pieces]
        codes = [answer.code for answer in browser.open(with_certificate(key), files)]
        allowed = {"Damaged"} if form == GCM or size else {"Damaged", "ChecksumDiffers"}
        assert set(codes) <= allowed


@both_lengths
def test_appended_bytes_are_damage(browser: Browser, lengths: str) -> None:
    sealed = sealed_to(GCM, "p256", lengths)
    more = [b"\0", b"\0\0", b"\0" * 16, b"x", b"\x04\x00", sealed]
    files = [Sealed(sealed + one, size=size) for one in more for size in (None, len(sealed))]
    assert {answer.code for answer in browser.open(bare("p256"), files)} == {"Damaged"}


@both_lengths
def test_parts_of_another_recording_are_damage(browser: Browser, lengths: str) -> None:
    one, other = sealed_to(GCM, "p256", lengths), sealed_to(GCM, "p256", lengths)
    places = cms_regions(one)
    assert len(one) == len(other)
    mixed = []
    for name in places:
        start, end = places[name][0], places[name][-1] + 1
        part = cms_regions(other)[name]
        mixed.append(one[:start] + other[part[0] : part[-1] + 1] + one[end:])
    answers = browser.open(with_certificate("p256"), [Sealed(file) for file in mixed])
    assert {answer.code for answer in answers} == {"Damaged"}


def test_tag_of_another_length_is_damage(browser: Browser) -> None:
    """The message's own statement of the tag's length is not authenticated. 12 octets are the fewest."""
    sealed = sealed_to(GCM, "p256", BER)
    tag = cms_regions(sealed)["tag"]
    length = sealed.index(b"\x02\x01\x10", cms_regions(sealed)["nonce"][-1])
    for size in (0, 1, 4, 11, 15):
        start, end = tag[0], tag[-1] + 1
        shorter = sealed[: start - 1] + bytes((size,)) + sealed[start : start + size] + sealed[end:]
        stated = shorter[: length + 2] + bytes((size,)) + shorter[length + 3 :]
        codes = [answer.code for answer in browser.open(bare("p256"), [Sealed(shorter), Sealed(stated)])]
        # A tag of 15 octets is a valid form, and it still authenticates the same bytes.
        assert codes == ["Damaged", None if size == 15 else "Damaged"]


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_damage(browser: Browser, seed: int) -> None:
    noise = Random(seed)
    files = [noise.randbytes(noise.randrange(1, 3000)) for _ in range(30)]
    heads = [b"\x30\x80" + one for one in files]
    answers = browser.open(bare("p256"), [Sealed(one) for one in files + heads])
    assert {answer.code for answer in answers} == {"Damaged"}


# Wrong keys.


@both_lengths
@both_keys
@pytest.mark.parametrize("key_file", [bare, with_certificate])
def test_wrong_key_is_refused_before_the_file_is_read(browser: Browser, key: str, lengths: str, key_file) -> None:
    sealed = sealed_to(GCM, key, lengths)
    others = ["rsa2048", "rsa2048b", "rsa3072", "p256", "p256b", "p384"]
    for other in (name for name in others if name != key):
        answer = browser.open_one(key_file(other), Sealed(sealed, step=1500))
        assert (answer.code, answer.progress) == ("WrongKey", 0)


def test_no_key_at_all_is_a_wrong_key(browser: Browser) -> None:
    assert browser.open_one([], Sealed(sealed_to(GCM, "p256"))).code == "WrongKey"
    assert browser.open_one([], Sealed(sealed_to("openpgp", "cv25519"), "openpgp")).code == "WrongKey"


def test_key_of_the_other_family_is_a_wrong_key(browser: Browser) -> None:
    assert browser.open_one(bare("p256"), Sealed(sealed_to("openpgp", "cv25519"), "openpgp")).code == "WrongKey"


def test_one_of_several_keys_opens(browser: Browser) -> None:
    several = [bare(name) for name in ("rsa2048", "rsa3072", "p384", "p256")]
    assert browser.open_one(several, Sealed(sealed_to(GCM, "p256"))).digest == PLAIN


# Without a tag, the checksum decides.


def test_cbc_without_a_checksum_is_refused_before_the_file_is_read(browser: Browser) -> None:
    sealed = sealed_to(CBC, "p256")
    answer = browser.open_one(bare("p256"), Sealed(sealed, step=1500))
    assert (answer.code, answer.progress) == ("ChecksumMissing", 0)
    assert browser.open_one(bare("p384"), Sealed(sealed)).code == "WrongKey"


def test_changed_cbc_has_another_checksum(browser: Browser) -> None:
    sealed = sealed_to(CBC, "p256", DER)
    regions = cms_regions(sealed)
    content = regions["ciphertext"]
    # A changed last block has a wrong padding. That it is not decrypted at all is why the code is the same.
    places = [*content[::60], *content[-32:], *regions["nonce"]]
    files = [Sealed(flipped(sealed, place), sha256=sha256(sealed)) for place in places]
    assert {answer.code for answer in browser.open(bare("p256"), files)} == {"ChecksumDiffers"}


def test_cbc_to_rsa_is_refused_before_the_file_is_read(browser: Browser) -> None:
    sealed = sealed_to(CBC, "rsa2048")
    answer = browser.open_one(bare("rsa2048"), Sealed(sealed, sha256=sha256(sealed), step=1500))
    assert (answer.code, answer.about, answer.progress) == ("NotSupported", "RsaPkcs1", 0)


@pytest.mark.parametrize(("form", "key", "envelope"), [(GCM, "rsa2048", "cms"), ("openpgp", "cv25519", "openpgp")])
def test_another_recording_for_the_same_key_has_another_checksum(
    browser: Browser, form: str, key: str, envelope: str
) -> None:
    """Anyone can seal to a certificate. The tag does not show which recording it is."""
    key_file = openpgp_secret(key) if form == "openpgp" else bare(key)
    answer = browser.open_one(key_file, Sealed(sealed_to(form, key), envelope, sha256=sha256(sealed_to(form, key))))
    assert answer.code == "ChecksumDiffers"
