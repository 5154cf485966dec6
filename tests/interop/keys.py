"""The tenants' keys, in each of the forms that their readers accept, made by the real openssl and gpg once a run."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.interop.lab import folder, new_home, once
from tests.support.keys import OPENSSL_ALGORITHMS, fingerprint_of, gpg, run, tool

PASSPHRASE = "interop"
TITLES = {
    "rsa2048": "RSA-2048", "rsa2048b": "RSA-2048", "rsa3072": "RSA-3072", "rsa4096": "RSA-4096",
    "p256": "P-256", "p384": "P-384", "p521": "P-521", "cv25519": "Curve25519", "nistp256": "P-256",
    "nistp384": "P-384", "nistp521": "P-521", "brainpoolP256r1": "brainpoolP256r1", "elg2048": "DSA + ElGamal-2048",
}  # fmt: skip
# The primary key and the subkey for encryption, by gpg's names.
OPENPGP_ALGORITHMS = {"cv25519": ("ed25519", "cv25519"), "elg2048": ("dsa2048", "elg2048")}


@dataclass(frozen=True)
class X509Key:
    """A certificate and its private key, in PEM and in DER (the key as PKCS#8)."""

    certificate: Path
    private_key: Path
    certificate_der: Path
    private_key_der: Path


@dataclass(frozen=True)
class OpenPgpKey:
    """An OpenPGP key: the public key, its GnuPG home, and its private key, exported without a passphrase."""

    public_text: str
    home: Path
    secret: Path
    fingerprint: str


@cache
def x509(name: str) -> X509Key:
    """Return a self-signed certificate. Another name of the same algorithm (`rsa2048b`) is another key."""
    base = folder() / f"x509-{name}"
    key = X509Key(*(base.with_suffix(suffix) for suffix in (".crt", ".key", ".crt.der", ".key.der")))
    once(f"x509-{name}", lambda: _make_x509(name, key))
    return key


def _make_x509(name: str, key: X509Key) -> None:
    openssl = tool("openssl")
    algorithm = OPENSSL_ALGORITHMS[name.removesuffix("b")]
    run(openssl, "req", "-x509", "-nodes", "-newkey", *algorithm, "-subj", f"/O=Tenant/CN={name}", "-days", "30",
        "-keyout", key.private_key, "-out", key.certificate)  # fmt: skip
    run(openssl, "x509", "-in", key.certificate, "-outform", "DER", "-out", key.certificate_der)
    run(openssl, "pkcs8", "-topk8", "-nocrypt", "-in", key.private_key, "-outform", "DER", "-out", key.private_key_der)


@cache
def private_key(name: str) -> Any:
    """Load a private key once: cryptography checks an RSA key at each load, which takes longer than opening."""
    return load_pem_private_key(x509(name).private_key.read_bytes(), None)


@cache
def openpgp(name: str) -> OpenPgpKey:
    """Return an OpenPGP key whose encryption subkey has this algorithm."""
    made = once(f"openpgp-{name}", lambda: _make_openpgp(name))
    return OpenPgpKey(made["public"], Path(made["home"]), Path(made["secret"]), made["fingerprint"])


def _make_openpgp(name: str) -> dict[str, str]:
    home, secret = new_home(name), folder() / f"openpgp-{name}.secret"
    algorithm = name.removesuffix("b")
    primary, subkey = OPENPGP_ALGORITHMS.get(algorithm, (algorithm, algorithm))
    gpg(home, "--quick-generate-key", f"{name} <{name}@example.invalid>", primary, "sign", "30d")
    fingerprint = fingerprint_of(home)
    gpg(home, "--quick-add-key", fingerprint, subkey, "encr", "30d")
    secret.write_bytes(gpg(home, "--export-secret-keys", fingerprint))
    public = gpg(home, "--armor", "--export", fingerprint).decode()
    return {"public": public, "home": str(home), "secret": str(secret), "fingerprint": fingerprint}


def gpgsm_import(name: str) -> dict[str, Any]:
    """Import a key from PKCS#12 into a separate gpgsm home, as a tenant does, and return the result."""
    return once(f"gpgsm-{name}", lambda: _import(name))


def _import(name: str) -> dict[str, Any]:
    home = new_home(f"sm-{name}")
    (home / "gpgsm.conf").write_text("disable-crl-checks\n")
    (home / "gpg-agent.conf").write_text("allow-loopback-pinentry\ns2k-count 65536\n")
    # gpgsm 2.2.40 fails at about one in a hundred PKCS#12 files of the same RSA key. A new file has a new salt.
    for _ in range(4):
        done = gpgsm(home, "--import", _pkcs12(name))
        if done.returncode == 0:
            break
    return {"home": str(home), "imported": done.returncode == 0, "said": done.stderr.decode(errors="replace")}


def _pkcs12(name: str) -> Path:
    """Write PKCS#12 as gpgsm 2.2 supports it: 3DES, and SHA-1 for its MAC."""
    key, p12 = x509(name), folder() / f"x509-{name}.p12"
    run(tool("openssl"), "pkcs12", "-export", "-in", key.certificate, "-inkey", key.private_key, "-keypbe",
        "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-passout", f"pass:{PASSPHRASE}",
        "-out", p12)  # fmt: skip
    return p12


def gpgsm(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    command = [tool("gpgsm"), "--homedir", home, "--batch", "--yes", "--pinentry-mode", "loopback",
               "--passphrase-fd", "0", *arguments]  # fmt: skip
    return subprocess.run([str(part) for part in command], input=PASSPHRASE.encode() + b"\n", capture_output=True,
                          env={**os.environ, "LC_ALL": "C"}, check=False)  # fmt: skip
