"""The names of public-key algorithms in verdicts and events, the same for X.509 and OpenPGP."""

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

RSA, ELGAMAL = "RSA", "ElGamal"
# Curves by their names in cryptography (SEC 2) and gpg. Any other curve keeps its name, after `EC`.
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
    """Return the algorithm of a certificate's key, such as `RSA` or `EC P-256`."""
    return _on_curve(key.curve.name) if isinstance(key, EllipticCurvePublicKey) else RSA


def of_openpgp(number: int, curve: str) -> str:
    """Return the name of an OpenPGP algorithm (a number of RFC 9580, 9.1), or of its curve if gpg lists one."""
    if curve:
        return _on_curve(curve)
    return {1: RSA, 2: RSA, 3: RSA, 16: ELGAMAL}.get(number, f"OpenPGP algorithm {number}")


def _on_curve(name: str) -> str:
    return CURVES.get(name, f"EC {name}")
