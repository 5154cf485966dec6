"""The public key in a certificate: loaded if a file can be sealed to it, otherwise refused with a reason."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x448, x25519
from cryptography.hazmat.primitives.serialization import load_der_public_key

from callseal.core.errors import HeldError, Reason
from callseal.crypto.envelopes import der
from callseal.crypto.recipients.certificate import Certificate, key_parts

MIN_RSA_BITS = 2048
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
# The second is X.509's own identifier for RSA, which old certificates have.
RSA_NAMES = {RSA_ENCRYPTION, "2.5.8.1.1"}
EC_PUBLIC_KEY = "1.2.840.10045.2.1"

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def refuse(reason: Reason, fingerprint: str, why: str) -> HeldError:
    """Return the error for a certificate. `why` is the end of a sentence, without its full stop."""
    return HeldError(reason, f"Certificate {fingerprint} {why}.", fingerprint)


def key_damaged(fingerprint: str) -> HeldError:
    """Return the error for a public key with unusable numbers."""
    return refuse(
        Reason.KEY_UNREADABLE,
        fingerprint,
        "has a public key that cannot be used: its numbers are damaged. Ask the tenant for a new certificate",
    )


def load(found: Certificate) -> PublicKey:
    """Return a certificate's RSA or EC key. Raises HeldError if damaged, of another kind or on an unknown curve."""
    try:
        algorithm, bits = key_parts(found.public_key_info)
    except ValueError as exc:
        raise key_damaged(found.fingerprint) from exc
    # cryptography loads an RSASSA-PSS key as a plain RSA key, but it is for signatures only.
    info = _rsa_info(bits) if algorithm in RSA_NAMES else found.public_key_info
    try:
        key = load_der_public_key(info)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise _not_loaded(algorithm, found.fingerprint) from exc
    if isinstance(key, x25519.X25519PublicKey | x448.X448PublicKey):
        raise _curve_refused(found.fingerprint)
    if isinstance(key, rsa.RSAPublicKey) and algorithm in RSA_NAMES:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key
    raise _not_for_encryption(found.fingerprint, f"has a key for signatures only (algorithm {algorithm})")


def _rsa_info(key: der.Element) -> bytes:
    return der.sequence(der.sequence(der.oid(RSA_ENCRYPTION), der.element(der.NULL)), key.encoded)


def _not_loaded(algorithm: str, fingerprint: str) -> HeldError:
    if algorithm in RSA_NAMES:
        return _not_for_encryption(
            fingerprint, "has an RSA key that protects nothing: its modulus or exponent is invalid"
        )
    if algorithm == EC_PUBLIC_KEY:
        return _curve_refused(fingerprint)
    return _not_for_encryption(fingerprint, f"has a public key of a kind that is not supported (algorithm {algorithm})")


def _not_for_encryption(fingerprint: str, what: str) -> HeldError:
    return refuse(
        Reason.KEY_NOT_FOR_ENCRYPTION,
        fingerprint,
        f"{what}. Ask the tenant for a certificate for encryption, RSA or EC",
    )


def _curve_refused(fingerprint: str) -> HeldError:
    return refuse(
        Reason.KEY_TOO_WEAK,
        fingerprint,
        "has a key on a curve that is not accepted. Ask the tenant for P-256, P-384, P-521, or RSA from 2048 bits",
    )


def check_strength(key: PublicKey, fingerprint: str) -> None:
    """Raise HeldError `KeyTooWeak` if the key is a short RSA key, or on a curve that some readers do not know."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, CURVES):
            raise _curve_refused(fingerprint)
    elif key.key_size < MIN_RSA_BITS:
        raise refuse(
            Reason.KEY_TOO_WEAK,
            fingerprint,
            f"has an RSA key of {key.key_size} bits, too weak. Ask the tenant for {MIN_RSA_BITS} bits or more",
        )
