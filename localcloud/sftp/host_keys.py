"""The front's host keys: one of each kind that AWS Transfer Family takes, kept in the state folder.

https://docs.aws.amazon.com/transfer/latest/userguide/configuring-servers-server-host-key.html
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

_Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_RSA_BITS = 2048
_GENERATORS: Mapping[str, Callable[[], _Private]] = {
    "host_key": ed25519.Ed25519PrivateKey.generate,
    "host_key_ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "host_key_rsa": lambda: rsa.generate_private_key(65537, _RSA_BITS),
}


def host_keys(folder: Path) -> dict[str, str]:
    """Return the public keys in OpenSSH's form by the file name of their private halves; generate missing ones."""
    return {name: _host_key(folder / name, generate) for name, generate in _GENERATORS.items()}


def _host_key(path: Path, generate: Callable[[], _Private]) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    key = load_ssh_private_key(path.read_bytes(), None)
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
