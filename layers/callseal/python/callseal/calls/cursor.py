"""Cursors of searches: opaque texts that continue a search, and are good for its tenant, user and filters only."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from callseal.core.errors import CallsealError

if TYPE_CHECKING:
    from callseal.aws.mac_key import MacKey

CONTEXT = b"callseal/cursor/v1"
TAG_BYTES = 16


class CursorRefusedError(CallsealError):
    """The cursor is not of this tenant, user and search, or is none at all."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a search continues: after `place`. `begun` is when its first page was read (RFC 3339, UTC)."""

    place: str
    begun: str


class Cursors:
    """Writes and reads cursors."""

    def __init__(self, key: MacKey) -> None:
        """Take the stack's HMAC key."""
        self._mac_key = key

    def write(self, position: Position, search: Sequence[object]) -> str:
        """Return the cursor of a position. `search` names the tenant, the user and the filters."""
        text = json.dumps([position.place, position.begun]).encode()
        return urlsafe_b64encode(self._tag(text, search) + text).decode().rstrip("=")

    def read(self, cursor: str, search: Sequence[object]) -> Position:
        """Return the position of a cursor. Raise CursorRefusedError if it was not written for this search."""
        try:
            raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except ValueError as exc:
            raise _refused() from exc
        tag, text = raw[:TAG_BYTES], raw[TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(text, search)):
            raise _refused()
        return Position(*json.loads(text))

    def _tag(self, text: bytes, search: Sequence[object]) -> bytes:
        message = json.dumps([*search, text.decode("ascii", "replace")]).encode()
        return hmac.digest(self._key, message, "sha256")[:TAG_BYTES]

    @cached_property
    def _key(self) -> bytes:
        return self._mac_key.mac(CONTEXT)


def _refused() -> CursorRefusedError:
    return CursorRefusedError(
        "The cursor does not belong to this search: it is of another tenant, user or filter, or it is damaged. Repeat "
        "the search with the same filters and without a cursor."
    )
