"""A CMS reader that shares no code with our writer: asn1crypto parses, cryptography opens (RFC 5652, 5083, 5753)."""

from pathlib import Path
from typing import Any

from asn1crypto import algos, cms, core, x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from cryptography.hazmat.primitives.padding import PKCS7

AES256_CBC, AES256_GCM = "2.16.840.1.101.3.4.1.42", "2.16.840.1.101.3.4.1.46"
KDF_HASHES = {"1.3.132.1.11.1": SHA256, "1.3.132.1.11.2": SHA384, "1.3.132.1.11.3": SHA512}


class _GcmParameters(core.Sequence):
    _fields = [("nonce", core.OctetString), ("icv_length", core.Integer, {"default": 12})]  # noqa: RUF012


class _SharedInfo(core.Sequence):
    _fields = [  # noqa: RUF012
        ("key_info", algos.AlgorithmIdentifier),
        ("party_u", core.OctetString, {"explicit": 0, "optional": True}),
        ("public_info", core.OctetString, {"explicit": 2}),
    ]


def open_cms(sealed: bytes, certificate: Path, key: PrivateKeyTypes) -> bytes:
    """Open a message as the holder of a certificate (DER). Raise ValueError, InvalidTag or another error on failure."""
    message = cms.ContentInfo.load(sealed, strict=True)
    holder = x509.Certificate.load(certificate.read_bytes())
    info = _mine(message["content"]["recipient_infos"], holder)
    if isinstance(key, rsa.RSAPrivateKey):
        content_key = _transported(info, key)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        content_key = _agreed(info, key, holder)
    else:
        raise TypeError("neither RSA nor EC")
    return _open_content(message, content_key)


def _mine(infos: Any, holder: x509.Certificate) -> Any:
    for info in infos:
        ids = [info.chosen["rid"]] if info.name == "ktri" else [
            one["rid"] for one in info.chosen["recipient_encrypted_keys"]
        ]  # fmt: skip
        for rid in ids:
            if rid.chosen["issuer"] == holder.issuer and rid.chosen["serial_number"].native == holder.serial_number:
                return info.chosen
    raise ValueError("not sealed to this certificate")


def _transported(info: Any, key: rsa.RSAPrivateKey) -> bytes:
    algorithm = info["key_encryption_algorithm"]
    if algorithm["algorithm"].native == "rsaes_oaep":
        assert algorithm["parameters"]["hash_algorithm"]["algorithm"].native == "sha256"
        return key.decrypt(info["encrypted_key"].native, padding.OAEP(padding.MGF1(SHA256()), SHA256(), None))
    return key.decrypt(info["encrypted_key"].native, padding.PKCS1v15())


def _agreed(info: Any, key: ec.EllipticCurvePrivateKey, holder: x509.Certificate) -> bytes:
    algorithm = info["key_encryption_algorithm"]
    wrap = algos.AlgorithmIdentifier.load(algorithm["parameters"].dump())
    point = info["originator"].chosen["public_key"].native
    ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, point)
    shared_info = _SharedInfo({"key_info": wrap, "public_info": (256).to_bytes(4)}).dump()
    kdf = X963KDF(KDF_HASHES[algorithm["algorithm"].dotted](), 32, shared_info)
    (encrypted,) = info["recipient_encrypted_keys"]
    return aes_key_unwrap(kdf.derive(key.exchange(ec.ECDH(), ephemeral)), encrypted["encrypted_key"].native)


def _open_content(message: Any, key: bytes) -> bytes:
    content = message["content"]
    authenticated = message["content_type"].native == "authenticated_enveloped_data"
    info = content["auth_encrypted_content_info" if authenticated else "encrypted_content_info"]
    algorithm, encrypted = info["content_encryption_algorithm"], info["encrypted_content"].native
    if authenticated and algorithm["algorithm"].dotted == AES256_GCM:
        parameters = _GcmParameters.load(algorithm["parameters"].dump(), strict=True)
        if parameters["icv_length"].native != len(content["mac"].native):
            raise ValueError("the tag is not as long as the message says")
        return AESGCM(key).decrypt(parameters["nonce"].native, encrypted + content["mac"].native, None)
    if not authenticated and algorithm["algorithm"].dotted == AES256_CBC:
        decryptor = Cipher(algorithms.AES256(key), modes.CBC(algorithm["parameters"].native)).decryptor()
        unpadder = PKCS7(128).unpadder()
        return unpadder.update(decryptor.update(encrypted) + decryptor.finalize()) + unpadder.finalize()
    raise ValueError("neither AES-256-GCM nor AES-256-CBC in their envelopes")
