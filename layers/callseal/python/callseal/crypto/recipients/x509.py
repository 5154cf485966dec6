"""Verdicts on X.509 certificates (RFC 5280): whether a CMS envelope can be sealed to their keys now."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from callseal.core.errors import HeldError, Reason
from callseal.core.recipient import CmsRecipient, CmsRecipients, Recipient
from callseal.crypto.envelopes import der
from callseal.crypto.envelopes.cms import wrap_key
from callseal.crypto.recipients import algorithms, certificate, certificate_key, chain
from callseal.crypto.recipients.blocks import Block, decode_pem, private_key
from callseal.crypto.recipients.certificate import Certificate
from callseal.crypto.recipients.certificate_key import PublicKey, key_damaged, refuse

KEY_ENCIPHERMENT, KEY_AGREEMENT = 0x20, 0x08


def judge(blocks: Iterable[Block], now: datetime) -> CmsRecipients:
    """Return the recipients in PEM blocks. Raises HeldError with the first reason in order, of any block.

    A certificate that issued another one is left out, and its own faults do not count, unless it cannot be parsed.
    """
    loaded, refusals = _load_all(blocks)
    found, members = chain.Chain(), list[CmsRecipient]()
    try:
        found = chain.untangle(loaded)
    except HeldError as refusal:
        refusals.append(refusal)
    for kept in found.kept:
        try:
            members.append(_recipient(kept, now))
        except HeldError as refusal:
            refusals.append(refusal)
    if refusals:
        raise min(refusals, key=lambda refusal: refusal.reason.rank)
    return CmsRecipients(tuple(members), tuple(_described(issuer) for issuer in found.left_out))


def inspect(block: Block) -> Recipient | None:
    """Return the facts of a certificate, good or bad, or None if it cannot be parsed."""
    try:
        return _described(_load(block, 1))
    except HeldError:
        return None


def left_out(blocks: Iterable[Block]) -> frozenset[str]:
    """Return the fingerprints of the certificates that issued another one, even if the key is refused."""
    with suppress(HeldError):
        return frozenset(issuer.fingerprint for issuer in chain.untangle(_load_all(blocks)[0]).left_out)
    return frozenset()


def _described(found: Certificate) -> Recipient:
    algorithm, strength, ends = None, None, None
    with suppress(HeldError):
        key = certificate_key.load(found)
        algorithm, strength = algorithms.of_certificate(key), key.key_size
    with suppress(ValueError):
        ends = found.not_after()
    return Recipient(found.fingerprint, "x509", ends, algorithm=algorithm, strength=strength)


def _load_all(blocks: Iterable[Block]) -> tuple[list[Certificate], list[HeldError]]:
    loaded, refusals = list[Certificate](), list[HeldError]()
    for number, block in enumerate(blocks, start=1):
        try:
            loaded.append(_load(block, number))
        except HeldError as refusal:
            refusals.append(refusal)
    return loaded, refusals


def _load(block: Block, number: int) -> Certificate:
    try:
        data = decode_pem(block.body)
        _refuse_private_key(data)
        return certificate.parse(data)
    except ValueError as exc:
        raise HeldError(
            Reason.KEY_UNREADABLE,
            f"The tenant's key cannot be read: certificate {number} is damaged or is not an X.509 certificate. Ask the "
            "tenant to send it again in PEM form, and paste all of it.",
        ) from exc


def _refuse_private_key(data: bytes) -> None:
    """Raise HeldError if a private key has a certificate's frame.

    PKCS#8 and PKCS#1 both begin with SEQUENCE { INTEGER version.
    """
    outer = der.split(data)
    elements = der.split(outer[0].content) if outer else []
    if len(elements) > 1 and elements[0].tag == der.INTEGER:
        raise private_key()


def _recipient(found: Certificate, now: datetime) -> CmsRecipient:
    _check_issuer(found)
    public_key = certificate_key.load(found)
    _check_usage(found, public_key)
    certificate_key.check_strength(public_key, found.fingerprint)
    recipient = CmsRecipient(
        found.fingerprint,
        "x509",
        _check_validity(found, now),
        # The certificate's own bytes (RFC 5652, section 10.2.4), because re-encoding a name may change them.
        der.sequence(found.issuer, found.serial),
        public_key,
        algorithm=algorithms.of_certificate(public_key),
        strength=public_key.key_size,
    )
    _check_sealing(recipient)
    return recipient


def _check_issuer(found: Certificate) -> None:
    """Raise HeldError if readers cannot parse the issuer's name, as sealed files contain it (IssuerAndSerialNumber)."""
    try:
        certificate.name_parts(found.issuer)
    except ValueError as exc:
        raise refuse(
            Reason.KEY_UNREADABLE,
            found.fingerprint,
            "has an issuer's name with characters that its string type does not allow, and readers reject files with "
            "that name. Ask the tenant for a new certificate",
        ) from exc


def _check_usage(found: Certificate, key: PublicKey) -> None:
    try:
        usage = found.key_usage()
    except ValueError as exc:
        raise refuse(
            Reason.KEY_UNREADABLE,
            found.fingerprint,
            "has a keyUsage that cannot be read: it is damaged, or occurs more than once. Ask the tenant for a new "
            "certificate",
        ) from exc
    wanted, name = (
        (KEY_ENCIPHERMENT, "keyEncipherment") if isinstance(key, RSAPublicKey) else (KEY_AGREEMENT, "keyAgreement")
    )
    if usage is not None and not usage & wanted:
        raise refuse(
            Reason.KEY_NOT_FOR_ENCRYPTION,
            found.fingerprint,
            f"does not allow {name} in its keyUsage (it may be for signatures only, or an authority's). Ask the tenant "
            "for its encryption certificate alone, without the chain",
        )


def _check_validity(found: Certificate, now: datetime) -> datetime:
    """Return the end of validity. Raises HeldError if the certificate is not valid now."""
    try:
        first, last = found.not_before(), found.not_after()
    except ValueError as exc:
        raise refuse(
            Reason.KEY_UNREADABLE,
            found.fingerprint,
            "has a start or end of validity that is not a valid date. Ask the tenant for a new certificate",
        ) from exc
    if now > last:
        why = f"expired on {last:%Y-%m-%d}. Ask the tenant for a new certificate"
        raise refuse(Reason.KEY_EXPIRED, found.fingerprint, why)
    if now < first:
        raise refuse(
            Reason.KEY_NOT_YET_VALID,
            found.fingerprint,
            f"is valid only from {first:%Y-%m-%d %H:%M} UTC. Wait, or put the previous key back until then",
        )
    return last


def _check_sealing(recipient: CmsRecipient) -> None:
    """Wrap a key as a trial, because an error of the cryptography library at delivery would be retried without end."""
    try:
        wrap_key(bytes(32), recipient, oaep=True)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise key_damaged(recipient.fingerprint) from exc
