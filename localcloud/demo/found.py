"""Rows of the demo's tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.demo.tenants import Tenant


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


def open_file(tenant: Tenant, files: Mapping[str, bytes], path: Path) -> Found:
    """Open a tenant's copy of a recording or its XML, which is among these files, and compare them."""
    name = next((name for name in files if name.startswith(path.name)), None)
    if name is None:
        return Found(path.name, 0, "it is not there", "", same=False)
    stored = files[name]
    if name == path.name:
        return Found(name, len(stored), "(plain)", "", same=stored == path.read_bytes())
    opened = tenant.open(name, stored)
    return Found(name, len(stored), opened.tool, opened.command, same=opened.data == path.read_bytes())


def audit_row(event: Mapping[str, Any]) -> tuple[str, ...]:
    """Return an audit event as a row: time, event, landed file (or tenant), outputs, recipients, reason."""
    detail = event["detail"]
    outputs = ", ".join(f"{o['destination']} {o['sealed']}" for o in detail["outputs"] or []) or "-"
    recipients = ", ".join(f"{r['fingerprint'][:16]}..." for r in detail["recipients"] or []) or "-"
    kinds = {"Sftp": "by SFTP", "Calls": "its calls"}
    other = next((words for kind, words in kinds.items() if event["detail-type"].startswith(kind)), "its key")
    if archive := detail.get("archive"):
        other = str(archive["user"]).partition("@")[0]
    what = detail["source"]["key"] if detail["source"] else f"{detail['tenant']}, {other}"
    return (detail["time"][11:19], event["detail-type"], what, outputs, recipients, _reason(detail))


def _reason(detail: Mapping[str, Any]) -> str:
    return str(detail["reason"] or (detail.get("archive") or {}).get("code") or "-")
