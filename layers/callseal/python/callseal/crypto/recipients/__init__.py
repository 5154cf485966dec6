"""Judging keys: from the text that a tenant sent to recipients that a file can be sealed to, or the reason why not.

The text is untrusted: it is what somebody pasted into a console. Every block of it must be usable; the first reason in
the order of `Reason` is given, with a sentence that names the key by its fingerprint and says what to do.
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

# Secrets Manager takes 64 KiB; a key file given on a command line may be anything.
MAX_TEXT_BYTES = 1024 * 1024
CERTIFICATE_LABELS = frozenset({"CERTIFICATE", "X509 CERTIFICATE"})
OPENPGP_LABEL = "PGP PUBLIC KEY BLOCK"


# Asked for only where an OpenPGP key comes along: starting gpg costs time.
GpgFactory = Callable[[], "Gpg"]


def gpg_factory(binary: str) -> GpgFactory:
    """Give what starts the gpg program at its first use, and gives the same one from then on."""

    @cache
    def start() -> Gpg:
        from callseal.crypto.gpg import Gpg  # python-gnupg costs a cold start

        return Gpg(binary)

    return start


def judge(text: str, now: datetime, gpg: GpgFactory) -> Recipients:
    """Judge the text of a tenant's key at a moment (timezone-aware); raises HeldError with one of the Key* reasons."""
    if len(text) > MAX_TEXT_BYTES or len(text.encode(errors="replace")) > MAX_TEXT_BYTES:
        raise unreadable(f"it is longer than {MAX_TEXT_BYTES:,} bytes. Paste the key alone")
    refuse_private_keys(text)
    if what := mistaken.frame_of(text):
        raise unreadable(what)
    blocks = find_blocks(text)
    family = _family(blocks, text)
    if family == "openpgp":
        if what := mistaken.signatures_alone(blocks):
            raise unreadable(what)
        from callseal.crypto.recipients import openpgp  # an X.509 tenant's cold start does not pay for gpg

        return openpgp.judge(blocks, now, gpg())
    from callseal.crypto.recipients import x509

    return x509.judge(blocks, now)


def judge_after(earlier: Recipients, newest: Recipients, now: datetime, gpg: GpgFactory) -> Recipients:
    """Judge recipients of an earlier text by what a newer one says of them; raises HeldError with a Key* reason.

    An OpenPGP text may revoke a key of the other, or let it expire. A certificate says nothing of another.
    """
    if not isinstance(earlier, OpenPgpRecipients) or not isinstance(newest, OpenPgpRecipients):
        return earlier
    from callseal.crypto.recipients import openpgp

    return openpgp.judge_after(earlier, newest, now, gpg())


def unreadable(why: str) -> HeldError:
    """Say that the key's text cannot be read as a key, and why."""
    return HeldError(Reason.KEY_UNREADABLE, f"The tenant's key cannot be read: {why}.")


def _family(blocks: list[Block], text: str) -> str:
    labels = {block.label for block in blocks}
    if not blocks:
        raise unreadable(mistaken.text_of(text))
    if OPENPGP_LABEL in labels and labels & CERTIFICATE_LABELS:
        raise unreadable("it mixes X.509 certificates and OpenPGP keys. Paste one family only")
    for label in sorted(labels - CERTIFICATE_LABELS - {OPENPGP_LABEL}):
        raise unreadable(
            mistaken.LABELS.get(label, f"a block of it is a '{label}'. Paste certificates or PGP keys only")
        )
    if any("\\n" in block.body for block in blocks):
        raise unreadable("its line ends are the two characters \\n, as in JSON. Paste it from the original text file")
    if len(blocks) > MAX_RECIPIENTS:
        raise unreadable(
            f"it has {len(blocks)} blocks, and a file is sealed to {MAX_RECIPIENTS} recipients at most. Ask the tenant "
            "whose they must be"
        )
    return "openpgp" if OPENPGP_LABEL in labels else "x509"
