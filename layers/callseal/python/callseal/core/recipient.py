"""Recipients: the keys that can open a sealed file. `crypto.recipients` returns them for sealing and for the audit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

MAX_RECIPIENTS = 16


@dataclass(frozen=True, slots=True)
class Recipient:
    """One key: its fingerprint (upper-case hex), its kind, and the time it expires (in UTC, or None for never).

    `subkey` is the fingerprint of the part of an OpenPGP key that encrypts, which may be the primary itself. It is None
    for X.509. `algorithm` (named as in `crypto.recipients.algorithms`) and `strength` (bits) describe the part that
    encrypts. They are None if only the key's fingerprints are known. `revoked_subkeys` are the fingerprints of the
    subkeys that the key's text revokes.
    """

    fingerprint: str
    kind: Literal["x509", "openpgp"]
    not_after: datetime | None
    algorithm: str | None = field(default=None, kw_only=True)
    strength: int | None = field(default=None, kw_only=True)
    subkey: str | None = field(default=None, kw_only=True)
    revoked_subkeys: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def encrypts_with(self) -> str:
        """The fingerprint of the part that encrypts. Keys are proven, registered and rotated by it."""
        return self.subkey or self.fingerprint


@dataclass(frozen=True, slots=True)
class CmsRecipient(Recipient):
    """A certificate to seal to. `issuer_and_serial` is CMS's IssuerAndSerialNumber in the certificate's own DER."""

    issuer_and_serial: bytes
    public_key: RSAPublicKey | EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class CmsRecipients:
    """The certificates of an X.509 tenant. `left_out` are those of its text that issued another one (its chain)."""

    members: tuple[CmsRecipient, ...]
    left_out: tuple[Recipient, ...] = ()
    envelope: Literal["cms"] = "cms"


@dataclass(frozen=True, slots=True)
class OpenPgpKeys:
    """The unchecked contents of a key text: the packets of its keys, and the revocation certificates among them.

    `primaries` are the fingerprints of the keys, each once, in the text's order.
    """

    keys: bytes = field(repr=False)
    revocations: bytes = field(repr=False)
    primaries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenPgpRecipients:
    """The keys of an OpenPGP tenant, and the keyring for gpg, which gpg exported after it imported the text.

    `sent` are the text's contents. They are needed to judge the keys in another version of the secret.
    """

    members: tuple[Recipient, ...]
    keyring: bytes = field(repr=False)
    sent: OpenPgpKeys
    envelope: Literal["openpgp"] = "openpgp"


Recipients = CmsRecipients | OpenPgpRecipients


def usable_until(recipients: Recipients) -> datetime | None:
    """Return the time at which the first of the recipients expires (UTC), or None if none does."""
    return min((member.not_after for member in recipients.members if member.not_after), default=None)


def left_out_note(recipients: Recipients) -> str:
    """Return a space and a sentence that lists the certificates left out, or an empty string if there are none."""
    left_out = recipients.left_out if isinstance(recipients, CmsRecipients) else ()
    names = [certificate.fingerprint for certificate in left_out]
    if not names:
        return ""
    return f" Left out, because they issued another certificate of this key (its chain): {', '.join(names)}."
