"""Chains: a certificate that issued another one in the same text is not a recipient, whatever its extensions are.

Only a valid signature proves who issued a certificate. If the names say that one certificate issued another, but the
signature cannot be verified, the key is refused, and the operator has to decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from callseal.core.errors import HeldError, Reason
from callseal.crypto.envelopes import der
from callseal.crypto.recipients.certificate import Certificate, algorithm_of, name_parts

PSS = "1.2.840.113549.1.1.10"
# The hashes of signature algorithms (RFC 8017, A.2.4, RFC 5758, RFC 3279 and RFC 8692).
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "1.2.840.113549.1.1.4": hashes.MD5,
    "1.2.840.113549.1.1.5": hashes.SHA1,
    "1.3.14.3.2.29": hashes.SHA1,
    "1.2.840.113549.1.1.14": hashes.SHA224,
    "1.2.840.113549.1.1.11": hashes.SHA256,
    "1.2.840.113549.1.1.12": hashes.SHA384,
    "1.2.840.113549.1.1.13": hashes.SHA512,
    "2.16.840.1.101.3.4.3.13": hashes.SHA3_224,
    "2.16.840.1.101.3.4.3.14": hashes.SHA3_256,
    "2.16.840.1.101.3.4.3.15": hashes.SHA3_384,
    "2.16.840.1.101.3.4.3.16": hashes.SHA3_512,
    "1.2.840.10045.4.1": hashes.SHA1,
    "1.2.840.10045.4.3.1": hashes.SHA224,
    "1.2.840.10045.4.3.2": hashes.SHA256,
    "1.2.840.10045.4.3.3": hashes.SHA384,
    "1.2.840.10045.4.3.4": hashes.SHA512,
    "2.16.840.1.101.3.4.3.9": hashes.SHA3_224,
    "2.16.840.1.101.3.4.3.10": hashes.SHA3_256,
    "2.16.840.1.101.3.4.3.11": hashes.SHA3_384,
    "2.16.840.1.101.3.4.3.12": hashes.SHA3_512,
    "1.2.840.10040.4.3": hashes.SHA1,
    "2.16.840.1.101.3.4.3.1": hashes.SHA224,
    "2.16.840.1.101.3.4.3.2": hashes.SHA256,
}
# The hashes in the parameters of RSASSA-PSS (RFC 4055, 3.1). The default is SHA-1.
_PSS_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "1.3.14.3.2.26": hashes.SHA1,
    "2.16.840.1.101.3.4.2.4": hashes.SHA224,
    "2.16.840.1.101.3.4.2.1": hashes.SHA256,
    "2.16.840.1.101.3.4.2.2": hashes.SHA384,
    "2.16.840.1.101.3.4.2.3": hashes.SHA512,
}


@dataclass(frozen=True, slots=True)
class Chain:
    """The certificates of a text, each once: possible recipients (`kept`), and issuers of another one (`left_out`)."""

    kept: tuple[Certificate, ...] = ()
    left_out: tuple[Certificate, ...] = ()


def untangle(certificates: Sequence[Certificate]) -> Chain:
    """Separate recipients from issuers.

    A certificate that its own key signed has no other issuer, so two certificates of one renewed key are not a chain.
    Raises HeldError `KeyNotForEncryption` if names and signatures disagree about an issuer, or if no recipient is left.
    """
    distinct = list({found.encoded: found for found in certificates}.values())
    if len(distinct) < 2:
        return Chain(tuple(distinct), ())
    issued = [found for found in distinct if not is_signed_by(found, found)]
    issuers = {leaf.encoded: _issuers(leaf, distinct) for leaf in issued}
    left_out = {issuer.encoded for found in issuers.values() for issuer in found}
    kept = tuple(found for found in distinct if found.encoded not in left_out)
    _refuse_doubtful(kept, issued, issuers)
    if not kept:
        raise HeldError(
            Reason.KEY_NOT_FOR_ENCRYPTION,
            "Each certificate of the tenant's key issued another one, so none is the tenant's own. Ask the tenant for "
            "its encryption certificate alone, without the chain.",
        )
    return Chain(kept, tuple(found for found in distinct if found.encoded in left_out))


def _issuers(leaf: Certificate, certificates: Sequence[Certificate]) -> list[Certificate]:
    return [found for found in certificates if found is not leaf and is_signed_by(leaf, found)]


def _refuse_doubtful(
    kept: Sequence[Certificate], issued: Sequence[Certificate], issuers: Mapping[bytes, Sequence[Certificate]]
) -> None:
    """Raise HeldError if a certificate names a recipient as its issuer, but the recipient's key did not sign it.

    An authority with a renewed key causes this. So does a recipient that has the same name as the true issuer. Such a
    namesake is accepted if the true issuer is in the text, and the namesake is neither self-signed nor an authority.
    """
    for recipient in kept:
        namesake = recipient in issued and not _is_authority(recipient)
        for leaf in issued:
            known = namesake and issuers[leaf.encoded]
            if leaf is not recipient and not known and _name(leaf.issuer) == _name(recipient.subject):
                raise _doubtful(recipient, leaf)


def is_signed_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Return whether the issuer's key made the certificate's signature. False also if that cannot be checked."""
    with suppress(ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature):
        _verify(certificate, load_der_public_key(issuer.public_key_info))
        return True
    return False


