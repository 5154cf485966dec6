"""Recordings sealed to OpenPGP keys, opened in Chromium: every variant of docs/interoperability.md."""

import pytest

from tests.interop import keys
from tests.interop.damage import SIZE, sealed_to
from tests.interop.lab import new_home
from tests.interop.rows import OPENPGP_ROWS, SIZES, Row, plain
from tests.support.keys import fingerprint_of, gpg, run, tool
from tests.web.browser import Browser, KeyFile, Sealed, sha256
from tests.web.key_files import PASSPHRASE, openpgp_secret

DATA = plain(70_001)


def armoured(name: str) -> KeyFile:
    return KeyFile(gpg(keys.openpgp(name).home, "--armor", "--export-secret-keys"))


def sealed_by_gpg(name: str, *options: str) -> Sealed:
    key = keys.openpgp(name)
    command = ("--trust-model", "always", *options)
    return Sealed(gpg(key.home, *command, "--encrypt", data=DATA), "openpgp")


@pytest.mark.parametrize("row", OPENPGP_ROWS, ids=lambda row: row.name)
def test_each_recipient_alone_opens_it(browser: Browser, row: Row) -> None:
    files = [Sealed(row.sealed(size).read_bytes(), "openpgp") for size in SIZES]
    for name in row.recipients:
        answers = browser.open(openpgp_secret(name), files)
        assert [answer.digest for answer in answers] == [sha256(plain(size)) for size in SIZES], answers


@pytest.mark.parametrize("step", [1, 7, 600, 5100])
def test_pieces_of_any_size_open(browser: Browser, step: int) -> None:
    data = sealed_to("openpgp", "cv25519")
    answer = browser.open_one(openpgp_secret("cv25519"), Sealed(data, "openpgp", step=step))
    assert (answer.digest, answer.progress) == (sha256(plain(SIZE)), len(data))


def test_armoured_key_opens_whatever_is_around_it(browser: Browser) -> None:
    text = armoured("cv25519").data
    sealed = Sealed(sealed_to("openpgp", "cv25519"), "openpgp")
    public = keys.openpgp("cv25519").public_text.encode()
    for data in (text, text.replace(b"\n", b"\r\n"), b"Our key:\n\n" + text + b"\nKeep it.\n", public + text):
        assert browser.open_one(KeyFile(data), sealed).digest == sha256(plain(SIZE))


def test_all_keys_of_a_file_open(browser: Browser) -> None:
    names = ["rsa2048", "cv25519"]
    files = [Sealed(sealed_to("openpgp", name), "openpgp") for name in names]
    binary = KeyFile(b"".join(openpgp_secret(name).data for name in names))
    text = KeyFile(b"".join(armoured(name).data for name in names))
    for several in (binary, text):
        assert [answer.digest for answer in browser.open(several, files)] == [sha256(plain(SIZE))] * 2


