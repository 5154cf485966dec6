"""Chains: a certificate that issued another one of the same text is no recipient, whatever its extensions say.

A signature that verifies proves who issued a certificate. Names alone prove nothing: where they say that one issued
another, and the signature does not verify, nothing is sealed until the operator has decided.
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
# Signature algorithms (RFC 8017, A.2.4; RFC 5758; RFC 3279; RFC 8692) by the hash that they use.
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
# The hashes of RSASSA-PSS, in its parameters (RFC 4055, 3.1), whose default is SHA-1.
_PSS_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "1.3.14.3.2.26": hashes.SHA1,
    "2.16.840.1.101.3.4.2.4": hashes.SHA224,
    "2.16.840.1.101.3.4.2.1": hashes.SHA256,
    "2.16.840.1.101.3.4.2.2": hashes.SHA384,
    "2.16.840.1.101.3.4.2.3": hashes.SHA512,
}


@dataclass(frozen=True, slots=True)
class Chain:
    """The certificates of a text, each once: those that may be recipients, and those that issued another one."""

    kept: tuple[Certificate, ...] = ()
    left_out: tuple[Certificate, ...] = ()


def untangle(certificates: Sequence[Certificate]) -> Chain:
    """Part recipients from issuers; raises HeldError where names and signatures disagree on who issued whom.

    A certificate that its own key signed counts as issued by nothing else: the same key renewed is no chain.
    """
    once = list({one.encoded: one for one in certificates}.values())
    if len(once) < 2:
        return Chain(tuple(once), ())
    issued = [one for one in once if not is_signed_by(one, one)]
    issuers = {leaf.encoded: [one for one in once if one is not leaf and is_signed_by(leaf, one)] for leaf in issued}
    names = {one.encoded for several in issuers.values() for one in several}
    kept = tuple(one for one in once if one.encoded not in names)
    _refuse_doubtful(kept, issued, issuers)
    if not kept:
        raise HeldError(
            Reason.KEY_NOT_FOR_ENCRYPTION,
            "Each certificate of the tenant's key issued another one of it, so none is the tenant's own. Ask the "
            "tenant for its encryption certificate alone, without the chain.",
        )
    return Chain(kept, tuple(one for one in once if one.encoded in names))


def _refuse_doubtful(
    kept: Sequence[Certificate], issued: Sequence[Certificate], issuers: Mapping[bytes, Sequence[Certificate]]
) -> None:
    """Raise HeldError where a certificate names one that would be sealed to as its issuer, without its signature.

    An authority whose key was renewed looks like this. A namesake of the true issuer does, too: it is accepted where
    the true issuer is there, and the namesake is neither self-signed nor an authority.
    """
    for one in kept:
        namesake = one in issued and not _is_authority(one)
        for leaf in issued:
            known = namesake and issuers[leaf.encoded]
            if leaf is not one and not known and _name(leaf.issuer) == _name(one.subject):
                raise _doubtful(one, leaf)


def is_signed_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Return whether the issuer's key made the certificate's signature; False where that cannot be checked."""
    with suppress(ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature):
        _verify(certificate, load_der_public_key(issuer.public_key_info))
        return True
    return False


def _verify(certificate: Certificate, key: object) -> None:
    """Verify the signature; raises InvalidSignature, or UnsupportedAlgorithm where it cannot be checked."""
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
    """RSASSA-PSS-params: [0] hashAlgorithm, [1] maskGenAlgorithm, ... The mask's hash is the same in practice."""
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
    """Return a name such that two spellings of it compare equal: the string's type, case and spaces do not count.

    RFC 5280, section 7.1, compares so; a certificate's issuer may be spelled in another way than that one's subject.
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
