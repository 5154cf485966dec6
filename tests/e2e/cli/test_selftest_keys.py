"""The selftest's role as a tenant: its readers open genuine sealed files, and nothing that was changed."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from callseal.crypto.envelopes.cms import seal
from callseal.crypto.recipients import judge
from callseal_cli.options import gpg
from callseal_cli.selftest.private_keys import OpenError, X509Key, end_agent, make_openpgp, make_ssh, make_x509
from tests.support.keys import run, tool

NOW = datetime.now(UTC)
DATA = bytes(range(256)) * 33 + b"end"


@pytest.fixture(scope="module")
def key() -> X509Key:
    return make_x509("canary", NOW)


def sealed_by_us(key: X509Key, profile: str, data: bytes = DATA) -> bytes:
    out = BytesIO()
    seal(BytesIO(data), len(data), judge(key.public_text, NOW, gpg()).members, profile, out.write)  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize("profile", ["authenveloped-gcm", "enveloped-cbc"])
@pytest.mark.parametrize("data", [DATA, b"", b"x" * 16])
def test_reader_opens_files_of_the_functions(key: X509Key, profile: str, data: bytes) -> None:
    assert key.open(sealed_by_us(key, profile, data)) == data


@pytest.mark.parametrize(
    "options",
    [
        ("-aes-256-gcm", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"),
        ("-aes-256-cbc",),
    ],
    ids=["gcm", "cbc"],
)
def test_reader_opens_files_of_openssl(key: X509Key, tmp_path: Path, options: tuple[str, ...]) -> None:
    certificate, plain = tmp_path / "canary.crt", tmp_path / "plain"
    certificate.write_text(key.public_text)
    plain.write_bytes(DATA)
    cipher, *keyopt = options
    sealed = run(tool("openssl"), "cms", "-encrypt", "-binary", cipher, "-outform", "DER", "-nodetach", "-in", plain,
                 "-recip", certificate, *keyopt)  # fmt: skip
    assert key.open(sealed) == DATA


def test_openssl_opens_the_same_content(key: X509Key, tmp_path: Path) -> None:
    private, sealed = tmp_path / "canary.key", tmp_path / "sealed.p7m"
    private.write_bytes(key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    sealed.write_bytes(sealed_by_us(key, "authenveloped-gcm"))
    opened = run(tool("openssl"), "cms", "-decrypt", "-binary", "-inform", "DER", "-in", sealed, "-inkey", private)
    assert opened == key.open(sealed.read_bytes()) == DATA


def test_another_key_opens_nothing(key: X509Key) -> None:
    other = make_x509("other", NOW)
    for profile in ("authenveloped-gcm", "enveloped-cbc"):
        with pytest.raises(OpenError, match="does not open it"):
            other.open(sealed_by_us(key, profile))


def test_changed_or_truncated_file_does_not_open(key: X509Key) -> None:
    sealed = sealed_by_us(key, "authenveloped-gcm")
    # A length, the encrypted content, and the tag.
    for at in (3, len(sealed) // 2, len(sealed) - 20, len(sealed) - 1):
        with pytest.raises(OpenError):
            key.open(sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :])
    for damaged in (b"", sealed[:1], sealed[:-1], sealed[: len(sealed) // 2], sealed + b"\0", DATA, b"\x30\x80\0\0"):
        with pytest.raises(OpenError):
            key.open(damaged)


def test_the_openpgp_key_is_usable_and_opens_what_gpg_seals(tmp_path: Path) -> None:
    made = make_openpgp("canary", tmp_path / "g")
    try:
        assert judge(made.public_text, datetime.now(UTC), gpg()).members[0].fingerprint == made.fingerprint
        sealed = run(tool("gpg"), "--homedir", made.home, "--batch", "--trust-model", "always", "--encrypt", "-r",
                     made.fingerprint, data=DATA)  # fmt: skip
        assert made.open(sealed) == DATA
        with pytest.raises(OpenError, match="exit code 2"):
            made.open(sealed[:-1])
        assert (made.home.stat().st_mode & 0o777) == 0o700
    finally:
        end_agent(made.home)
    assert not (made.home / "S.gpg-agent").exists()


def test_ssh_key_is_private_and_readable_by_openssh(tmp_path: Path) -> None:
    path = tmp_path / "ssh.key"
    line = make_ssh(path)
    assert (path.stat().st_mode & 0o777) == 0o600
    assert run(tool("ssh-keygen"), "-y", "-f", path).decode().split()[:2] == line.split()[:2]
