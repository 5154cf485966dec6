"""A signing key in KMS (ECC_NIST_P256), which never leaves it.

https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Protocol

from callseal.aws.calls import calling


class KmsClient(Protocol):
    """The part of boto3's client that Callseal uses."""

    # ruff: noqa: N803  # boto3's own names
    def sign(self, *, KeyId: str, Message: bytes, MessageType: str, SigningAlgorithm: str) -> Any:
        """Sign a message or its digest."""

    def get_public_key(self, *, KeyId: str) -> Any:
        """Return the public key."""


class SignKey:
    """Signs with one key."""

    def __init__(self, client: KmsClient, key: str) -> None:
        """Take the client, and the key's id, ARN or alias."""
        self._client, self._key = client, key
        self._public = b""

    @property
    def public(self) -> bytes:
        """The public key: the DER of its SubjectPublicKeyInfo."""
        if not self._public:
            with calling("Reading the public key of the proof key"):
                self._public = bytes(self._client.get_public_key(KeyId=self._key)["PublicKey"])
        return self._public

    @property
    def id(self) -> str:
        """The SHA-256 of the public key, in lower-case hex."""
        return sha256(self.public).hexdigest()

    def sign_file(self, data: bytes) -> bytes:
        """Return the ECDSA signature (DER) of a file's SHA-256. KMS takes no more than 4,096 bytes of a file itself."""
        with calling("Signing with the proof key"):
            answer = self._client.sign(
                KeyId=self._key, Message=sha256(data).digest(), MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256"
            )
        return bytes(answer["Signature"])
