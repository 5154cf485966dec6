"""Metadata of recordings, in Puzzel's layout, and what must become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.security.privacy.watch import CALLERS

PUZZEL: Mapping[str, Any] = {"metadata_profile": "puzzel", "default_region": "NO"}
# The outside party's number. It is in no landing key, so a blind tenant's table never has it.
PARTY = CALLERS[1]


@dataclass(frozen=True)
class Metadata:
    """The metadata of a scenario's recording, with its own outputs, reasons to be held, and end."""

    outputs: Mapping[str, bool] = field(default_factory=dict)
    denied: bool = False
    restricted: bool = False
    unreadable: bool = False
    lands_first: bool = False
    reasons: tuple[str, ...] = ()
    ends: Literal["delivered", "held"] = "delivered"

    def data(self, note: str) -> bytes:
        """Return the file. The note is a text that is part of it."""
        whole = metadata_xml(note, deny_recording=self.denied, SET_RESTRICTED=self.restricted)
        return whole[: len(whole) // 2] if self.unreadable else whole


def metadata_xml(note: str, *, queue: str = "invoice_no", agent: str = "1042", **variables: bool | str) -> bytes:
    """Return metadata in Puzzel's layout, with these variables."""
    values = "".join(f'<variable name="{name}">{str(value).lower()}</variable>' for name, value in variables.items())
    return (
        f'<recording><session id="4711" start="2026-11-23T09:12:44+01:00" end="2026-11-23T09:12:58+01:00"/>'
        f'<note>{note}</note><request remoteAddress="+{PARTY}" queueKey="{queue}"/><agent id="{agent}"/>'
        f"<variables>{values}</variables></recording>"
    ).encode()
