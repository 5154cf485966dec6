"""The verdict on a key's text. It comes from the functions' own code, so both judge alike."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from callseal.core.errors import HeldError, Reason
from callseal.core.recipient import CmsRecipients, left_out_note
from callseal.crypto.recipients import CERTIFICATE_LABELS, MAX_TEXT_BYTES, GpgFactory, Recipient, judge, x509
from callseal.crypto.recipients.blocks import find_blocks
from callseal.crypto.recipients.inspection import inspect
from callseal_cli.errors import CannotError
from callseal_cli.screen import Facts, Part, Table
from callseal_cli.store import MAX_SECRET_BYTES

LEFT_OUT = {
    "usable": False,
    "reason": None,
    "message": "Left out: it issued another certificate of this text, so it belongs to the chain and is no recipient.",
}
# Without the subkey: the operator compares one fingerprint for each key with the tenant.
COLUMNS = ("fingerprint", "kind", "algorithm", "strength", "not_after", "verdict")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether files can be sealed to the keys of a text.

    If not, files would be held for this reason with this message. `keys` are the keys that could be read, each with its
    own verdict.
    """

    reason: Reason | None
    message: str
    keys: list[dict[str, Any]]

    @property
    def usable(self) -> bool:
        """Whether files can be sealed to the keys."""
        return self.reason is None

    @property
    def document(self) -> dict[str, Any]:
        """The verdict as a JSON object."""
        return {"usable": self.usable, "reason": self.reason, "message": self.message, "keys": self.keys}

    @property
    def parts(self) -> tuple[Part, ...]:
        """The verdict as it is shown on a terminal."""
        verdict = f"not usable, {self.reason}" if self.reason else "usable"
        rows = [[key[name] for name in COLUMNS[:-1]] + [_key_verdict(key)] for key in self.keys]
        return Facts({"key": verdict}), self.message, *([Table(COLUMNS, rows)] if rows else [])


def read_key(path: Path) -> str:
    """Return the text of a key file, or of standard input for `-`, up to MAX_TEXT_BYTES + 1 bytes.

    Raise CannotError if the path is a folder.
    """
    if str(path) == "-":
        return _text(_bounded(sys.stdin.buffer))
    if path.is_dir():
        raise CannotError(f"{path} is a folder. Name the key file.")
    with path.open("rb") as file:
        return _text(_bounded(file))


def check(text: str, now: datetime, gpg: GpgFactory) -> Verdict:
    """Return the verdict on a text at a time. Raise CannotError if it needs gpg and there is none."""
    try:
        recipients = judge(text, now, gpg)
    except HeldError as held:
        return Verdict(held.reason, str(held), _found(text, held, now, gpg))
    except RuntimeError as exc:
        raise CannotError(f"This is an OpenPGP key, which only gpg can judge: {exc}") from exc
    members, chain = recipients.members, recipients.left_out if isinstance(recipients, CmsRecipients) else ()
    many = f"each of its {len(members)} keys opens them alone" if len(members) > 1 else "it alone opens them"
    keys = [*map(_accepted, members), *(_accepted(issuer) | LEFT_OUT for issuer in chain)]
    if (size := len(text.encode(errors="replace"))) > MAX_SECRET_BYTES:
        return Verdict(Reason.KEY_UNREADABLE, _too_long(size, members), keys)
    return Verdict(None, f"Files can be sealed to it: {many}.{left_out_note(recipients)}", keys)


def _too_long(size: int, members: Sequence[Recipient]) -> str:
    """Return the message for a usable key that does not fit into a secret, with how to make it smaller."""
    if members[0].kind == "x509":
        how = "Remove the text around the certificates, and the chain (openssl x509 -in FILE prints one alone)"
    else:
        how = (
            "Ask the tenant for an export without photos and the signatures of others: gpg --armor --export-options "
            f"export-minimal,no-export-attributes --export {' '.join(member.fingerprint for member in members)}"
        )
    return f"The key does not fit into a secret: it has {size:,} bytes, and a secret holds {MAX_SECRET_BYTES:,}. {how}"


def _bounded(file: BinaryIO) -> bytes:
    return file.read(MAX_TEXT_BYTES + 1)


def _text(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _found(text: str, whole: HeldError, now: datetime, gpg: GpgFactory) -> list[dict[str, Any]]:
    """Return the keys of a refused text, each with its own verdict or `usable` None."""
    accepted, refused = _apart(text, now, gpg)
    # Another block may revoke a key that is usable by itself.
    refused |= {whole.fingerprint: whole} if whole.fingerprint else {}
    found, chain = [], _chain(text)
    for key in inspect(text, gpg):
        held = refused.get(key.fingerprint)
        usable = False if held else True if key.fingerprint in accepted else None
        verdict = {"usable": usable, "reason": held and held.reason, "message": str(held) if held else None}
        found.append(_accepted(key) | (LEFT_OUT if key.fingerprint in chain else verdict))
    return found


def _chain(text: str) -> frozenset[str]:
    """Return the fingerprints of the certificates that issued another certificate of the text."""
    with suppress(HeldError):
        return x509.left_out(block for block in find_blocks(text) if block.label in CERTIFICATE_LABELS)
    return frozenset()


def _apart(text: str, now: datetime, gpg: GpgFactory) -> tuple[set[str], dict[str, HeldError]]:
    """Judge each block of a text alone. Return the accepted fingerprints, and the refusals by fingerprint."""
    accepted, refused = set[str](), dict[str, HeldError]()
    try:
        blocks = find_blocks(text)
    except HeldError:
        blocks = []
    for block in blocks:
        try:
            members = judge(f"-----BEGIN {block.label}-----{block.body}-----END {block.label}-----", now, gpg).members
            accepted |= {member.fingerprint for member in members}
        except HeldError as held:
            refused |= {held.fingerprint: held} if held.fingerprint else {}
    return accepted, refused


def _key_verdict(key: Mapping[str, Any]) -> str | None:
    """Return the verdict on one key for its row of the table."""
    if key["message"] == LEFT_OUT["message"]:
        return "left out"
    return key["reason"] or ("usable" if key["usable"] else None)


def _accepted(member: Recipient) -> dict[str, Any]:
    return {
        "fingerprint": member.fingerprint,
        "subkey": member.subkey,
        "kind": member.kind,
        "algorithm": member.algorithm,
        "strength": member.strength,
        "not_after": member.not_after,
        "usable": True,
        "reason": None,
        "message": None,
    }
