"""Recordings sealed to OpenPGP keys, opened in Chromium: every variant of docs/interoperability.md."""

import pytest

from tests.interop import keys
from tests.interop.rows import OPENPGP_ROWS, SIZES, Row, plain
from tests.web.browser import Browser, KeyFile, Sealed, sha256


def secret(name: str) -> KeyFile:
    return KeyFile(keys.openpgp(name).secret.read_bytes())


@pytest.mark.parametrize("row", OPENPGP_ROWS, ids=lambda row: row.name)
def test_each_recipient_alone_opens_it(browser: Browser, row: Row) -> None:
    files = [Sealed(row.sealed(size).read_bytes(), "openpgp") for size in SIZES]
    for name in row.recipients:
        answers = browser.open(secret(name), files)
        assert [answer.digest for answer in answers] == [sha256(plain(size)) for size in SIZES], answers
