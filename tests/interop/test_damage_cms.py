"""Changed or truncated CMS messages, and wrong keys: none of them opens without an error."""

import pytest

from tests.interop.damage import (
    SIZE,
    assert_untouched_opens,
    cms_regions,
    cuts,
    flipped,
    open_all,
    positions,
    sealed_to,
    silently_opened,
)
from tests.interop.peers import PEERS
from tests.interop.rows import BER, CBC, DER, GCM, plain

PLAIN = plain(SIZE)
READERS = {GCM: ["openssl-cms", "bc-memory"], CBC: ["openssl-cms", "bc-memory", "bc-stream"]}
READINGS = [(form, peer) for form, peers in READERS.items() for peer in peers]
both_keys = pytest.mark.parametrize("key", ["rsa2048", "p256"])
both_lengths = pytest.mark.parametrize("lengths", [DER, BER])


@both_lengths
@both_keys
@pytest.mark.parametrize(("peer", "most"), [("openssl-cms", 100), ("bc-memory", 150)])
def test_no_flipped_bit_passes_in_authenveloped_gcm(peer: str, most: int, key: str, lengths: str) -> None:
    sealed = sealed_to(GCM, key, lengths)
    regions = cms_regions(sealed)
    assert_untouched_opens(PEERS[peer], sealed, key)

    assert silently_opened(PEERS[peer], sealed, key, regions, positions(sealed, regions, most)) == []


@both_lengths
@both_keys
@pytest.mark.parametrize(("form", "peer"), READINGS)
def test_truncated_message_does_not_open(form: str, peer: str, key: str, lengths: str) -> None:
    sealed = sealed_to(form, key, lengths)
    assert_untouched_opens(PEERS[peer], sealed, key)

    pieces = cuts(sealed)
    opened = zip(pieces, open_all(PEERS[peer], pieces, key), strict=True)
    assert [f"{len(piece)} of {len(sealed)}" for piece, one in opened if one.data is not None] == []


@both_keys
@pytest.mark.parametrize(("form", "peer"), READINGS)
def test_another_tenant_does_not_open_it(form: str, peer: str, key: str) -> None:
    (opened,) = open_all(PEERS[peer], [sealed_to(form, key, DER)], f"{key}b")
    assert opened.data is None


@both_keys
@pytest.mark.parametrize(("form", "peer"), READINGS)
def test_wrong_private_key_under_the_right_certificate_does_not_open_it(form: str, peer: str, key: str) -> None:
    (opened,) = open_all(PEERS[peer], [sealed_to(form, key, DER)], f"{key}b", certificate=key)
    if (form, key) == (CBC, "rsa2048"):
        # openssl continues with a random key, to avoid a Bleichenbacher oracle: 1 in 256 is noise.
        assert opened.data != PLAIN
    else:
        assert opened.data is None


# enveloped-cbc is documented with its limits (docs/interoperability.md), which these tests show.


def changed_blocks(data: bytes | None) -> dict[int, int]:
    """Return which blocks of 16 bytes differ from the recording, and in how many bits."""
    assert data is not None
    assert len(data) == len(PLAIN)
    bits = [(one ^ other).bit_count() for one, other in zip(data, PLAIN, strict=True)]
    return {start // 16: count for start in range(0, SIZE, 16) if (count := sum(bits[start : start + 16]))}


@both_keys
@pytest.mark.parametrize("peer", READERS[CBC])
def test_a_bit_of_cbc_content_opens_as_noise_without_an_error(peer: str, key: str) -> None:
    sealed = sealed_to(CBC, key, DER)
    content = cms_regions(sealed)["ciphertext"]

    opened = open_all(PEERS[peer], [flipped(sealed, content[16 * block + 3]) for block in (0, 100, 311)], key)

    for block, one in zip((0, 100, 311), opened, strict=True):
        changed = changed_blocks(one.data)
        assert set(changed) == {block, block + 1}
        assert changed[block] > 20
        assert changed[block + 1] == 1


@both_keys
@pytest.mark.parametrize("peer", READERS[CBC])
def test_a_bit_of_cbc_initialisation_vector_flips_that_bit_of_the_recording(peer: str, key: str) -> None:
    sealed = sealed_to(CBC, key, DER)

    (opened,) = open_all(PEERS[peer], [flipped(sealed, cms_regions(sealed)["nonce"][5])], key)

    assert changed_blocks(opened.data) == {0: 1}


@both_keys
@pytest.mark.parametrize("peer", READERS[CBC])
def test_a_bit_of_cbc_padding_is_refused(peer: str, key: str) -> None:
    sealed = sealed_to(CBC, key, DER)
    content = cms_regions(sealed)["ciphertext"]
    # 5000 bytes need 8 bytes of padding, which the previous block changes arbitrarily.
    changed = [flipped(sealed, place) for place in content[-24:-16]]

    assert [one.data for one in open_all(PEERS[peer], changed, key)] == [None] * 8


@both_keys
@pytest.mark.parametrize("peer", READERS[CBC])
def test_a_bit_of_the_last_cbc_block_is_refused_or_leaves_a_wrong_end(peer: str, key: str) -> None:
    sealed = sealed_to(CBC, key, DER)
    changed = [flipped(sealed, place) for place in cms_regions(sealed)["ciphertext"][-16:]]

    opened = [one.data for one in open_all(PEERS[peer], changed, key)]

    assert opened.count(None) >= 8  # noise is a valid padding once in about 256
    assert all(data != PLAIN and data[:4992] == PLAIN[:4992] for data in opened if data is not None)


@both_keys
@pytest.mark.parametrize("peer", READERS[CBC])
def test_a_bit_of_the_wrapped_key_never_gives_the_recording(peer: str, key: str) -> None:
    sealed = sealed_to(CBC, key, DER)
    changed = [flipped(sealed, place) for place in cms_regions(sealed)["wrapped key"][::8]]

    opened = [one.data for one in open_all(PEERS[peer], changed, key)]

    assert PLAIN not in opened
    assert key == "rsa2048" or set(opened) == {None}  # AES key wrap has its own check, PKCS #1 v1.5 has none
