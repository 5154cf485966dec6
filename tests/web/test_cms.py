"""Recordings sealed to X.509 certificates, opened in Chromium: every variant of docs/interoperability.md."""

from pathlib import Path

import pytest

from tests.interop import keys
from tests.interop.damage import SIZE, sealed_to
from tests.interop.java.bouncy_castle import JARS
from tests.interop.lab import missing
from tests.interop.rows import BER, CBC, CMS_ROWS, DER, GCM, SIZES, Row, plain
from tests.support.keys import run, tool
from tests.web.browser import Browser, Sealed, sha256
from tests.web.key_files import bare, with_certificate

ROWS = {form: [row for row in CMS_ROWS if row.form == form] for form in (GCM, CBC)}
each_key_file = pytest.mark.parametrize("key_file", [bare, with_certificate])


def checked(data: bytes) -> Sealed:
    """Return a sealed file with the checksum of its card."""
    return Sealed(data, sha256=sha256(data))


@each_key_file
@pytest.mark.parametrize("row", ROWS[GCM], ids=lambda row: row.name)
def test_each_recipient_alone_opens_gcm(browser: Browser, row: Row, key_file) -> None:
    files = [Sealed(row.sealed(size).read_bytes()) for size in SIZES]
    for name in row.recipients:
        answers = browser.open(key_file(name), files)
        assert [answer.digest for answer in answers] == [sha256(plain(size)) for size in SIZES], answers


@each_key_file
@pytest.mark.parametrize("row", ROWS[CBC], ids=lambda row: row.name)
def test_cbc_opens_with_an_ec_key_and_the_checksum(browser: Browser, row: Row, key_file) -> None:
    files = [checked(row.sealed(size).read_bytes()) for size in SIZES]
    for name in row.recipients:
        answers = browser.open(key_file(name), files)
        if name.startswith("rsa"):
            assert {(answer.code, answer.about) for answer in answers} == {("NotSupported", "RsaPkcs1")}
        else:
            assert [answer.digest for answer in answers] == [sha256(plain(size)) for size in SIZES], answers


@pytest.mark.parametrize("lengths", [DER, BER])
@pytest.mark.parametrize("step", [1, 7, 16, 1000, 5100])
def test_pieces_of_any_size_open(browser: Browser, lengths: str, step: int) -> None:
    data = sealed_to(GCM, "p256", lengths)
    answer = browser.open_one(bare("p256"), Sealed(data, step=step))
    assert (answer.digest, answer.progress) == (sha256(plain(SIZE)), len(data))


@pytest.mark.parametrize("form", [GCM, CBC])
def test_checksum_may_have_either_case(browser: Browser, form: str) -> None:
    data = sealed_to(form, "p384")
    files = [Sealed(data, sha256=text) for text in (sha256(data), sha256(data).upper())]
    assert [answer.digest for answer in browser.open(bare("p384"), files)] == [sha256(plain(SIZE))] * 2


def test_renewed_certificate_of_the_same_key_opens_older_recordings(browser: Browser) -> None:
    key = keys.x509("rsa2048").private_key
    renewed = run(tool("openssl"), "req", "-x509", "-new", "-key", key, "-subj", "/CN=renewed", "-days", "30")
    file = with_certificate("rsa2048")
    mixed = type(file)(key.read_bytes() + renewed)
    assert browser.open_one(mixed, Sealed(sealed_to(GCM, "rsa2048"))).digest == sha256(plain(SIZE))


# What openssl seals: the forms of RFC 5652, 5753 and 4055 that Callseal does not write.

DATA = plain(70_001)
OAEP = ("-keyopt", "rsa_padding_mode:oaep")
OPENSSL = {
    "AES-256-GCM, OAEP with SHA-1": ("rsa2048", "-aes-256-gcm", *OAEP),
    "AES-128-GCM, OAEP with SHA-256": ("rsa2048", "-aes-128-gcm", *OAEP, "-keyopt", "rsa_oaep_md:sha256"),
    "OAEP with SHA-384": ("rsa2048", "-aes-256-gcm", *OAEP, "-keyopt", "rsa_oaep_md:sha384"),
    "OAEP with SHA-512": ("rsa2048", "-aes-256-gcm", *OAEP, "-keyopt", "rsa_oaep_md:sha512"),
    "OAEP with a label": ("rsa2048", "-aes-256-gcm", *OAEP, "-keyopt", "rsa_oaep_label:0102ff"),
    "RSA by key identifier": ("rsa2048", "-aes-256-gcm", "-keyid", *OAEP),
    "RSA, indefinite lengths": ("rsa2048", "-aes-256-gcm", "-stream", *OAEP),
    "CBC, OAEP": ("rsa2048", "-aes-256-cbc", *OAEP),
    "P-256": ("p256", "-aes-256-gcm"),
    "P-256 by key identifier": ("p256", "-aes-256-gcm", "-keyid"),
    "P-256, indefinite lengths": ("p256", "-aes-256-gcm", "-stream"),
    "P-256, AES-128": ("p256", "-aes-128-gcm"),
    "P-384, SHA-256": ("p384", "-aes-256-gcm", "-keyopt", "ecdh_kdf_md:sha256"),
    "P-521, SHA-512": ("p521", "-aes-256-gcm", "-keyopt", "ecdh_kdf_md:sha512"),
    "P-521, cofactor": ("p521", "-aes-256-gcm", "-keyopt", "ecdh_cofactor_mode:1"),
    "CBC, P-256": ("p256", "-aes-128-cbc"),
}