def _verify(certificate: Certificate, key: object) -> None:
    """Raise InvalidSignature if the signature is wrong, or UnsupportedAlgorithm if it cannot be checked."""
    algorithm, parameters = algorithm_of(certificate.signature_algorithm)
    signature, signed = certificate.signature, certificate.tbs
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return key.verify(signature, signed)
    if isinstance(key, rsa.RSAPublicKey) and algorithm == PSS:
        digest = _pss_hash(parameters)
        return key.verify(signature, signed, padding.PSS(padding.MGF1(digest), padding.PSS.AUTO), digest)
    if algorithm not in _HASHES:
        raise UnsupportedAlgorithm(algorithm)
    digest = _HASHES[algorithm]()
    if isinstance(key, rsa.RSAPublicKey):
        return key.verify(signature, signed, padding.PKCS1v15(), digest)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.verify(signature, signed, ec.ECDSA(digest))
    if isinstance(key, dsa.DSAPublicKey):
        return key.verify(signature, signed, digest)
    raise UnsupportedAlgorithm(algorithm)


def _pss_hash(parameters: bytes) -> hashes.HashAlgorithm:
    """Return the hash in RSASSA-PSS-params ([0] hashAlgorithm, [1] maskGenAlgorithm, ...).

    The mask's hash is the same in practice.
    """
    fields = der.split(der.split(parameters)[0].content) if parameters else []
    name = next((algorithm_of(field.content)[0] for field in fields if field.tag == 0xA0), "1.3.14.3.2.26")
    if name not in _PSS_HASHES:
        raise UnsupportedAlgorithm(name)
    return _PSS_HASHES[name]()


def _is_authority(certificate: Certificate) -> bool:
    try:
        return certificate.is_authority()
    except ValueError:
        return True


def _name(encoded: bytes) -> object:
    """Return a form of a name that compares equal for all spellings: string type, case and spaces are ignored.

    RFC 5280, section 7.1, requires this comparison. A certificate may spell its issuer's name differently than the
    issuer's own certificate does.
    """
    with suppress(ValueError):
        return [sorted((kind, " ".join(text.casefold().split())) for kind, text in rdn) for rdn in name_parts(encoded)]
    return encoded


def _doubtful(kept: Certificate, leaf: Certificate) -> HeldError:
    return HeldError(
        Reason.KEY_NOT_FOR_ENCRYPTION,
        f"Certificate {leaf.fingerprint} names certificate {kept.fingerprint} as its issuer, but its signature cannot "
        "be verified with that key. Ask the tenant for its encryption certificate alone, without the chain.",
        kept.fingerprint,
    )
