"""Changed or truncated OpenPGP messages, and wrong keys: none of them opens without an error."""

from pathlib import Path

import pytest

from tests.interop.damage import (
    assert_untouched_opens,
    cuts,
    jobs_for,
    open_all,
    openpgp_regions,
    positions,
    sealed_to,
    silently_opened,
)
from tests.interop.peers import OPENPGP_PEERS, PEERS, gpg_into

# The number of positions at which a bit is flipped. gpg and rnp are slow.
MOST = {"gpg": 60, "rnp": 60, "sq": 100, "pysequoia": 150}
all_readers = pytest.mark.parametrize("peer", [peer.name for peer in OPENPGP_PEERS])
both_keys = pytest.mark.parametrize("key", ["rsa2048", "cv25519"])


@both_keys
@all_readers
def test_no_flipped_bit_passes(peer: str, key: str) -> None:
    sealed = sealed_to("openpgp", key)
    regions = openpgp_regions(sealed)
    assert_untouched_opens(PEERS[peer], sealed, key)

    assert silently_opened(PEERS[peer], sealed, key, regions, positions(sealed, regions, MOST[peer])) == []


@both_keys
@all_readers
def test_truncated_message_does_not_open(peer: str, key: str) -> None:
    sealed = sealed_to("openpgp", key)
    assert_untouched_opens(PEERS[peer], sealed, key)

    pieces = cuts(sealed)
    opened = zip(pieces, open_all(PEERS[peer], pieces, key), strict=True)
    assert [f"{len(piece)} of {len(sealed)}" for piece, one in opened if one.data is not None] == []


@pytest.mark.parametrize(("key", "other"), [("rsa2048", "cv25519"), ("cv25519", "rsa2048"), ("rsa2048", "rsa3072")])
@all_readers
def test_another_tenant_does_not_open_it(peer: str, key: str, other: str) -> None:
    (opened,) = open_all(PEERS[peer], [sealed_to("openpgp", key)], other)
    assert opened.data is None


@both_keys
def test_gpg_exits_0_without_a_file_when_all_content_is_truncated(tmp_path: Path, key: str) -> None:
    """docs/interoperability.md explains it: the exit code is not sufficient, because gpg reports no error."""
    sealed = sealed_to("openpgp", key)
    recipients_alone = sealed[: openpgp_regions(sealed)["wrapped key"][-1] + 1]

    with jobs_for([recipients_alone], key) as (job,):
        done = gpg_into(tmp_path / "plain", job)

    assert done.said.startswith("exit code 0")
    assert not (tmp_path / "plain").exists()