def by_openssl(name: str, *options: str) -> bytes:
    cipher = [option for option in options if option.startswith("-aes")]
    flags = [option for option in options if option in ("-keyid", "-stream")]
    others = [option for option in options if option not in (*cipher, *flags)]
    return run(tool("openssl"), "cms", "-encrypt", "-binary", "-outform", "DER", *cipher, *flags, "-recip",
               keys.x509(name).certificate, *others, data=DATA)  # fmt: skip


@each_key_file
@pytest.mark.parametrize("form", OPENSSL)
def test_what_openssl_seals_opens(browser: Browser, form: str, key_file) -> None:
    name, *options = OPENSSL[form]
    answer = browser.open_one(key_file(name), checked(by_openssl(name, *options)))
    assert answer.digest == sha256(DATA), answer


@pytest.mark.parametrize(
    ("name", "options", "about"),
    [
        ("rsa2048", ("-aes-256-gcm",), "RsaPkcs1"),
        ("rsa2048", ("-aes-256-cbc",), "RsaPkcs1"),
        ("rsa2048", ("-aes-192-gcm", *OAEP), "Cipher"),
        ("rsa2048", ("-aes-256-gcm", *OAEP, "-keyopt", "rsa_oaep_md:sha256", "-keyopt", "rsa_mgf1_md:sha1"), "Oaep"),
        ("rsa2048", ("-aes-256-gcm", *OAEP, "-keyopt", "rsa_oaep_md:sha224"), "Oaep"),
        ("p256", ("-aes-256-gcm", "-keyopt", "ecdh_kdf_md:sha224"), "KeyAgreement"),
    ],
)
@each_key_file
def test_what_browsers_lack_is_refused(browser: Browser, name: str, options: tuple, about: str, key_file) -> None:
    answer = browser.open_one(key_file(name), checked(by_openssl(name, *options)))
    assert (answer.code, answer.about) == ("NotSupported", about)


def test_other_content_types_are_refused(browser: Browser) -> None:
    key = keys.x509("rsa2048")
    signed = run(tool("openssl"), "cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-signer",
                 key.certificate, "-inkey", key.private_key, data=DATA)  # fmt: skip
    answer = browser.open_one(bare("rsa2048"), checked(signed))
    assert (answer.code, answer.about) == ("NotSupported", "ContentType")


# What Bouncy Castle seals.


BOUNCY_CASTLE = [(name, form) for name in ("rsa2048", "p384") for form in ("plain", "attributes")]


@pytest.fixture(scope="module")
def by_bouncy_castle(tmp_path_factory) -> dict[tuple[str, str], bytes]:
    """Seal all by one start of Java, which takes longer than sealing."""
    if not all(jar.exists() for jar in JARS):
        missing("Bouncy Castle (/usr/share/java/bc*.jar)")
    folder = tmp_path_factory.mktemp("bouncy-castle")
    (folder / "plain").write_bytes(DATA)
    files = {job: folder / "-".join(job) for job in BOUNCY_CASTLE}
    arguments = [
        (keys.x509(name).certificate_der, folder / "plain", file, form) for (name, form), file in files.items()
    ]
    command = (tool("java"), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", ":".join(map(str, JARS)))
    run(*command, Path(__file__).with_name("SealCms.java"), *(part for job in arguments for part in job))
    return {job: file.read_bytes() for job, file in files.items()}


@pytest.mark.parametrize(("name", "form"), BOUNCY_CASTLE)
def test_what_bouncy_castle_seals_opens(browser: Browser, by_bouncy_castle, name: str, form: str) -> None:
    sealed = by_bouncy_castle[name, form]
    assert (b"a recording" in sealed) == (form == "attributes")
    assert browser.open_one(with_certificate(name), Sealed(sealed)).digest == sha256(DATA)

    changed = sealed.replace(b"a recording", b"a Recording")
    assert browser.open_one(with_certificate(name), Sealed(changed)).code == (None if form == "plain" else "Damaged")
