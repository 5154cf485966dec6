"""Rows of the demo's tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Found:
    """A delivered file: how its tenant opened it, and whether it has the bytes of the recording."""

    name: str
    size: int
    tool: str
    command: str
    same: bool

    @property
    def row(self) -> tuple[object, ...]:
        """The cells of its row."""
        return (self.name, self.size, self.tool, "yes" if self.same else "NO")


def audit_row(event: Mapping[str, Any]) -> tuple[str, ...]:
    """Return an audit event as a row: time, event, landed file (or tenant), outputs, recipients, reason."""
    detail = event["detail"]
    outputs = ", ".join(f"{o['destination']} {o['sealed']}" for o in detail["outputs"] or []) or "-"
    recipients = ", ".join(f"{r['fingerprint'][:16]}..." for r in detail["recipients"] or []) or "-"
    kinds = {"Sftp": "by SFTP", "Calls": "its calls"}
    other = next((words for kind, words in kinds.items() if event["detail-type"].startswith(kind)), "its key")
    what = detail["source"]["key"] if detail["source"] else f"{detail['tenant']}, {other}"
    return (detail["time"][11:19], event["detail-type"], what, outputs, recipients, detail["reason"] or "-")
