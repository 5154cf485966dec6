"""Verdicts on X.509 texts, and on texts that are stored by mistake: real keys by openssl, and damaged ones."""

import base64
import re
import subprocess
import sys
import warnings
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import example, given, settings
from hypothesis import strategies as st

from callseal.core.errors import HeldError, Reason
from callseal.core.recipient import usable_until
from callseal.crypto.envelopes import cms
from callseal.crypto.recipients import CmsRecipients
from tests.support.keys import X509Tenant, openpgp_tenant, run, tool, x509_tenant
from tests.unit.crypto.verdicts import armour, assert_held, dearmour, edited, edits, fingerprints, judged, verdict

USAGE = "keyUsage=critical,"


def openssl(*arguments: str | Path, data: bytes | None = None) -> bytes:
    return run(tool("openssl"), *arguments, data=data)


def fingerprint(certificate: Path) -> str:
    shown = openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha256").decode()
    return shown.strip().partition("=")[2].replace(":", "")


def good() -> X509Tenant:
    return x509_tenant("rsa2048")


def x509_of(text: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(text.encode())


@cache
def custom(folder: Path, *request: str) -> X509Tenant:
    """Make a certificate with any arguments of `openssl req`."""
    base = folder / f"c{abs(hash(request))}"
    key, certificate = base.with_suffix(".key"), base.with_suffix(".crt")
    openssl("req", "-x509", "-nodes", "-subj", "/CN=odd", "-days", "30", *request, "-keyout", key, "-out", certificate)
    return X509Tenant(certificate, key)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("x509")


# Strength and purpose.


@pytest.mark.parametrize(
    ("algorithm", "told"),
    [
        ("rsa2048", ("RSA", 2048)),
        ("rsa4096", ("RSA", 4096)),
        ("p256", ("EC P-256", 256)),
        ("p384", ("EC P-384", 384)),
        ("p521", ("EC P-521", 521)),
    ],
)
def test_accepted_certificate_has_its_algorithm_and_strength(algorithm: str, told: tuple[str, int]) -> None:
    (member,) = verdict(x509_tenant(algorithm).public_text).members
    assert (member.algorithm, member.strength) == told


@pytest.mark.parametrize("algorithm", ["rsa2048", "rsa4096", "p256", "p384", "p521"])
def test_a_strong_certificate_is_accepted_with_its_fingerprint_and_end(algorithm: str) -> None:
    tenant = x509_tenant(algorithm)
    recipients = verdict(tenant.public_text)

    assert isinstance(recipients, CmsRecipients)
    (member,) = recipients.members
    assert (member.fingerprint, member.kind) == (fingerprint(tenant.certificate), "x509")
    assert member.not_after == usable_until(recipients) == x509_of(tenant.public_text).not_valid_after_utc


@pytest.mark.parametrize(
    "curve", ["secp224r1", "secp256k1", "brainpoolP256r1", "brainpoolP512r1", "prime192v1", "sect283k1"]
)
def test_another_curve_is_too_weak(curve: str, folder: Path) -> None:
    tenant = custom(folder, "-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{curve}")
    words = (fingerprint(tenant.certificate), "P-256, P-384, P-521, or RSA from 2048 bits")
    assert_held(tenant.public_text, Reason.KEY_TOO_WEAK, *words)


@pytest.mark.parametrize("bits", [512, 1024, 2047])
def test_a_short_rsa_key_is_too_weak(bits: int, folder: Path) -> None:
    tenant = custom(folder, "-newkey", f"rsa:{bits}")
    words = (fingerprint(tenant.certificate), f"RSA key of {bits} bits", "2048 bits or more")
    assert_held(tenant.public_text, Reason.KEY_TOO_WEAK, *words)


@pytest.mark.parametrize("request_for", [("ed25519",), ("ed448",), ("rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048")])
def test_a_key_for_signatures_is_not_for_encryption(request_for: tuple[str, ...], folder: Path) -> None:
    tenant = custom(folder, "-newkey", *request_for)
    words = (fingerprint(tenant.certificate), "for signatures only", "a certificate for encryption, RSA or EC")
    assert_held(tenant.public_text, Reason.KEY_NOT_FOR_ENCRYPTION, *words)


def test_a_dsa_key_is_not_for_encryption(folder: Path) -> None:
    parameters = folder / "dsa.pem"
    openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024", "-out", parameters)
    tenant = custom(folder, "-newkey", f"dsa:{parameters}")
    assert_held(tenant.public_text, Reason.KEY_NOT_FOR_ENCRYPTION, fingerprint(tenant.certificate))


@pytest.mark.parametrize("algorithm", ["X25519", "X448"])
def test_a_montgomery_curve_is_too_weak(algorithm: str, folder: Path) -> None:
    # This key cannot sign its own certificate, so an authority certifies it.
    ca, key, public, certificate = x509_tenant("p256"), folder / "x.key", folder / "x.pub", folder / "x.crt"
    openssl("genpkey", "-algorithm", algorithm, "-out", key)
    openssl("pkey", "-in", key, "-pubout", "-out", public)
    csr = openssl("req", "-new", "-key", ca.private_key, "-subj", "/CN=x")
    openssl("x509", "-req", "-force_pubkey", public, "-CA", ca.certificate, "-CAkey", ca.private_key,
            "-set_serial", "7", "-days", "9", "-out", certificate, data=csr)  # fmt: skip
    assert_held(certificate.read_text(), Reason.KEY_TOO_WEAK, fingerprint(certificate), "P-256, P-384, P-521")


@pytest.mark.parametrize(
    ("algorithm", "usage"),
    [
        ("rsa2048", "keyEncipherment"),
        ("rsa2048", "digitalSignature,keyEncipherment"),
        ("p256", "keyAgreement"),
        ("p256", "digitalSignature,keyAgreement"),
    ],
)
def test_a_key_usage_that_allows_it_is_accepted(algorithm: str, usage: str) -> None:
    tenant = x509_tenant(algorithm, "usage", "-addext", USAGE + usage)
    assert fingerprints(tenant.public_text) == [fingerprint(tenant.certificate)]


@pytest.mark.parametrize(
    ("algorithm", "usage", "wanted"),
    [
        ("rsa2048", "digitalSignature", "keyEncipherment"),
        ("rsa2048", "keyAgreement", "keyEncipherment"),
        ("rsa2048", "dataEncipherment", "keyEncipherment"),
        ("rsa2048", "keyCertSign,cRLSign", "keyEncipherment"),
        ("p256", "keyEncipherment", "keyAgreement"),
        ("p256", "digitalSignature", "keyAgreement"),
    ],
)
def test_a_key_usage_that_does_not_allow_it_is_not_for_encryption(algorithm: str, usage: str, wanted: str) -> None:
    tenant = x509_tenant(algorithm, "usage", "-addext", USAGE + usage)
    words = (fingerprint(tenant.certificate), f"does not allow {wanted}", "encryption certificate alone")
    assert_held(tenant.public_text, Reason.KEY_NOT_FOR_ENCRYPTION, *words)


def test_unrelated_authority_beside_a_good_certificate_holds() -> None:
    ca = x509_tenant("rsa2048", "ca", "-addext", USAGE + "keyCertSign,cRLSign")
    assert_held(
        good().public_text + ca.public_text,
        Reason.KEY_NOT_FOR_ENCRYPTION,
        fingerprint(ca.certificate),
        "without the chain",
    )


def test_an_old_certificate_of_version_1_and_one_by_an_authority_are_opened(folder: Path) -> None:
    # given: issuers and serial numbers as in practice, the latter with its highest bit set
    ca, leaf = x509_tenant("p256", "Ça Authority"), x509_tenant("rsa2048")
    csr = openssl("req", "-new", "-key", leaf.private_key, "-utf8", "-subj", "/C=DE/O=Ünï+OU=x/CN=leaf")
    certificate = folder / "leaf.crt"
    openssl("x509", "-req", "-CA", ca.certificate, "-CAkey", ca.private_key, "-set_serial", "0xF" + "0" * 38,
            "-days", "9", "-out", certificate, data=csr)  # fmt: skip
    tenant = X509Tenant(certificate, leaf.private_key)
    assert x509_of(tenant.public_text).version is x509.Version.v1

    sealed = bytearray()
    members = verdict(tenant.public_text).members
    cms.seal(BytesIO(b"hello"), 5, members, "authenveloped-gcm", sealed.extend)  # type: ignore[arg-type]
    assert tenant.open(bytes(sealed)) == b"hello"


# Time.


def test_certificate_is_valid_from_its_first_to_its_last_second() -> None:
    text, name = good().public_text, fingerprint(good().certificate)
    first, last = x509_of(text).not_valid_before_utc, x509_of(text).not_valid_after_utc

    assert fingerprints(text, first) == fingerprints(text, last) == [name]
    late, early = last + timedelta(seconds=1), first - timedelta(seconds=1)
    assert_held(
        text, Reason.KEY_EXPIRED, name, f"expired on {last:%Y-%m-%d}", "Ask the tenant for a new certificate", now=late
    )
    assert_held(text, Reason.KEY_NOT_YET_VALID, name, f"valid only from {first:%Y-%m-%d %H:%M} UTC", "Wait", now=early)


# Frames: what mail, consoles and tools make of a certificate.

FRAMES = {
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "one line": lambda text: text.replace("\n", ""),
    "spaces for line ends": lambda text: text.replace("\n", " "),
    "indented": lambda text: "\n".join("   \t" + line for line in text.splitlines()),
    "blank lines": lambda text: text.replace("\n", "\n\n"),
    "trailing spaces": lambda text: text.replace("\n", "  \n"),
    "BOM": lambda text: "\ufeff" + text,
    "prose around": lambda text: f"Dear all,\nour key -- as discussed -- is:\n{text}\nYours, Bob -- (+49) 151\n",
    "no line end": lambda text: text.strip(),
    "old label": lambda text: text.replace(" CERTIFICATE-", " X509 CERTIFICATE-"),
    "wide lines": lambda text: re.sub(r"(?<=[A-Za-z0-9+/])\n(?=[A-Za-z0-9+/=])", "", text),
}


@pytest.mark.parametrize("frame", FRAMES)
def test_a_certificate_is_read_in_any_frame(frame: str) -> None:
    assert fingerprints(FRAMES[frame](good().public_text)) == [fingerprint(good().certificate)]


def test_a_certificate_is_read_as_openssls_tools_print_it() -> None:
    tenant = good()
    store = openssl("pkcs12", "-export", "-in", tenant.certificate, "-inkey", tenant.private_key, "-passout", "pass:x")
    bag = openssl("pkcs12", "-nokeys", "-passin", "pass:x", data=store).decode()
    assert "Bag Attributes" in bag
    shown = openssl("x509", "-in", tenant.certificate, "-text").decode()
    assert fingerprints(bag) == fingerprints(shown) == [fingerprint(tenant.certificate)]


# Several.


def test_sixteen_certificates_are_sixteen_recipients_and_seventeen_too_many() -> None:
    tenants = [x509_tenant("p256", f"r{number}") for number in range(17)]
    texts = [tenant.public_text for tenant in tenants]
    assert fingerprints("".join(texts[:16])) == [fingerprint(tenant.certificate) for tenant in tenants[:16]]
    assert_held("".join(texts), Reason.KEY_UNREADABLE, "17 blocks", "16 recipients at most")


def test_duplicate_certificate_is_one_recipient() -> None:
    assert fingerprints(good().public_text * 3) == [fingerprint(good().certificate)]


def test_validity_ends_with_the_first_certificate_that_expires() -> None:
    short = x509_tenant("p256", "short", "-days", "2")
    ends = usable_until(verdict(good().public_text + short.public_text))
    assert ends == x509_of(short.public_text).not_valid_after_utc


def test_first_documented_reason_wins_in_any_order_of_blocks(folder: Path) -> None:
    damaged = armour("CERTIFICATE", b"\x30\x03\x02\x01\x01")
    signer = custom(folder, "-newkey", "ed25519").public_text
    weak = custom(folder, "-newkey", "rsa:1024").public_text
    short = x509_tenant("p256", "short", "-days", "2").public_text
    later = datetime.now(UTC) + timedelta(days=10)
    in_order = [
        (damaged, Reason.KEY_UNREADABLE),
        (signer, Reason.KEY_NOT_FOR_ENCRYPTION),
        (weak, Reason.KEY_TOO_WEAK),
        (short, Reason.KEY_EXPIRED),
        (good().public_text, None),
    ]
    for place, (_, reason) in enumerate(in_order[:-1]):
        texts = [text for text, _ in in_order[place:]]
        for blocks in (texts, texts[::-1]):
            assert_held("".join(blocks), reason, now=later)  # type: ignore[arg-type]


def test_one_key_with_several_faults_has_the_first_reason(folder: Path) -> None:
    weak_signer = custom(folder, "-newkey", "rsa:1024", "-addext", USAGE + "digitalSignature").public_text
    later = datetime.now(UTC) + timedelta(days=99)
    assert_held(weak_signer, Reason.KEY_NOT_FOR_ENCRYPTION, now=later)
    assert_held(custom(folder, "-newkey", "rsa:1024").public_text, Reason.KEY_TOO_WEAK, now=later)


# Damage.


def test_truncated_certificate_holds_even_after_good_certificates() -> None:
    text = good().public_text
    for cut in (text[:-30], text[: len(text) // 2], text[:40], "-----BEGIN CERTIFICATE-----"):
        assert_held(cut, Reason.KEY_UNREADABLE, "BEGIN and END lines do not match")
        assert_held(text + cut, Reason.KEY_UNREADABLE, "BEGIN and END lines do not match")
        assert_held(cut + text, Reason.KEY_UNREADABLE, "BEGIN and END lines do not match")


def test_a_certificate_with_a_piece_missing_or_a_letter_too_many_is_damaged() -> None:
    lines = good().public_text.splitlines(keepends=True)
    for damaged in (
        "".join(lines[:3] + lines[4:]),
        "".join(lines[:-2] + lines[-1:]),
        "".join([*lines[:3], "!", *lines[3:]]),
        "".join([*lines[:3], "æ\n", *lines[3:]]),
        "".join([*lines[:3], "> ", *lines[3:]]),
        "".join([*lines[:3], "A", *lines[3:]]),
        "".join([lines[0], lines[-1]]),
    ):
        assert_held(damaged, Reason.KEY_UNREADABLE, "certificate 1 is damaged")
        assert_held(good().public_text + damaged, Reason.KEY_UNREADABLE, "certificate 2 is damaged")


def test_modulus_unusable_for_encryption_is_unreadable() -> None:
    changed = dearmour(good().public_text)
    modulus = x509_of(good().public_text).public_key().public_numbers().n.to_bytes(256)  # type: ignore[union-attr]
    even = changed.replace(modulus, modulus[:-1] + bytes([modulus[-1] ^ 1]))
    assert_held(armour("CERTIFICATE", even), Reason.KEY_UNREADABLE, "a public key that cannot be used")


def test_bytes_after_the_certificate_are_damage() -> None:
    assert_held(armour("CERTIFICATE", dearmour(good().public_text) + b"\0"), Reason.KEY_UNREADABLE, "damaged")


# Texts that are stored by mistake.


def wrong_texts() -> dict[str, tuple[str, str]]:
    tenant = good()
    csr = openssl("req", "-new", "-key", tenant.private_key, "-subj", "/CN=x").decode()
    public = openssl("pkey", "-in", tenant.private_key, "-pubout").decode()
    rsa_public = openssl("rsa", "-in", tenant.private_key, "-RSAPublicKey_out").decode()
    der = openssl("x509", "-in", tenant.certificate, "-outform", "DER")
    trusted = openssl("x509", "-in", tenant.certificate, "-trustout").decode()
    pkcs7 = openssl("crl2pkcs7", "-nocrl", "-certfile", tenant.certificate).decode()
    return {
        "nothing": ("", "it has no '-----BEGIN CERTIFICATE-----'"),
        "blanks": (" \n\t", "it has no '-----BEGIN CERTIFICATE-----'"),
        "prose": ("The key will follow.", "it has no '-----BEGIN CERTIFICATE-----'"),
        "HTML": ("<html><body><h1>404 Not Found</h1></body></html>", "it has no '-----BEGIN CERTIFICATE-----'"),
        "JSON": ('{"public-key": "todo"}', "it has no '-----BEGIN CERTIFICATE-----'"),
        "DER": (der.decode("latin-1"), "it has no '-----BEGIN CERTIFICATE-----'"),
        "an SSH key": ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK bob@host", "it has no '-----BEGIN CERTIFICATE-----'"),
        "a request": (csr, "it is a certificate request"),
        "an old request": (csr.replace(" CERT", " NEW CERT"), "it is a certificate request"),
        "a bare key": (public, "it is a bare public key without a certificate"),
        "a bare RSA key": (rsa_public, "it is a bare public key without a certificate"),
        "a bare key after a good one": (tenant.public_text + public, "it is a bare public key without a certificate"),
        "a trusted certificate": (trusted, "it has a block 'TRUSTED CERTIFICATE'"),
        "PKCS#7": (pkcs7, "it has a block 'PKCS7'"),
        "too much": (tenant.public_text + "x" * 2**20, "it is longer than 1,048,576 bytes"),
        "too much in bytes": (tenant.public_text + "æ" * 2**19, "it is longer than 1,048,576 bytes"),
        "a whole library": (tenant.public_text * 1000, "it is longer than 1,048,576 bytes"),
        "both families": (tenant.public_text + openpgp_tenant("cv25519").public_text, "it mixes X.509 certificates"),
        "surrogates": ("\ud800" + tenant.public_text.replace("M", "\udfff", 1), "certificate 1 is damaged"),
        "a key in the frame": (armour("CERTIFICATE", dearmour(public)), "certificate 1 is damaged"),
    }


WRONG = ["nothing", "blanks", "prose", "HTML", "JSON", "DER", "an SSH key", "a request", "an old request", "a bare key",
         "a bare RSA key", "a bare key after a good one", "a trusted certificate", "PKCS#7", "too much",
         "too much in bytes", "a whole library", "both families", "surrogates", "a key in the frame"]  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_text_that_is_no_supported_key_is_unreadable_and_named(name: str) -> None:
    texts = wrong_texts()
    assert list(texts) == WRONG
    text, words = texts[name]
    assert_held(text, Reason.KEY_UNREADABLE, words)


# Private keys.


def private_texts() -> dict[str, str]:
    rsa, ec = x509_tenant("rsa2048").private_key, x509_tenant("p256").private_key
    body = "\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU=\n"
    return {
        "PKCS#8": rsa.read_text(),
        "PKCS#1": openssl("rsa", "-in", rsa, "-traditional").decode(),
        "PKCS#1, encrypted": openssl("rsa", "-in", rsa, "-traditional", "-aes256", "-passout", "pass:x").decode(),
        "encrypted": openssl("pkcs8", "-topk8", "-in", rsa, "-passout", "pass:x").decode(),
        "EC": openssl("ec", "-in", ec).decode(),
        "OpenSSH": f"-----BEGIN OPENSSH PRIVATE KEY-----{body}-----END OPENSSH PRIVATE KEY-----\n",
        "SSH2": f"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----{body}---- END SSH2 ENCRYPTED PRIVATE KEY ----\n",
        "PuTTY": f"PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nPrivate-Lines: 1{body}",
        "its end cut off": rsa.read_text()[:300],
        "few dashes": rsa.read_text().replace("-----", "---"),
        "small letters": rsa.read_text().replace("BEGIN PRIVATE KEY", "begin private key"),
        "one line": rsa.read_text().replace("\n", ""),
        "with its certificate": x509_tenant("rsa2048").public_text + rsa.read_text(),
        "before its certificate": rsa.read_text() + x509_tenant("rsa2048").public_text,
    }


PRIVATE = ["PKCS#8", "PKCS#1", "PKCS#1, encrypted", "encrypted", "EC", "OpenSSH", "SSH2", "PuTTY", "its end cut off",
           "few dashes", "small letters", "one line", "with its certificate", "before its certificate"]  # fmt: skip


@pytest.mark.parametrize("name", PRIVATE)
def test_private_key_is_rejected_explicitly_and_never_repeated(name: str) -> None:
    texts = private_texts()
    assert list(texts) == PRIVATE
    sentence = assert_held(
        texts[name], Reason.KEY_IS_PRIVATE, "PRIVATE key, which must never leave the tenant", "compromised"
    )
    for line in texts[name].splitlines():
        assert len(line) < 16 or line not in sentence


def test_a_private_key_outweighs_everything_else() -> None:
    private = private_texts()["PKCS#8"]
    for others in ("-----BEGIN CERTIFICATE-----", armour("CERTIFICATE", b"x"), openpgp_tenant("cv25519").public_text):
        assert_held(others + private, Reason.KEY_IS_PRIVATE)
        assert_held(private + others, Reason.KEY_IS_PRIVATE)


# Anything.

labels = st.sampled_from(["CERTIFICATE", "X509 CERTIFICATE", "PGP PUBLIC KEY BLOCK", "PUBLIC KEY", "X"]) | st.text(
    "A Z0", max_size=9
)
pieces = st.one_of(
    st.text(),
    st.builds("-----BEGIN {}-----".format, labels),
    st.builds("-----END {}-----".format, labels),
    st.builds(armour, labels, st.binary()),
)


@settings(max_examples=300)
@given(st.lists(pieces, max_size=6).map("\n".join) | st.text())
@example("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----")
@example("-----BEGIN PGP PUBLIC KEY BLOCK-----\n-----END PGP PUBLIC KEY BLOCK-----")
def test_arbitrary_text_is_held_for_a_reason(text: str) -> None:
    assert isinstance(judged(text), HeldError)


@settings(max_examples=300)
@given(edits)
def test_certificate_with_arbitrary_text_changes_is_judged(changes: list[tuple[str, int, int]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cryptography's, for oddities that it still accepts
        judged(edited(x509_tenant("p256").public_text.encode(), changes).decode("latin-1"))


@settings(max_examples=600)
@given(st.sampled_from(["p256", "rsa2048"]), edits)
def test_certificate_with_arbitrary_byte_changes_is_judged(algorithm: str, changes: list[tuple[str, int, int]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        judged(armour("CERTIFICATE", edited(dearmour(x509_tenant(algorithm).public_text), changes)))


@pytest.mark.parametrize("algorithm", ["p256", "rsa2048"])
@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF])
def test_certificate_with_any_wrong_byte_is_judged(algorithm: str, change: int) -> None:
    good_bytes = dearmour(x509_tenant(algorithm).public_text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for place in range(len(good_bytes)):
            changed = bytearray(good_bytes)
            changed[place] ^= change
            judged(armour("CERTIFICATE", bytes(changed)))


def test_unknown_version_is_damaged() -> None:
    changed = dearmour(good().public_text).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1)
    assert_held(armour("CERTIFICATE", changed), Reason.KEY_UNREADABLE, "certificate 1 is damaged")


def test_no_gpg_is_started_for_a_certificate() -> None:
    script = (
        "import sys; from datetime import UTC, datetime; from callseal.crypto.recipients import judge, gpg_factory; "
        "judge(sys.stdin.read(), datetime.now(UTC), gpg_factory('/nonexistent')); print('gnupg' in sys.modules)"
    )
    layer = Path(__file__).parents[3] / "layers" / "callseal" / "python"
    done = subprocess.run(
        [sys.executable, "-c", script], input=good().public_text, cwd=layer, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_private_key_in_a_certificates_frame_is_private() -> None:
    tenant = x509_tenant()
    body = base64.b64encode(run(tool("openssl"), "pkey", "-in", tenant.private_key, "-outform", "DER")).decode()

    text = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"

    assert_held(text, Reason.KEY_IS_PRIVATE)


@pytest.mark.parametrize("dashes", ["----", "\N{EM DASH}", "- - - - -", "-----  "])
def test_second_block_with_damaged_markers_is_not_ignored(dashes: str) -> None:
    good = x509_tenant().public_text

    assert_held(good + good.replace("-----", dashes), Reason.KEY_UNREADABLE, "BEGIN or END line")
