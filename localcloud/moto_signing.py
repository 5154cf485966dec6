"""KMS in moto signs a digest as it is. moto itself takes each message as RAW and hashes it, so it would hash a digest.

https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html

A symmetric key has no private key here. moto makes an RSA key for it, which nothing uses, and that takes 0.1 s.
"""

import functools
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.kms import models, utils
from moto.kms.exceptions import ValidationException
from moto.kms.responses import KmsResponse


class _Digest(bytes):
    """A message that was hashed already."""


def sign_digests() -> None:
    """Make moto heed the member MessageType of KMS's Sign and Verify, for ECDSA keys."""
    if hasattr(KmsResponse.sign, "__wrapped__"):
        return
    for name in ("sign", "verify"):
        setattr(KmsResponse, name, _with_type(getattr(KmsResponse, name)))
    sign, verify = utils.ECDSAPrivateKey.sign, utils.ECDSAPrivateKey.verify

    @functools.wraps(sign)
    def sign_digest(self: Any, message: bytes, signing_algorithm: str) -> bytes:
        if not isinstance(message, _Digest):
            return sign(self, message, signing_algorithm)
        signature: bytes = self.private_key.sign(message, ec.ECDSA(Prehashed(_hash(message))))
        return signature

    @functools.wraps(verify)
    def verify_digest(self: Any, message: bytes, signature: bytes, signing_algorithm: str) -> bool:
        if not isinstance(message, _Digest):
            return verify(self, message, signature, signing_algorithm)
        try:
            self.private_key.public_key().verify(signature, message, ec.ECDSA(Prehashed(_hash(message))))
        except InvalidSignature:
            return False
        return True

    generate = utils.generate_private_key
    models.generate_private_key = lambda spec: generate(spec) if spec.startswith(("RSA", "ECC")) else None  # type: ignore
    utils.ECDSAPrivateKey.sign = sign_digest  # type: ignore[method-assign]
    utils.ECDSAPrivateKey.verify = verify_digest  # type: ignore[method-assign]


def _with_type(serve: Any) -> Any:
    @functools.wraps(serve)
    def served(self: Any) -> Any:
        get = self._get_param

        def with_type(name: str, *default: Any, **options: Any) -> Any:
            value = get(name, *default, **options)
            if name == "Message" and value and get("MessageType") == "DIGEST":
                return _Digest(value.encode() if isinstance(value, str) else value)
            return value

        self._get_param = with_type
        return serve(self)

    return served


def _hash(digest: bytes) -> hashes.HashAlgorithm:
    """Return the algorithm of a digest by its length."""
    found = next(
        (each for each in (hashes.SHA256, hashes.SHA384, hashes.SHA512) if each.digest_size == len(digest)), None
    )
    if found is None:
        raise ValidationException("Digest is invalid length for algorithm.")
    return found()
