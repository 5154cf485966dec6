"""OpenPGP files that were changed, cut off or swapped, and wrong keys: each is refused, without plain bytes."""

import pytest

from tests.interop.damage import FRAMING, SIZE, cuts, flipped, openpgp_regions, positions, region_of, sealed_to
from tests.interop.rows import plain
from tests.web.browser import Browser, Sealed, sha256
from tests.web.key_files import bare, openpgp_secret

PLAIN = sha256(plain(SIZE))
both_keys = pytest.mark.parametrize("key", ["rsa2048", "cv25519"])


def files(*messages: bytes, size: int | None = None) -> list[Sealed]:
    return [Sealed(message, "openpgp", size=size) for message in messages]


@both_keys
def test_no_flipped_bit_passes(browser: Browser, key: str) -> None:
    sealed = sealed_to("openpgp", key)
    regions = openpgp_regions(sealed)
    places = positions(sealed, regions, 200)

    answers = browser.open(openpgp_secret(key), files(*(flipped(sealed, place) for place in places)))

    found = [(region_of(regions, place), place, answer) for place, answer in zip(places, answers, strict=True)]
    assert [one for one in found if one[0] != FRAMING and one[2].code != "Damaged"] == []
    assert [one for one in found if one[2].digest not in (None, PLAIN)] == []
    assert {answer.code for _, _, answer in found} <= {None, "Damaged", "WrongKey"}


@both_keys
def test_truncated_message_is_damaged(browser: Browser, key: str) -> None:
    sealed = sealed_to("openpgp", key)
    content = openpgp_regions(sealed)["ciphertext"][0]
    pieces = [*cuts(sealed), sealed[:content], sealed[: content - 1], sealed[: content - 2]]
    for size in (None, len(sealed)):
        answers = browser.open(openpgp_secret(key), files(*pieces, size=size))
        assert [answer.code for answer in answers] == ["Damaged"] * len(pieces)


def test_appended_bytes_are_damage(browser: Browser) -> None:
    sealed = sealed_to("openpgp", "cv25519")
    messages = [sealed + more for more in (b"\0", b"x", b"\0" * 16, b"\xcb\x06b\0\0\0\0\0", sealed)]
    for size in (None, len(sealed)):
        answers = browser.open(openpgp_secret("cv25519"), files(*messages, size=size))
        assert {answer.code for answer in answers} == {"Damaged"}


def test_session_key_of_another_recording_is_damage(browser: Browser) -> None:
    one, other = sealed_to("openpgp", "cv25519"), sealed_to("openpgp", "cv25519")
    end = openpgp_regions(one)["wrapped key"][-1] + 1
    (answer,) = browser.open(openpgp_secret("cv25519"), files(other[:end] + one[end:]))
    assert answer.code == "Damaged"


def test_content_without_its_modification_detection_is_damage(browser: Browser) -> None:
    """The packet of RFC 4880, 5.7, has no tag: a downgrade to it must not open."""
    sealed = sealed_to("openpgp", "cv25519")
    regions = openpgp_regions(sealed)
    head = sealed[: regions["wrapped key"][-1] + 1]
    body = bytes(sealed[place] for place in regions["ciphertext"])[1:]
    message = head + b"\xc9\xff" + len(body).to_bytes(4) + body
    assert browser.open(openpgp_secret("cv25519"), files(message, message[:-9]))[0].code == "Damaged"


@both_keys
def test_wrong_key_is_refused_before_the_file_is_read(browser: Browser, key: str) -> None:
    sealed = Sealed(sealed_to("openpgp", key), "openpgp", step=1500)
    for other in (name for name in ("rsa2048", "rsa3072", "cv25519", "nistp256") if name != key):
        answer = browser.open_one(openpgp_secret(other), sealed)
        assert (answer.code, answer.progress) == ("WrongKey", 0)
    assert browser.open_one(bare("rsa2048"), sealed).code == "WrongKey"


def test_file_of_the_other_envelope_is_damaged(browser: Browser) -> None:
    opened = browser.open(
        [openpgp_secret("cv25519"), bare("p256")],
        [Sealed(sealed_to("authenveloped-gcm", "p256"), "openpgp"), Sealed(sealed_to("openpgp", "cv25519"), "cms")],
    )
    assert [answer.code for answer in opened] == ["Damaged", "Damaged"]
