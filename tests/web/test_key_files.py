"""Key files for X.509, in every form, and the files that are no key."""

from random import Random

import pytest

from tests.interop import keys
from tests.interop.damage import SIZE, sealed_to
from tests.interop.rows import BER, GCM, plain
from tests.support.keys import run, tool
from tests.web import key_files
from tests.web.browser import Browser, KeyFile, Sealed, sha256
from tests.web.key_files import EC_FORMS, PASSPHRASE, RSA_FORMS

FORMS = [
    *(pytest.param("rsa2048", make, id=f"RSA, {form}") for form, make in RSA_FORMS.items()),
    *(pytest.param("p256", make, id=f"P-256, {form}") for form, make in EC_FORMS.items()),
    *(pytest.param(name, make, id=f"{name}, {make.__name__}") for name in ("p384", "p521")
      for make in (key_files.traditional, key_files.pkcs12)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "make"), FORMS)
def test_each_form_of_a_key_opens_a_recording(browser: Browser, name: str, make) -> None:
    answer = browser.open_one(make(name), Sealed(sealed_to(GCM, name, BER)))
    assert answer.digest == sha256(plain(SIZE)), answer


@pytest.mark.parametrize("form", ["PKCS#8 and certificate", "certificate and PKCS#8, with attributes", "PKCS#12"])
def test_fingerprints_are_those_of_the_certificates(browser: Browser, form: str) -> None:
    certificate = keys.x509("rsa2048").certificate
    shown = run(tool("openssl"), "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256").decode()
    fingerprint = shown.partition("=")[2].strip().replace(":", "")

    assert browser.add(RSA_FORMS[form]("rsa2048")) == [{"kind": "cms", "fingerprints": [fingerprint]}]


def test_key_without_certificate_has_no_fingerprint(browser: Browser) -> None:
    assert browser.add(key_files.bare("p256")) == [{"kind": "cms", "fingerprints": []}]


def test_certificate_of_another_key_does_not_count(browser: Browser) -> None:
    mixed = KeyFile(key_files.bare("rsa2048").data + keys.x509("rsa2048b").certificate.read_bytes())
    assert browser.add(mixed) == [{"kind": "cms", "fingerprints": []}]
    assert browser.open_one(mixed, Sealed(sealed_to(GCM, "rsa2048"))).digest == sha256(plain(SIZE))


def test_all_keys_of_a_file_open(browser: Browser) -> None:
    several = KeyFile(key_files.bare("rsa2048").data + key_files.with_certificate("p256").data)
    files = [Sealed(sealed_to(GCM, name)) for name in ("rsa2048", "p256")]
    assert [answer.digest for answer in browser.open(several, files)] == [sha256(plain(SIZE))] * 2


# Passphrases.

LOCKED = [key_files.encrypted, key_files.pkcs12, key_files.java_pkcs12, lambda name: key_files.pkcs12(name, "-nomac")]


@pytest.mark.parametrize("name", ["rsa2048", "p256"])
@pytest.mark.parametrize("make", LOCKED, ids=["PKCS#8", "PKCS#12", "Java", "no MAC"])
def test_passphrase_is_asked_for_and_checked(browser: Browser, name: str, make) -> None:
    data = make(name).data
    wrong = ["wrong", PASSPHRASE + " ", PASSPHRASE.upper()]
    answers = browser.add(KeyFile(data), *(KeyFile(data, passphrase) for passphrase in wrong))
    assert [answer["code"] for answer in answers] == ["PassphraseNeeded", *["WrongPassphrase"] * len(wrong)]


def test_wrong_passphrase_with_a_valid_padding_is_not_taken_for_a_damaged_key(browser: Browser) -> None:
    """One wrong passphrase in 256 gives a valid padding, and noise instead of a key."""
    noises = [Random(1).randbytes(150), b"\x30\x81\x93" + Random(2).randbytes(147), b""]
    files = [KeyFile(key_files.encrypted_noise("p256", noise), PASSPHRASE) for noise in noises]
    assert {answer["code"] for answer in browser.add(*files)} == {"WrongPassphrase"}


# What browsers do not have.