def test_fingerprints_are_those_of_the_key_and_its_subkeys(browser: Browser) -> None:
    listing = gpg(keys.openpgp("cv25519").home, "--with-colons", "--list-keys").decode()
    fingerprints = [line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")]
    assert len(fingerprints) == 2
    assert browser.add(openpgp_secret("cv25519")) == [{"kind": "openpgp", "fingerprints": fingerprints}]


@pytest.mark.parametrize(
    "options",
    [
        ("--recipient", "{key}"),
        ("--recipient", "{key}", "--compress-algo", "bzip2"),
        ("--recipient", "{key}", "--compress-algo", "zip"),
        ("--recipient", "{key}", "--cipher-algo", "AES128"),
        ("--recipient", "{key}", "--sign"),
        ("--hidden-recipient", "{key}"),
        ("--recipient", "{key}", "--textmode", "--compress-algo", "none"),
    ],
    ids=lambda options: " ".join(options[2:]) or options[0],
)
def test_what_gpg_seals_otherwise_opens(browser: Browser, options: tuple[str, ...]) -> None:
    fingerprint = keys.openpgp("cv25519").fingerprint
    sealed = sealed_by_gpg("cv25519", *(option.format(key=fingerprint) for option in options))
    answer = browser.open_one([openpgp_secret("rsa2048"), openpgp_secret("cv25519")], sealed)
    if "--textmode" in options:
        assert answer.digest is not None
    else:
        assert answer.digest == sha256(DATA)


def test_what_sq_seals_opens(browser: Browser) -> None:
    public = keys.openpgp("nistp256").home / "public.asc"
    public.write_text(keys.openpgp("nistp256").public_text)
    # By default, sq pads a compressed packet behind its end, which the browsers' decompression refuses.
    command = ("encrypt", "--binary", "--compression", "none", "--recipient-cert", public)
    sealed = run(tool("sq"), *command, data=DATA)
    assert browser.open_one(openpgp_secret("nistp256"), Sealed(sealed, "openpgp")).digest == sha256(DATA)


# Keys of other states: what counts is that the recording is sealed to them.


def test_expired_key_opens_what_was_sealed_to_it(browser: Browser) -> None:
    home = new_home("web-expired")
    past = ("--faked-system-time", "20200101T000000")
    gpg(home, *past, "--quick-generate-key", "old <old@example.invalid>", "rsa2048", "sign", "30d")
    fingerprint = fingerprint_of(home)
    gpg(home, *past, "--quick-add-key", fingerprint, "rsa2048", "encr", "30d")
    sealed = gpg(home, *past, "--trust-model", "always", "--recipient", fingerprint, "--encrypt", data=DATA)
    secret = KeyFile(gpg(home, "--export-secret-keys"))
    assert browser.open_one(secret, Sealed(sealed, "openpgp")).digest == sha256(DATA)


def test_subkey_without_its_primary_opens(browser: Browser) -> None:
    """`--export-secret-subkeys` leaves a stub of the primary key, which many keep offline."""
    secret = KeyFile(gpg(keys.openpgp("cv25519").home, "--export-secret-subkeys"))
    assert browser.open_one(secret, Sealed(sealed_to("openpgp", "cv25519"), "openpgp")).digest == sha256(plain(SIZE))


# Passphrases.


def with_passphrase() -> tuple[bytes, bytes]:
    """Return a secret key that gpg encrypted, and a file that is sealed to it."""
    home = new_home("web-locked")
    (home / "gpg-agent.conf").write_text("s2k-count 65536\n")
    locked = ("--passphrase", PASSPHRASE)
    gpg(home, *locked, "--quick-generate-key", "locked <locked@example.invalid>", "ed25519", "sign", "30d")
    fingerprint = fingerprint_of(home)
    gpg(home, *locked, "--quick-add-key", fingerprint, "cv25519", "encr", "30d")
    sealed = gpg(home, "--trust-model", "always", "--recipient", fingerprint, "--encrypt", data=DATA)
    return gpg(home, *locked, "--export-secret-keys"), sealed


def test_passphrase_is_asked_for_and_checked(browser: Browser) -> None:
    secret, sealed = with_passphrase()
    passphrases = ["", "wrong", PASSPHRASE + " "]
    answers = browser.add(*(KeyFile(secret, passphrase) for passphrase in passphrases))
    assert [answer["code"] for answer in answers] == ["PassphraseNeeded", "WrongPassphrase", "WrongPassphrase"]

    assert browser.open_one(KeyFile(secret, PASSPHRASE), Sealed(sealed, "openpgp")).digest == sha256(DATA)


def test_passphrase_of_a_key_without_one_is_ignored(browser: Browser) -> None:
    key = KeyFile(openpgp_secret("cv25519").data, "unneeded")
    assert browser.open_one(key, Sealed(sealed_to("openpgp", "cv25519"), "openpgp")).digest == sha256(plain(SIZE))


def test_key_that_only_signs_is_not_supported(browser: Browser) -> None:
    home = new_home("web-signs")
    gpg(home, "--quick-generate-key", "signs <signs@example.invalid>", "ed25519", "sign", "30d")
    (answer,) = browser.add(KeyFile(gpg(home, "--export-secret-keys")))
    assert (answer["code"], answer["about"]) == ("NotSupported", "Algorithm")


@pytest.mark.parametrize("form", ["armoured", "binary"])
def test_public_key_is_named_as_such(browser: Browser, form: str) -> None:
    home = keys.openpgp("rsa2048").home
    public = gpg(home, *(("--armor",) if form == "armoured" else ()), "--export")
    (answer,) = browser.add(KeyFile(public))
    assert (answer["code"], answer["about"]) == ("KeyUnreadable", "PublicKey")
