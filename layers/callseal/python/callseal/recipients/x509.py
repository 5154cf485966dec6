"""Judging X.509 certificates (RFC 5280): can a CMS envelope be sealed to this key, now?"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x448, x25519
from cryptography.hazmat.primitives.hashes import SHA256

from callseal.envelopes import der
from callseal.envelopes.cms import wrap_key
from callseal.errors import HeldError, Reason
from callseal.recipients import algorithms
from callseal.recipients.blocks import Block, decode_pem, private_key
from callseal.recipients.model import CmsRecipient, CmsRecipients, Recipient

MIN_RSA_BITS = 2048
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
EC_PUBLIC_KEY = "1.2.840.10045.2.1"


def judge(blocks: Iterable[Block], now: datetime) -> CmsRecipients:
    """Judge certificates; raises HeldError with the first reason in order, of whichever block it is."""
    members: dict[str, CmsRecipient] = {}
    refusals: list[HeldError] = []
    for number, block in enumerate(blocks, start=1):
        try:
            member = _recipient(_load(block, number), now)
            members[member.fingerprint] = member
        except HeldError as refusal:
            refusals.append(refusal)
    if refusals:
        raise min(refusals, key=lambda refusal: refusal.reason.rank)
    return CmsRecipients(tuple(members.values()))


def inspect(block: Block) -> Recipient | None:
    """Tell what a certificate is, good or bad; None where it cannot be read."""
    try:
        certificate = _load(block, 1)
    except HeldError:
        return None
    fingerprint, algorithm, strength = certificate.fingerprint(SHA256()).hex().upper(), None, None
    with suppress(HeldError):
        key = _public_key(certificate, fingerprint)
        algorithm, strength = algorithms.of_certificate(key), key.key_size
    return Recipient(fingerprint, "x509", certificate.not_valid_after_utc, algorithm=algorithm, strength=strength)


def _load(block: Block, number: int) -> x509.Certificate:
    try:
        data = decode_pem(block.body)
        _refuse_private_key(data)
        certificate = x509.load_der_x509_certificate(data)
        # Parsed only when asked for: ask now, where a fault is still the key's.
        _ = (certificate.extensions, certificate.not_valid_after_utc, certificate.not_valid_before_utc)
        return certificate
    except (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as exc:
        raise HeldError(
            Reason.KEY_UNREADABLE,
            f"The tenant's key cannot be read: certificate {number} is damaged or no X.509 certificate. Ask the tenant "
            "for it again, in PEM form, and paste all of it.",
        ) from exc


def _refuse_private_key(data: bytes) -> None:
    """See through a private key in a certificate's frame. PKCS#8 and PKCS#1 begin alike: SEQUENCE { INTEGER version."""
    outer = der.split(data)
    elements = der.split(outer[0].content) if outer else []
    if len(elements) > 1 and elements[0].tag == der.INTEGER:
        raise private_key()


def _recipient(certificate: x509.Certificate, now: datetime) -> CmsRecipient:
    fingerprint = certificate.fingerprint(SHA256()).hex().upper()
    public_key = _public_key(certificate, fingerprint)
    _check_usage(certificate, public_key, fingerprint)
    _check_strength(public_key, fingerprint)
    _check_validity(certificate, now, fingerprint)
    recipient = CmsRecipient(
        fingerprint,
        "x509",
        certificate.not_valid_after_utc,
        _issuer_and_serial(certificate),
        public_key,
        algorithm=algorithms.of_certificate(public_key),
        strength=public_key.key_size,
    )
    _check_sealing(recipient)
    return recipient


def _refuse(reason: Reason, fingerprint: str, why: str) -> HeldError:
    return HeldError(reason, f"Certificate {fingerprint} {why}.", fingerprint)


def _public_key(certificate: x509.Certificate, fingerprint: str) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    algorithm = certificate.public_key_algorithm_oid.dotted_string
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as exc:
        if algorithm == EC_PUBLIC_KEY:
            raise _curve_refused(fingerprint) from exc
        raise _not_for_encryption(fingerprint, f"has a public key (algorithm {algorithm})") from exc
    if isinstance(key, x25519.X25519PublicKey | x448.X448PublicKey):
        raise _curve_refused(fingerprint)
    # cryptography loads an RSASSA-PSS key as if it were a plain RSA one, but it is for signatures alone.
    if isinstance(key, rsa.RSAPublicKey) and algorithm == RSA_ENCRYPTION:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key
    raise _not_for_encryption(fingerprint, f"has a key for signatures only (algorithm {algorithm})")


def _not_for_encryption(fingerprint: str, what: str) -> HeldError:
    return _refuse(
        Reason.KEY_NOT_FOR_ENCRYPTION,
        fingerprint,
        f"{what} that nothing can be sealed to. Ask the tenant for a certificate for encryption, RSA or EC",
    )


def _curve_refused(fingerprint: str) -> HeldError:
    return _refuse(
        Reason.KEY_TOO_WEAK,
        fingerprint,
        "is on a curve that is not accepted. Ask the tenant for P-256, P-384, P-521, or RSA from 2048 bits",
    )


def _check_strength(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, fingerprint: str) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, CURVES):
            raise _curve_refused(fingerprint)
    elif key.key_size < MIN_RSA_BITS:
        raise _refuse(
            Reason.KEY_TOO_WEAK,
            fingerprint,
            f"has an RSA key of {key.key_size} bits, too weak. Ask the tenant for {MIN_RSA_BITS} bits or more",
        )


def _check_usage(
    certificate: x509.Certificate, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, fingerprint: str
) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    wanted = "key_encipherment" if isinstance(key, rsa.RSAPublicKey) else "key_agreement"
    if not getattr(usage, wanted):
        name = "keyEncipherment" if wanted == "key_encipherment" else "keyAgreement"
        raise _refuse(
            Reason.KEY_NOT_FOR_ENCRYPTION,
            fingerprint,
            f"does not allow {name} in its keyUsage (for signing only, or an authority's?). Ask the tenant for its "
            "encryption certificate alone, without the chain",
        )


def _check_validity(certificate: x509.Certificate, now: datetime, fingerprint: str) -> None:
    if now > certificate.not_valid_after_utc:
        when = certificate.not_valid_after_utc
        raise _refuse(Reason.KEY_EXPIRED, fingerprint, f"ran out on {when:%Y-%m-%d}. Ask the tenant for its successor")
    if now < certificate.not_valid_before_utc:
        when = certificate.not_valid_before_utc
        raise _refuse(
            Reason.KEY_NOT_YET_VALID,
            fingerprint,
            f"is valid only from {when:%Y-%m-%d %H:%M} UTC. Wait, or put the previous key back until then",
        )


def _issuer_and_serial(certificate: x509.Certificate) -> bytes:
    """Cut issuer and serial number out of the certificate as they stand: re-encoding a name may change its bytes.

    TBSCertificate (RFC 5280, section 4.1): [0] version (absent in v1), serialNumber, signature, issuer, ...
    """
    elements = der.split(der.split(certificate.tbs_certificate_bytes)[0].content)
    if elements[0].tag == 0xA0:
        elements = elements[1:]
    return der.sequence(elements[2].encoded, elements[0].encoded)


def _check_sealing(recipient: CmsRecipient) -> None:
    """Wrap a key for it once: what the backend refuses later would be retried for ever."""
    try:
        wrap_key(bytes(32), recipient, oaep=True)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise _refuse(
            Reason.KEY_UNREADABLE,
            recipient.fingerprint,
            "has a public key that cannot be used: nothing can be sealed to it. Ask the tenant for a new one",
        ) from exc
