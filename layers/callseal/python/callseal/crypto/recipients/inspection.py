"""Inspection: the keys in a text, good or bad, for verdicts and events. It is never used for sealing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from callseal.core.errors import HeldError
from callseal.core.recipient import MAX_RECIPIENTS, Recipient
from callseal.crypto.recipients import CERTIFICATE_LABELS, MAX_TEXT_BYTES, OPENPGP_LABEL, GpgFactory
from callseal.crypto.recipients.blocks import Block, find_blocks, refuse_private_keys


def inspect(text: str, gpg: GpgFactory) -> list[Recipient]:
    """Return the keys in a text that can be read, at most 16. Return none if the text has a private key."""
    try:
        if len(text) > MAX_TEXT_BYTES:
            return []
        refuse_private_keys(text)
        blocks = find_blocks(text)[:MAX_RECIPIENTS]
        found = {key.fingerprint: key for key in (*_certificates(blocks), *_openpgp_keys(blocks, gpg))}
    except HeldError:
        return []
    return list(found.values())[:MAX_RECIPIENTS]


def _certificates(blocks: list[Block]) -> Iterator[Recipient]:
    wanted = [block for block in blocks if block.label in CERTIFICATE_LABELS]
    if wanted:
        from callseal.crypto.recipients import x509

        for block in wanted:
            if key := x509.inspect(block):
                yield key


def _openpgp_keys(blocks: list[Block], gpg: GpgFactory) -> Iterator[Recipient]:
    wanted = [block for block in blocks if block.label == OPENPGP_LABEL]
    if wanted:
        from callseal.crypto.recipients import openpgp

        for block in wanted:
            with suppress(KeyError, ValueError):
                yield from openpgp.inspect(block, gpg())
