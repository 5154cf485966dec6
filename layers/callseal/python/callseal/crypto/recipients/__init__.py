"""Verdicts on keys: the recipients in a tenant's text, or the reason why no file can be sealed to it.

The text is untrusted, because a person pasted it into a console. Every block of it must be usable. If several reasons
apply, the HeldError has the first in the order of `Reason`. Its sentence names the key by its fingerprint and says what
to do.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from callseal.core.errors import HeldError, Reason
from callseal.core.recipient import MAX_RECIPIENTS, CmsRecipients, OpenPgpRecipients, Recipient, Recipients
from callseal.crypto.recipients import mistaken
from callseal.crypto.recipients.blocks import Block, find_blocks, refuse_private_keys

if TYPE_CHECKING:
    from callseal.crypto.gpg import Gpg

__all__ = [
    "CmsRecipients",
    "GpgFactory",
    "OpenPgpRecipients",
    "Recipient",
    "Recipients",
    "gpg_factory",
    "judge",
    "judge_after",
]

# Secrets Manager takes 64 KiB. A key file on the command line may have any size.
MAX_TEXT_BYTES = 1024 * 1024
CERTIFICATE_LABELS = frozenset({"CERTIFICATE", "X509 CERTIFICATE"})
OPENPGP_LABEL = "PGP PUBLIC KEY BLOCK"

# Called only for OpenPGP keys, because starting gpg takes time.
GpgFactory = Callable[[], "Gpg"]


def gpg_factory(binary: str) -> GpgFactory:
    """Return a function that starts gpg at its first call and returns the same object at every call."""

    @cache
    def start() -> Gpg:
        from callseal.crypto.gpg import Gpg  # importing python-gnupg slows a cold start

        return Gpg(binary)

    return start


def judge(text: str, now: datetime, gpg: GpgFactory) -> Recipients:
    """Return the recipients in a key text, judged at a time (timezone-aware). Raises HeldError with a Key* reason."""
    if len(text) > MAX_TEXT_BYTES or len(text.encode(errors="replace")) > MAX_TEXT_BYTES:
        raise unreadable(f"it is longer than {MAX_TEXT_BYTES:,} bytes. Paste the key alone")
    refuse_private_keys(text)
    if mistake := mistaken.frame_of(text):
        raise unreadable(mistake)
    blocks = find_blocks(text)
    family = _family(blocks, text)
    if family == "openpgp":
        if mistake := mistaken.signatures_alone(blocks):
            raise unreadable(mistake)
        from callseal.crypto.recipients import openpgp  # not needed in an X.509 tenant's cold start

        return openpgp.judge(blocks, now, gpg())
    from callseal.crypto.recipients import x509

    return x509.judge(blocks, now)


def judge_after(earlier: Recipients, newest: Recipients, now: datetime, gpg: GpgFactory) -> Recipients:
    """Return the recipients of an earlier text, judged by a newer text as well. Raises HeldError with a Key* reason.

    A newer OpenPGP text may revoke a key of the earlier one, or end its validity. A certificate cannot affect another
    one, so recipients are returned unchanged if either text is of X.509.
    """
    if not isinstance(earlier, OpenPgpRecipients) or not isinstance(newest, OpenPgpRecipients):
        return earlier
    from callseal.crypto.recipients import openpgp

    return openpgp.judge_after(earlier, newest, now, gpg())


def unreadable(why: str) -> HeldError:
    """Return the error for a text that is not a readable key. `why` is a clause without a full stop."""
    return HeldError(Reason.KEY_UNREADABLE, f"The tenant's key cannot be read: {why}.")


def _family(blocks: list[Block], text: str) -> str:
    labels = {block.label for block in blocks}
    if not blocks:
        raise unreadable(mistaken.text_of(text))
    if OPENPGP_LABEL in labels and labels & CERTIFICATE_LABELS:
        raise unreadable("it mixes X.509 certificates and OpenPGP keys. Paste only one of the two kinds")
    for label in sorted(labels - CERTIFICATE_LABELS - {OPENPGP_LABEL}):
        raise unreadable(
            mistaken.LABELS.get(label, f"it has a block '{label}'. Paste only certificates or PGP public keys")
        )
    if any("\\n" in block.body for block in blocks):
        raise unreadable("its line ends are the two characters \\n, as in JSON. Paste it from the original text file")
    if len(blocks) > MAX_RECIPIENTS:
        raise unreadable(
            f"it has {len(blocks)} blocks, and a file is sealed to {MAX_RECIPIENTS} recipients at most. Ask the tenant "
            "which keys to use"
        )
    return "openpgp" if OPENPGP_LABEL in labels else "x509"
