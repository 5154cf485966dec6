"""Recipients: who can open what is sealed, as the judges give them to the envelope writers and to the audit."""

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
    """One key: its fingerprint (upper-case hex), its kind, and the moment it expires (UTC; None for never).

    `subkey` is the fingerprint of the part of an OpenPGP key that encrypts: the primary's own if that does, None for
    X.509. A judged key also has its algorithm, in the words of `algorithms`, and its strength in bits, both of the part
    that encrypts; they are None for a recipient of which only the name is known. `revoked_subkeys` are the fingerprints
    of those that the key's text revokes.
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
        """The fingerprint of what encrypts, by which a key is proven, registered and rotated."""
        return self.subkey or self.fingerprint


@dataclass(frozen=True, slots=True)
class CmsRecipient(Recipient):
    """A certificate to seal to; `issuer_and_serial` is CMS's IssuerAndSerialNumber in DER, byte for byte its own."""

    issuer_and_serial: bytes
    public_key: RSAPublicKey | EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class CmsRecipients:
    """The certificates of an X.509 tenant; `left_out` are those of its text that issued another one, its chain."""

    members: tuple[CmsRecipient, ...]
    left_out: tuple[Recipient, ...] = ()
    envelope: Literal["cms"] = "cms"


@dataclass(frozen=True, slots=True)
class OpenPgpKeys:
    """What a text holds: the packets of its keys, and the revocation certificates among them; nothing is checked.

    `primaries` are the fingerprints of the keys, each once, in the text's order.
    """

    keys: bytes = field(repr=False)
    revocations: bytes = field(repr=False)
    primaries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenPgpRecipients:
    """The keys of an OpenPGP tenant, and the keyring that gpg finds them in: its own export of what it imported.

    `sent` is what the text holds, for judging another version of the secret by it.
    """

    members: tuple[Recipient, ...]
    keyring: bytes = field(repr=False)
    sent: OpenPgpKeys
    envelope: Literal["openpgp"] = "openpgp"


Recipients = CmsRecipients | OpenPgpRecipients


def usable_until(recipients: Recipients) -> datetime | None:
    """Tell when the first of the recipients runs out, None for never."""
    return min((member.not_after for member in recipients.members if member.not_after), default=None)


def left_out_note(recipients: Recipients) -> str:
    """Return the sentence on the certificates that were left out, with a space before it; empty without any."""
    names = [one.fingerprint for one in recipients.left_out] if isinstance(recipients, CmsRecipients) else []
    if not names:
        return ""
    return f" Left out, because they issued another certificate of this key (its chain): {', '.join(names)}."
