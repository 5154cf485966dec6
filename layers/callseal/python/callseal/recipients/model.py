"""Recipients: who can open what is sealed, as the judges give them to the envelope writers and to the audit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

MAX_RECIPIENTS = 16


@dataclass(frozen=True, slots=True)
class Recipient:
    """One key: its fingerprint (upper-case hex), its kind, and the moment it runs out (UTC; None for never).

    A judged key also tells its algorithm, in the words of `algorithms`, and its strength in bits: of what files are
    sealed with, an OpenPGP key's subkey as a rule. They are None where a recipient is known by its name alone.
    """

    fingerprint: str
    kind: Literal["x509", "openpgp"]
    not_after: datetime | None
    algorithm: str | None = field(default=None, kw_only=True)
    strength: int | None = field(default=None, kw_only=True)


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
class OpenPgpRecipients:
    """The keys of an OpenPGP tenant, and the keyring (binary, as transferable public keys) that gpg finds them in."""

    members: tuple[Recipient, ...]
    keyring: bytes
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
