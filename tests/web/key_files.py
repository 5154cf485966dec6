"""The forms of a key file that a listener may choose, each made by the real openssl, keytool or gpg."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from asn1crypto.keys import EncryptedPrivateKeyInfo
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from tests.interop import keys
from tests.support.keys import run, tool
from tests.web.browser import KeyFile

PASSPHRASE = "correct hørse 🐎"


def bare(name: str) -> KeyFile:
    """Return the private key alone, as PKCS#8 in PEM."""
    return KeyFile(keys.x509(name).private_key.read_bytes())


def with_certificate(name: str) -> KeyFile:
    """Return the private key and its certificate in one PEM file."""
    key = keys.x509(name)
    return KeyFile(key.private_key.read_bytes() + key.certificate.read_bytes())


def certificate_first(name: str) -> KeyFile:
    """Return what `openssl pkcs12 -nodes` writes: attributes as text, the certificate, the key."""
    return KeyFile(_openssl(pkcs12(name).data, "pkcs12", "-nodes", "-passin", f"pass:{PASSPHRASE}"))


def windows_text(name: str) -> KeyFile:
    """Return a PEM file with a byte order mark and the line ends of Windows."""
    return KeyFile(b"\xef\xbb\xbf" + bare(name).data.replace(b"\n", b"\r\n"))


def der(name: str) -> KeyFile:
    return KeyFile(keys.x509(name).private_key_der.read_bytes())


def traditional(name: str, *options: str) -> KeyFile:
    """Return the key as `RSA PRIVATE KEY` or `EC PRIVATE KEY`."""
    return KeyFile(_openssl(bare(name).data, "pkey", "-traditional", *options))


def traditional_der(name: str) -> KeyFile:
    return traditional(name, "-outform", "DER")


def with_curve_before(name: str) -> KeyFile:
    """Return an EC key behind its curve, as `openssl ecparam -genkey` writes it."""
    curve = {"p256": "prime256v1", "p384": "secp384r1", "p521": "secp521r1"}[name]
    return KeyFile(run(tool("openssl"), "ecparam", "-name", curve) + traditional(name).data)


def encrypted(name: str, *options: str) -> KeyFile:
    """Return `ENCRYPTED PRIVATE KEY`, by default as openssl 3 encrypts it."""
    command = ("pkcs8", "-topk8", "-passout", f"pass:{PASSPHRASE}", *options)
    return KeyFile(_openssl(bare(name).data, *command), PASSPHRASE)


def encrypted_noise(name: str, noise: bytes) -> bytes:
    """Return an encrypted key in which the right passphrase decrypts to noise, with a valid padding."""
    info = EncryptedPrivateKeyInfo.load(encrypted(name, "-iter", "1", "-outform", "DER").data)
    algorithm = info["encryption_algorithm"]
    key = PBKDF2HMAC(SHA256(), 32, algorithm.kdf_salt, 1).derive(PASSPHRASE.encode())
    encryptor = Cipher(AES256(key), CBC(algorithm.encryption_iv)).encryptor()
    padding = 16 - len(noise) % 16
    info["encrypted_data"] = encryptor.update(noise + bytes((padding,)) * padding) + encryptor.finalize()
    return info.dump()


def pkcs12(name: str, *options: str, passphrase: str = PASSPHRASE) -> KeyFile:
    """Return PKCS#12, by default as openssl 3 encrypts it."""
    command = ("pkcs12", "-export", "-passout", f"pass:{passphrase}", *options)
    return KeyFile(_openssl(with_certificate(name).data, *command), passphrase)


def java_pkcs12(name: str) -> KeyFile:
    """Return PKCS#12 that Java's keytool wrote, with its own choice of algorithms."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.p12", Path(folder) / "target.p12"
        source.write_bytes(pkcs12(name, passphrase="changeit").data)
        stores = ("-srcstoretype", "PKCS12", "-srcstorepass", "changeit", "-deststoretype", "PKCS12",
                  "-deststorepass", "changeit")  # fmt: skip
        run(tool("keytool"), "-importkeystore", "-noprompt", "-srckeystore", source, "-destkeystore", target, *stores)
        return KeyFile(target.read_bytes(), "changeit")


def without_public_key(name: str) -> KeyFile:
    """Return an EC key that has the scalar alone."""
    return KeyFile(_openssl(bare(name).data, "ec", "-no_public"))


def openpgp_secret(name: str) -> KeyFile:
    """Return an OpenPGP secret key without a passphrase, in binary."""
    return KeyFile(keys.openpgp(name).secret.read_bytes())


@cache
def _openssl(data: bytes, *arguments: str) -> bytes:
    return run(tool("openssl"), *arguments, data=data)


PBES2 = ("-v2", "aes-256-cbc", "-v2prf")
RSA_FORMS: dict[str, Callable[[str], KeyFile]] = {
    "PKCS#8": bare,
    "PKCS#8 and certificate": with_certificate,
    "certificate and PKCS#8, with attributes": certificate_first,
    "text of Windows": windows_text,
    "PKCS#8, DER": der,
    "traditional": traditional,
    "traditional, DER": traditional_der,
    "encrypted PKCS#8": encrypted,
    "encrypted PKCS#8, DER": lambda name: encrypted(name, "-outform", "DER"),
    "encrypted PKCS#8, AES-128": lambda name: encrypted(name, "-v2", "aes-128-cbc"),
    "encrypted PKCS#8, HMAC-SHA-1": lambda name: encrypted(name, *PBES2, "hmacWithSHA1"),
    "encrypted PKCS#8, HMAC-SHA-384": lambda name: encrypted(name, *PBES2, "hmacWithSHA384"),
    "encrypted PKCS#8, HMAC-SHA-512": lambda name: encrypted(name, *PBES2, "hmacWithSHA512"),
    "encrypted PKCS#8, many iterations": lambda name: encrypted(name, "-iter", "600000"),
    "PKCS#12": pkcs12,
    "PKCS#12, AES-128": lambda name: pkcs12(name, "-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC"),
    "PKCS#12, plain certificate": lambda name: pkcs12(name, "-certpbe", "NONE"),
    "PKCS#12, MAC by SHA-1": lambda name: pkcs12(name, "-macalg", "sha1"),
    "PKCS#12, MAC by SHA-512": lambda name: pkcs12(name, "-macalg", "sha512"),
    "PKCS#12, no MAC": lambda name: pkcs12(name, "-nomac"),
    "PKCS#12, empty passphrase": lambda name: pkcs12(name, passphrase=""),
    "PKCS#12, not encrypted": lambda name: pkcs12(name, "-certpbe", "NONE", "-keypbe", "NONE"),
    "PKCS#12, Java": java_pkcs12,
}
EC_FORMS: dict[str, Callable[[str], KeyFile]] = {
    "PKCS#8": bare,
    "PKCS#8, DER": der,
    "traditional": traditional,
    "traditional, DER": traditional_der,
    "traditional, behind its curve": with_curve_before,
    "without the public key": without_public_key,
    "encrypted PKCS#8": encrypted,
    "PKCS#12": pkcs12,
    "PKCS#12, Java": java_pkcs12,
}
