"""The same page in Firefox: each kind of sealed file and key file, and each refusal, once."""

from collections.abc import Iterator

import pytest

from tests.interop.damage import SIZE, cms_regions, flipped, openpgp_regions, sealed_to
from tests.interop.rows import BER, CBC, DER, GCM, plain
from tests.web import key_files
from tests.web.browser import Browser, KeyFile, Sealed, sha256
from tests.web.firefox import firefox
from tests.web.key_files import EC_FORMS, PASSPHRASE, RSA_FORMS, bare, openpgp_secret, with_certificate
from tests.web.site import Site

PLAIN = sha256(plain(SIZE))


@pytest.fixture(scope="module")
def browser(site: Site) -> Iterator[Browser]:
    with firefox(f"{site.url}/opener.html") as page:
        yield Browser(page, site)
        assert page.read("violations") == []


@pytest.mark.parametrize("name", ["rsa2048", "rsa3072", "p256", "p384", "p521"])
def test_gcm_opens(browser: Browser, name: str) -> None:
    files = [Sealed(sealed_to(GCM, name, lengths)) for lengths in (DER, BER)]
    for key_file in (bare(name), with_certificate(name)):
        assert [answer.digest for answer in browser.open(key_file, files)] == [PLAIN] * 2


@pytest.mark.parametrize("name", ["p256", "p384", "p521"])
def test_cbc_opens_with_an_ec_key_and_the_checksum(browser: Browser, name: str) -> None:
    sealed = sealed_to(CBC, name)
    answers = browser.open(bare(name), [Sealed(sealed, sha256=sha256(sealed)), Sealed(sealed)])
    assert [answer.digest or answer.code for answer in answers] == [PLAIN, "ChecksumMissing"]


@pytest.mark.parametrize("name", ["rsa2048", "cv25519", "nistp256", "nistp384", "nistp521"])
def test_openpgp_opens(browser: Browser, name: str) -> None:
    assert browser.open_one(openpgp_secret(name), Sealed(sealed_to("openpgp", name), "openpgp")).digest == PLAIN


@pytest.mark.parametrize("form", RSA_FORMS)
def test_each_form_of_an_rsa_key_opens(browser: Browser, form: str) -> None:
    assert browser.open_one(RSA_FORMS[form]("rsa2048"), Sealed(sealed_to(GCM, "rsa2048"))).digest == PLAIN


@pytest.mark.parametrize("form", EC_FORMS)
def test_each_form_of_an_ec_key_opens(browser: Browser, form: str) -> None:
    assert browser.open_one(EC_FORMS[form]("p384"), Sealed(sealed_to(GCM, "p384"))).digest == PLAIN


def test_refusals(browser: Browser) -> None:
    sealed, other = sealed_to(GCM, "p256"), sealed_to(CBC, "p256")
    content = cms_regions(sealed)["ciphertext"]
    files = {
        "Damaged": [Sealed(flipped(sealed, content[9])), Sealed(sealed[:-1]), Sealed(sealed + b"\0")],
        "WrongKey": [Sealed(sealed_to(GCM, "p384")), Sealed(sealed_to(GCM, "rsa2048"))],
        "NotSupported": [Sealed(sealed_to(CBC, "rsa2048"))],
        "ChecksumMissing": [Sealed(other)],
        "ChecksumDiffers": [Sealed(other, sha256=sha256(sealed)), Sealed(sealed, sha256=sha256(other))],
    }
    for code, these in files.items():
        keys = [bare("p256"), *([bare("rsa2048")] if code == "NotSupported" else [])]
        assert {answer.code for answer in browser.open(keys, these)} == {code}


def test_openpgp_refusals(browser: Browser) -> None:
    sealed = sealed_to("openpgp", "cv25519")
    places = openpgp_regions(sealed)
    damaged = [flipped(sealed, places[name][5]) for name in places] + [sealed[:-1], sealed + b"\0"]
    answers = browser.open(openpgp_secret("cv25519"), [Sealed(one, "openpgp") for one in damaged])
    assert {answer.code for answer in answers} == {"Damaged"}
    assert browser.open_one(openpgp_secret("rsa2048"), Sealed(sealed, "openpgp")).code == "WrongKey"


def test_passphrases(browser: Browser) -> None:
    for make in (key_files.encrypted, key_files.pkcs12):
        data = make("p256").data
        answers = browser.add(KeyFile(data), KeyFile(data, "wrong"), KeyFile(data, PASSPHRASE))
        assert [answer.get("code") for answer in answers] == ["PassphraseNeeded", "WrongPassphrase", None]
