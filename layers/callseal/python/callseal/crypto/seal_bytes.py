"""Seal a small file of Callseal's own to recipients."""

from __future__ import annotations

from io import BytesIO

from callseal.core.recipient import CmsRecipients, Recipients
from callseal.crypto.envelopes import cms
from callseal.crypto.recipients import GpgFactory


def seal_bytes(plain: bytes, recipients: Recipients, cms_profile: str, gpg: GpgFactory) -> bytes:
    """Return bytes sealed to all recipients. `cms_profile` is the tenant's setting."""
    sealed, source = bytearray(), BytesIO(plain)
    if isinstance(recipients, CmsRecipients):
        cms.seal(source, len(plain), recipients.members, cms_profile, sealed.extend)
    else:
        from callseal.crypto.envelopes import openpgp

        openpgp.seal(source, len(plain), recipients, gpg(), sealed.extend)
    return bytes(sealed)
