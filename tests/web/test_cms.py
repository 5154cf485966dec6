"""Sealed recordings to X.509 certificates, opened in Chromium: every variant of docs/interoperability.md."""

import pytest

from tests.interop import keys
from tests.interop.rows import CMS_ROWS, GCM, SIZES, Row, plain
from tests.web.browser import Browser, KeyFile, Sealed, sha256

GCM_ROWS = [row for row in CMS_ROWS if row.form == GCM]


def bare(name: str) -> KeyFile:
    """Return the private key alone."""
    return KeyFile(keys.x509(name).private_key.read_bytes())


def with_certificate(name: str) -> KeyFile:
    """Return the private key and its certificate in one PEM file."""
    key = keys.x509(name)
    return KeyFile(key.private_key.read_bytes() + key.certificate.read_bytes())


@pytest.mark.parametrize("row", GCM_ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("key_file", [bare, with_certificate])
def test_each_recipient_alone_opens_gcm(browser: Browser, row: Row, key_file) -> None:
    files = [Sealed(row.sealed(size).read_bytes()) for size in SIZES]
    for name in row.recipients:
        answers = browser.open(key_file(name), files)
        assert [answer.digest for answer in answers] == [sha256(plain(size)) for size in SIZES], answers