OLD = {
    "3DES": lambda name: key_files.encrypted(name, "-v2", "des3"),
    "scrypt": lambda name: key_files.encrypted(name, "-scrypt"),
    "PBES1": lambda name: key_files.encrypted(name, "-v1", "PBE-SHA1-3DES"),
    "AES-192": lambda name: key_files.encrypted(name, "-v2", "aes-192-cbc"),
    "traditional, AES": lambda name: key_files.traditional(name, "-aes256", "-passout", f"pass:{PASSPHRASE}"),
    "PKCS#12, 3DES": lambda name: key_files.pkcs12(name, "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"),
    "PKCS#12, certificates by 3DES": lambda name: key_files.pkcs12(name, "-certpbe", "PBE-SHA1-3DES"),
}


@pytest.mark.parametrize("form", OLD)
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE, "wrong"])
def test_old_encryption_is_refused_with_its_reason(browser: Browser, form: str, passphrase: str) -> None:
    (answer,) = browser.add(KeyFile(OLD[form]("rsa2048").data, passphrase))
    assert (answer["code"], answer["about"]) == ("NotSupported", "KeyEncryption")


@pytest.mark.parametrize(
    ("algorithm", "about"),
    [
        (["ed25519"], "Algorithm"),
        (["x25519"], "Algorithm"),
        (["rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"], "Algorithm"),
        (["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"], "Curve"),
        (["ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"], "Curve"),
        (["ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"], "Curve"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_other_kinds_of_keys_are_refused(browser: Browser, algorithm: list[str], about: str) -> None:
    pem = run(tool("openssl"), "genpkey", "-algorithm", *algorithm)
    pkcs8 = run(tool("openssl"), "pkey", "-outform", "DER", data=pem)
    for answer in browser.add(KeyFile(pem), KeyFile(pkcs8)):
        assert (answer["code"], answer["about"]) == ("NotSupported", about)


# What is no private key.


def _public(name: str, *options: str) -> bytes:
    return run(tool("openssl"), "pkey", "-pubout", *options, data=key_files.bare(name).data)


def _request() -> bytes:
    return run(tool("openssl"), "req", "-new", "-key", keys.x509("rsa2048").private_key, "-subj", "/CN=x")


@pytest.mark.parametrize(
    "make",
    [
        lambda: keys.x509("rsa2048").certificate.read_bytes(),
        lambda: keys.x509("p256").certificate_der.read_bytes(),
        lambda: _public("rsa2048"),
        lambda: _public("p256", "-outform", "DER"),
        lambda: keys.openpgp("cv25519").public_text.encode(),
    ],
    ids=["certificate", "certificate, DER", "public key", "public key, DER", "OpenPGP public key"],
)
def test_public_part_is_named_as_such(browser: Browser, make) -> None:
    (answer,) = browser.add(KeyFile(make(), "some passphrase"))
    assert (answer["code"], answer["about"]) == ("KeyUnreadable", "PublicKey")


NO_KEYS = {
    "empty": lambda: b"",
    "text": lambda: b"This is the key.\n",
    "noise": lambda: bytes(range(256)) * 8,
    "a sealed file": lambda: sealed_to(GCM, "rsa2048"),
    "a request": _request,
    "a key that is cut off": lambda: key_files.der("rsa2048").data[:-1],
    "a key with more behind it": lambda: key_files.der("rsa2048").data + b"\0",
    "PEM that is cut off": lambda: key_files.bare("rsa2048").data[:900],
    "PEM without base64": lambda: b"-----BEGIN PRIVATE KEY-----\n!!!\n-----END PRIVATE KEY-----\n",
    "PEM of nothing": lambda: b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
    "PKCS#12 that is cut off": lambda: key_files.pkcs12("rsa2048").data[:-1],
    "armour that is cut off": lambda: b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ==\n",
    "a cut OpenPGP key": lambda: keys.openpgp("cv25519").secret.read_bytes()[:50],
}


@pytest.mark.parametrize("what", NO_KEYS)
def test_file_that_is_no_key_is_unreadable(browser: Browser, what: str) -> None:
    (answer,) = browser.add(KeyFile(NO_KEYS[what](), PASSPHRASE))
    assert answer["code"] == "KeyUnreadable"


def test_each_cut_of_a_key_file_is_refused(browser: Browser) -> None:
    for whole in (key_files.der("p256"), key_files.encrypted("p256", "-outform", "DER"), key_files.pkcs12("p256")):
        cuts = [KeyFile(whole.data[:size], whole.passphrase) for size in range(0, len(whole.data), 23)]
        assert {answer.get("code") for answer in browser.add(*cuts)} == {"KeyUnreadable"}
