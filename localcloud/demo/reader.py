"""A CMS reader for machines without openssl. It shares no code with the functions' writer.

asn1crypto parses and cryptography decrypts. It follows RFC 5083, 5084 and 3560, and reads only the kind of message that
the demo's X.509 tenants receive.
"""

from pathlib import Path

from asn1crypto import algos, cms, core
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key


class _GcmParameters(core.Sequence):
    _fields = [("nonce", core.OctetString), ("icv_length", core.Integer, {"default": 12})]  # noqa: RUF012


def open_cms(sealed: bytes, private_key: Path) -> bytes:
    """Return the content of AuthEnvelopedData, opened with an RSA key. Raise ValueError or InvalidTag if it fails."""
    message = cms.ContentInfo.load(sealed, strict=True)["content"]
    info = message["auth_encrypted_content_info"]
    key = load_pem_private_key(private_key.read_bytes(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("this reader opens with RSA keys only")
    wrapped = message["recipient_infos"][0].chosen["encrypted_key"].native
    content_key = key.decrypt(wrapped, OAEP(MGF1(SHA256()), SHA256(), None))
    algorithm: algos.EncryptionAlgorithm = info["content_encryption_algorithm"]
    nonce = _GcmParameters.load(algorithm["parameters"].dump())["nonce"].native
    return AESGCM(content_key).decrypt(nonce, info["encrypted_content"].native + message["mac"].native, None)
