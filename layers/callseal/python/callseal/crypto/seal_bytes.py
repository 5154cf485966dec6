"""Seal a file outside of a delivery to recipients: as a stream, or a small file of Callseal's own as bytes."""

from __future__ import annotations

from io import BytesIO

from callseal.core.recipient import CmsRecipients, Recipients
from callseal.crypto.envelopes import Sink, Source, cms
from callseal.crypto.recipients import GpgFactory


def seal_stream(
    source: Source, size: int, recipients: Recipients, cms_profile: str, gpg: GpgFactory, sink: Sink
) -> None:
    """Write `size` bytes of a source sealed to all recipients. `cms_profile` is the tenant's setting."""
    if isinstance(recipients, CmsRecipients):
        cms.seal(source, size, recipients.members, cms_profile, sink)
    else:
        from callseal.crypto.envelopes import openpgp

        openpgp.seal(source, size, recipients, gpg(), sink)


def seal_bytes(plain: bytes, recipients: Recipients, cms_profile: str, gpg: GpgFactory) -> bytes:
    """Return bytes sealed to all recipients. `cms_profile` is the tenant's setting."""
    sealed = bytearray()
    seal_stream(BytesIO(plain), len(plain), recipients, cms_profile, gpg, sealed.extend)
    return bytes(sealed)
