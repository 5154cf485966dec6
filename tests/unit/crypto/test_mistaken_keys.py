"""Texts that are sent instead of a key: rejected with a sentence that names what it is and what to request."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from callseal.core.errors import Reason
from tests.support.keys import gpg, gpg_home, openpgp_tenant, run, tool, x509_tenant
from tests.unit.crypto.verdicts import armour, assert_held, dearmour, fingerprints
from tests.vectors.cases import CASES

MIB = 1024 * 1024
FORMS = "its certificate in PEM form, or its OpenPGP public key (gpg --armor --export)"


def openssl(*arguments: str | Path, data: bytes | None = None) -> bytes:
    return run(tool("openssl"), *arguments, data=data)


@cache
def ssh_key(kind: str) -> tuple[str, str]:
    """Make an SSH key. Return its public line, and the same key as RFC 4716 writes it."""
    folder = gpg_home("ssh")
    run(tool("ssh-keygen"), "-q", "-t", kind, "-N", "", "-C", "bob@host", "-f", folder / "key")
    return (folder / "key.pub").read_text(), run(tool("ssh-keygen"), "-e", "-f", folder / "key.pub").decode()


def store() -> bytes:
    tenant = x509_tenant()
    return openssl("pkcs12", "-export", "-in", tenant.certificate, "-inkey", tenant.private_key, "-passout", "pass:x")


def encoded(data: bytes) -> str:
    return base64.encodebytes(data).decode()


def der(*command: str) -> bytes:
    return openssl(*command, "-outform", "DER", "-in", x509_tenant().private_key)


def certificate_der() -> bytes:
    return dearmour(x509_tenant().public_text)


def by_gpg(*arguments: str, data: bytes = b"") -> bytes:
    return gpg(openpgp_tenant("cv25519").home, *arguments, data=data)


def to_the_tenant() -> tuple[str, ...]:
    return ("--trust-model", "always", "-r", openpgp_tenant("cv25519").fingerprint)


def smime() -> str:
    return openssl("smime", "-sign", "-in", "/etc/hostname", "-signer", x509_tenant().certificate, "-inkey",
                   x509_tenant().private_key).decode()  # fmt: skip


def revocation() -> str:
    """Return the revocation certificate that gpg makes with every key, without the colon that guards it."""
    text = next((openpgp_tenant("cv25519").home / "openpgp-revocs.d").glob("*.rev")).read_text()
    return text.replace(":-----BEGIN", "-----BEGIN")


def web_key(**members: str) -> str:
    return json.dumps({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", **members}]})


PGP = openpgp_tenant
WRONG = {
    "SSH, RSA": (lambda: ssh_key("rsa")[0], "it is a public key for SSH, which is for logins and not for encryption"),
    "SSH, Ed25519": (lambda: ssh_key("ed25519")[0], "it is a public key for SSH"),
    "SSH, ECDSA": (lambda: ssh_key("ecdsa")[0], "it is a public key for SSH"),
    "SSH, RFC 4716": (lambda: ssh_key("rsa")[1], "a part of the text is a public key for SSH"),
    "SSH, RFC 4716, in the case": (lambda: case("ssh2.asc"), "a part of the text is a public key for SSH"),
    "SSH, RFC 4716, beside a certificate": (
        lambda: x509_tenant().public_text + ssh_key("rsa")[1], "a part of the text is a public key for SSH",
    ),
    "a signed mail, in the case": (lambda: case("clearsigned.asc"), "a key inside a signed mail"),
    "a signed mail": (
        lambda: by_gpg("--clearsign", data=PGP("cv25519").public_text.encode()).decode(),
        "a key inside a signed mail",
    ),
    "a signed mail with a certificate": (
        lambda: by_gpg("--clearsign", data=x509_tenant().public_text.encode()).decode(),
        "a key inside a signed mail",
    ),
    "an encrypted message": (
        lambda: by_gpg("--armor", *to_the_tenant(), "--encrypt", data=b"x").decode(), "an encrypted message, not a key",
    ),
    "an encrypted message, binary": (
        lambda: by_gpg(*to_the_tenant(), "--encrypt", data=b"x").decode("latin-1"), "an encrypted message, not a key",
    ),
    "a detached signature": (lambda: by_gpg("--armor", "--detach-sign").decode(), "a signature, not a key"),
    "a detached signature, binary": (lambda: by_gpg("--detach-sign").decode("latin-1"), "a signature, not a key"),
    "a revocation certificate": (revocation, "without its key"),
    "an OpenPGP key, binary": (lambda: by_gpg("--export").decode("latin-1"), "an OpenPGP key in binary form"),
    "PKCS#12": (lambda: store().decode("latin-1"), "a PKCS#12 file (.p12, .pfx) in binary form"),
    "PKCS#12 in base64": (lambda: encoded(store()), "a PKCS#12 file (.p12, .pfx) without its BEGIN and END lines"),
    "PKCS#12 in a frame": (lambda: armour("PKCS12", store()), "usually holds the private key"),
    "a certificate in DER": (lambda: certificate_der().decode("latin-1"), "a certificate request in binary form"),
    "a certificate in base64": (lambda: encoded(certificate_der()), "request without its BEGIN and END lines"),
    "a bare public key in base64": (lambda: encoded(der("pkey", "-pubout")), "a bare public key without its BEGIN"),
    "a bare RSA public key in base64": (lambda: encoded(der("rsa", "-RSAPublicKey_out")), "a bare public key without"),
    "PKCS#7 in base64": (lambda: encoded(dearmour(bundle())), "a PKCS#7 or S/MIME file without its BEGIN"),
    "PKCS#7": (lambda: bundle(), "a PKCS#7 bundle. Ask the tenant for its own certificate"),
    "S/MIME": (smime, "an S/MIME mail"),
    "a trusted certificate": (
        lambda: openssl("x509", "-in", x509_tenant().certificate, "-trustout").decode(), "that only openssl reads",
    ),
    "a CRL": (lambda: armour("X509 CRL", b"x"), "a list of revoked certificates"),
    "age": (lambda: "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\n", "a public key for age"),
    "an age file": (lambda: armour("AGE ENCRYPTED FILE", b"x"), "an encrypted message, not a key"),
    "minisign": (
        lambda: "untrusted comment: minisign public key E7620F1842B4E81F\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1C\n",
        "a minisign or signify key",
    ),
    "a web page": (lambda: "<!DOCTYPE html>\n<html><title>Search results</title></html>", "a web page"),
    "XML": (
        lambda: f"<KeyInfo><ds:X509Certificate>{encoded(certificate_der())}</ds:X509Certificate></KeyInfo>",
        "a certificate inside XML",
    ),
    "XML without a certificate": (
        lambda: "<RSAKeyValue><Modulus>AQAB</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>",
        "a bare public key in XML",
    ),
    "a JSON Web Key": (web_key, "a JSON Web Key"),
    "a fingerprint": (lambda: f"{PGP('cv25519').fingerprint}\n", "only a fingerprint or a key id"),
    "a fingerprint in groups": (lambda: "AB12 34CD 5678 90EF 1234  5678 90AB CDEF 1234 5678", "only a fingerprint"),
    "a fingerprint with colons": (lambda: ":".join(["AB"] * 32), "only a fingerprint or a key id"),
    "a key id": (lambda: "0x1234567890ABCDEF", "only a fingerprint or a key id"),
    "an address": (lambda: "https://keys.example.org/vks/v1/by-fingerprint/AB12\n", "only a web address"),
    "nothing": (lambda: " \n", "it is empty"),
    "JSON's line ends": (lambda: json.dumps(x509_tenant().public_text), "its line ends are the two characters \\n"),
    "JSON's line ends, OpenPGP": (lambda: json.dumps(PGP("cv25519").public_text), "its line ends are the two"),
}  # fmt: skip


def case(name: str) -> str:
    return (CASES / "ssh2-public-key-message" / name).read_text()


def bundle() -> str:
    return openssl("crl2pkcs7", "-nocrl", "-certfile", x509_tenant().certificate).decode()


@pytest.mark.parametrize("name", WRONG)
def test_text_that_is_no_supported_key_is_named(name: str) -> None:
    make, words = WRONG[name]
    sentence = assert_held(make(), Reason.KEY_UNREADABLE, words)
    assert "damaged" not in sentence
    assert "cut off" not in sentence


@pytest.mark.parametrize("name", ["SSH, RSA", "age", "a web page", "S/MIME", "a JSON Web Key", "a fingerprint"])
def test_named_text_is_requested_in_another_form(name: str) -> None:
    assert_held(WRONG[name][0](), Reason.KEY_UNREADABLE, FORMS)


PRIVATE = {
    "PKCS#8 in base64": lambda: encoded(der("pkcs8", "-topk8", "-nocrypt")),
    "PKCS#8 in DER": lambda: der("pkcs8", "-topk8", "-nocrypt").decode("latin-1"),
    "PKCS#8, encrypted, in base64": lambda: encoded(der("pkcs8", "-topk8", "-passout", "pass:x")),
    "PKCS#1 in base64": lambda: encoded(der("rsa", "-traditional")),
    "OpenPGP, binary": lambda: by_gpg("--export-secret-keys").decode("latin-1"),
    "age": lambda: "# created: 2026-11-29T00:00:00Z\nAGE-SECRET-KEY-1" + "Q" * 58,
    "minisign": lambda: "untrusted comment: minisign encrypted secret key\nRWRTY0IyAAAAAAAAAAAAAAAA\n",
    "a JSON Web Key": lambda: web_key(d="AQAB"),
    "XML": lambda: "<RSAKeyValue><Modulus>AQAB</Modulus><D>AQAB</D></RSAKeyValue>",
}


@pytest.mark.parametrize("name", PRIVATE)
def test_private_key_is_recognised_without_its_frame(name: str) -> None:
    assert_held(PRIVATE[name](), Reason.KEY_IS_PRIVATE, "PRIVATE key, which must never leave the tenant")


def test_words_around_a_good_key_are_accepted() -> None:
    key = x509_tenant().public_text
    for around in ("https://example.org/key\n", "ssh-ed25519 AAAAC3Nz bob@host\n", "<html><pre>", "AB12 34CD\n",
                   '{"kty": "RSA", "d": 1}\n', "Content-Type: multipart/signed\n\n"):  # fmt: skip
        assert fingerprints(around + key) == fingerprints(key)


@pytest.mark.parametrize("text", ["<" * MIB, "age1" * (MIB // 4), "0" * MIB, " " * MIB, "{" * MIB, "<a" * (MIB // 2),
                                  "content-type:\n" * (MIB // 14), "untrusted comment:" * (MIB // 18),
                                  "untrusted comment: " + "a " * (MIB // 2 - 10)])  # fmt: skip
def test_a_long_text_is_refused_in_linear_time(text: str) -> None:
    script = (
        "import sys, resource; from datetime import UTC, datetime\n"
        "from callseal.crypto.recipients import judge, gpg_factory\n"
        "try: judge(sys.stdin.read(), datetime.now(UTC), gpg_factory('/nonexistent'))\n"
        "except Exception: print(resource.getrusage(resource.RUSAGE_SELF).ru_utime)"
    )
    layer = Path(__file__).parents[3] / "layers" / "callseal" / "python"
    done = subprocess.run(
        [sys.executable, "-c", script], input=text, cwd=layer, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 10
