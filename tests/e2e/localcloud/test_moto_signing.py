"""KMS in moto signs a digest as it is, so that another program verifies the signature of the message."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import boto3
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto import mock_aws

from localcloud.moto_signing import sign_digests

MESSAGE = b"what happened" * 1000


@pytest.fixture
def kms() -> Iterator[Any]:
    sign_digests()
    with mock_aws():
        yield boto3.client("kms", "eu-north-1", aws_access_key_id="x", aws_secret_access_key="x")


@pytest.fixture
def key(kms: Any) -> str:
    return str(kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"])


def verifies(kms: Any, key: str, message: bytes, signature: bytes) -> bool:
    public: Any = serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    try:
        public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize(("kind", "message"), [("RAW", MESSAGE[:4096]), ("DIGEST", MESSAGE)])
def test_a_signature_verifies_outside(kms: Any, key: str, kind: str, message: bytes) -> None:
    signed = message if kind == "RAW" else sha256(message).digest()
    of_key = {"KeyId": key, "MessageType": kind, "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = kms.sign(Message=signed, **of_key)["Signature"]
    assert verifies(kms, key, message, signature)
    assert not verifies(kms, key, signed + b".", signature)
    assert kms.verify(Message=signed, Signature=signature, **of_key)["SignatureValid"]


def test_a_digest_of_another_length_is_refused(kms: Any, key: str) -> None:
    with pytest.raises(kms.exceptions.ClientError, match="Digest is invalid length"):
        kms.sign(KeyId=key, Message=b"short", MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256")
