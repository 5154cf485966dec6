"""Certificates that break the standard harmlessly are accepted, others rejected with the true reason."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from cryptography import x509

from callseal.core.errors import Reason
from callseal.crypto.envelopes import cms
from callseal.crypto.recipients import CmsRecipients
from callseal.crypto.recipients.certificate import parse
from tests.support.keys import X509Tenant, run, tool, x509_tenant
from tests.support.odd_certificates import (
    BMP,
    USAGE,
    UTF8,
    certificate,
    generalized,
    key_file,
    name,
    refused,
    usable,
    utc,
)
from tests.unit.crypto.verdicts import armour, assert_held, dearmour, verdict
from tests.vectors.cases import CASES, NOW

USABLE = [
    "no extensions", "empty subject", "empty subject and issuer", "names in T61String", "names in BMPString",
    "names in UniversalString", "PrintableString with @", "serial number 0", "a negative serial number",
    "a serial number of 40 octets", "an end in GeneralizedTime before 2050", "an end with a fraction",
    "an end without seconds", "an end with an offset", "without a defined end (9999)", "version 1 with extensions",
    "version 2 with extensions", "version 1 spelled out", "unique identifiers", "two signature algorithms",
    "signed by an unknown algorithm", "critical FALSE spelled out", "an x400Address", "an ediPartyName",
    "an IP address of 3 octets", "an e-mail address in UTF-8", "subjectAltName twice",
    "a subjectKeyIdentifier of garbage", "cA FALSE spelled out", "a path length without cA", "empty nameConstraints",
    "an unknown critical extension", "keyUsage with unused bits set", "RSA without NULL", "RSA by X.509's own name",
]  # fmt: skip
REFUSED = [
    "keyUsage twice", "keyUsage of garbage", "keyUsage with bytes behind it", "keyUsage of 9 unused bits",
    "keyUsage whose bit is unused", "an empty keyUsage", "31 February", "an end of letters", "an end in a string",
    "an end out of range", "version 4", "a padded serial number", "an empty serial number", "an RSA exponent of 1",
    "an even RSA exponent", "an RSA key for OAEP alone", "an issuer that is no UTF-8", "an issuer of half a character",
    "an issuer that is no name",
]  # fmt: skip


def sealed_to(text: str, now: datetime | None = None) -> bytes:
    recipients = verdict(text, now)
    assert isinstance(recipients, CmsRecipients)
    written = bytearray()
    cms.seal(BytesIO(b"said"), 4, recipients.members, "authenveloped-gcm", written.extend)
    return bytes(written)


def test_lists_are_complete() -> None:
    assert (list(usable()), list(refused())) == (USABLE, REFUSED)


@pytest.mark.parametrize("name", USABLE)
def test_an_odd_certificate_is_sealed_to_and_openssl_opens_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "odd.pem").write_text(text := armour("CERTIFICATE", usable()[name]).replace("\n\n", "\n"))

    assert X509Tenant(tmp_path / "odd.pem", key_file()).open(sealed_to(text)) == b"said"


@pytest.mark.parametrize("name", REFUSED)
def test_certificate_with_a_harmful_oddity_is_refused_with_the_true_reason(name: str) -> None:
    data, words = refused()[name]
    reason = (
        Reason.KEY_NOT_FOR_ENCRYPTION
        if words.startswith(("does", "of a kind", "has an RSA"))
        else Reason.KEY_UNREADABLE
    )
    assert_held(armour("CERTIFICATE", data), reason, words)


def test_certificate_with_an_x400_address_is_opened_by_its_key(tmp_path: Path) -> None:
    case = CASES / "x509-san-x400"
    tenant = X509Tenant(case / "san_x400.crt", case / "san_x400.key")
    assert tenant.open(sealed_to(tenant.public_text, NOW)) == b"said"


@pytest.mark.parametrize("tag", [UTF8, BMP], ids=["UTF8String", "BMPString"])
def test_a_subject_that_openssl_cannot_read_is_opened_by_the_key_alone(tag: int, tmp_path: Path) -> None:
    data = certificate(USAGE, subject=name(b"\xff\xfe\xe4", tag))
    (tmp_path / "sealed").write_bytes(sealed_to(armour("CERTIFICATE", data)))
    opened = run(tool("openssl"), "cms", "-decrypt", "-binary", "-inform", "DER", "-in", tmp_path / "sealed",
                 "-inkey", key_file())  # fmt: skip
    assert opened == b"said"


@pytest.mark.parametrize(
    ("end", "moment"),
    [
        (utc("491231235959Z"), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (utc("500101000000Z"), datetime(1950, 1, 1, tzinfo=UTC)),
        (utc("4001020304Z"), datetime(2040, 1, 2, 3, 4, tzinfo=UTC)),
        (utc("400101000000+0130"), datetime(2039, 12, 31, 22, 30, tzinfo=UTC)),
        (utc("400101000000-0130"), datetime(2040, 1, 1, 1, 30, tzinfo=UTC)),
        (generalized("20400101000000"), datetime(2040, 1, 1, tzinfo=UTC)),
        (generalized("20400101000000.999Z"), datetime(2040, 1, 1, tzinfo=UTC)),
        (generalized("99991231235959Z"), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_an_end_is_read_in_any_spelling(end: bytes, moment: datetime) -> None:
    assert parse(certificate(last=end)).not_after() == moment


@pytest.mark.parametrize("algorithm", ["rsa2048", "rsa1024", "p256", "p521"])
def test_parser_agrees_with_cryptography(algorithm: str) -> None:
    data = dearmour(x509_tenant(algorithm, "usage", "-addext", "keyUsage=keyAgreement,decipherOnly").public_text)
    mine, other = parse(data), x509.load_der_x509_certificate(data)
    assert (mine.not_before(), mine.not_after()) == (other.not_valid_before_utc, other.not_valid_after_utc)
    assert (mine.issuer, mine.subject) == (other.issuer.public_bytes(), other.subject.public_bytes())
    assert (mine.tbs, mine.signature) == (other.tbs_certificate_bytes, other.signature)
    assert (mine.key_usage(), mine.is_authority()) == (0x08, True)


def test_only_der_is_a_certificate() -> None:
    data = certificate()
    assert parse(data).encoded == data
    # The same, with a length that has one octet too many, and with an indefinite length.
    for other in (b"\x30\x83\x00" + data[2:], b"\x30\x80" + data[4:] + b"\0\0"):
        with pytest.raises(ValueError, match=r"."):
            parse(other)


def test_odd_certificates_cause_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data in usable().values():
            assert verdict(armour("CERTIFICATE", data)).members
