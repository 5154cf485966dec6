"""The words for public-key algorithms, in which keys are told to people and programs, whatever family they are of."""

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

RSA, ELGAMAL = "RSA", "ElGamal"
# Curves by the names that cryptography (SEC 2) and gpg have for them; any other goes by the name it is given.
CURVES = {
    "secp256r1": "EC P-256",
    "secp384r1": "EC P-384",
    "secp521r1": "EC P-521",
    "nistp256": "EC P-256",
    "nistp384": "EC P-384",
    "nistp521": "EC P-521",
    "cv25519": "Curve25519",
    "cv448": "Curve448",
}


def of_certificate(key: RSAPublicKey | EllipticCurvePublicKey) -> str:
    """Name the algorithm of a certificate's key."""
    return _on_curve(key.curve.name) if isinstance(key, EllipticCurvePublicKey) else RSA


def of_openpgp(number: int, curve: str) -> str:
    """Name an OpenPGP algorithm by its number (RFC 9580, 9.1), and the curve as gpg names it."""
    if curve:
        return _on_curve(curve)
    return {1: RSA, 2: RSA, 3: RSA, 16: ELGAMAL}.get(number, f"OpenPGP algorithm {number}")


def _on_curve(name: str) -> str:
    return CURVES.get(name, f"EC {name}")
