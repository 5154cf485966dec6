"""An HMAC key in KMS, which never leaves it.

https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateMac.html
"""

from __future__ import annotations

from typing import Any, Protocol

from callseal.aws.calls import calling


class KmsClient(Protocol):
    """The part of boto3's client that Callseal uses."""

    # ruff: noqa: N803  # boto3's own names
    def generate_mac(self, *, KeyId: str, MacAlgorithm: str, Message: bytes) -> Any:
        """Compute a MAC."""


class MacKey:
    """Computes MACs with one key."""

    def __init__(self, client: KmsClient, key: str) -> None:
        """Take the client, and the key's id, ARN or alias."""
        self._client, self._key = client, key

    def mac(self, message: bytes) -> bytes:
        """Return the HMAC-SHA-256 of a message of up to 4,096 bytes."""
        with calling("Computing a MAC"):
            answer = self._client.generate_mac(KeyId=self._key, MacAlgorithm="HMAC_SHA_256", Message=message)
        return bytes(answer["Mac"])
