"""docs/interoperability.md equals the tests' results."""

import pytest

from tests.interop.known import KNOWN, skip_other_version
from tests.interop.page import PAGE, render
from tests.interop.peers import PEERS


def test_page_shows_the_results() -> None:
    for peer in PEERS.values():
        skip_other_version(peer, "docs/interoperability.md cannot be checked")
    if PAGE.read_text() != render():
        pytest.fail("docs/interoperability.md is stale. Run `make docs`, and commit what it writes.")


def test_every_note_is_referred_to() -> None:
    text = PAGE.read_text()
    for number in range(1, len(KNOWN) + 1):
        assert f"[{number}" in text or f", {number}]" in text
