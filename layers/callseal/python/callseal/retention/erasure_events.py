"""Audit events of erasures on request. None holds a number: a name that has one is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from callseal.core.audit import AuditEvent, event, law_member
from callseal.core.errors import Reason
from callseal.core.event_types import EventType
from callseal.retention.erasure import LedgerFile, Request
from callseal.retention.erasure_places import Stored


def requested(request: Request, person: str, counts: Mapping[str, int], now: datetime) -> AuditEvent:
    """Return the event of a request that was made, or that a second person approved."""
    state = "approved" if request.is_approved else "requested"
    law = law_member(request=request.id, counts=dict(counts), state=request.state, until=request.due)
    message = f"{person} {state} an erasure of {len(request.calls)} calls."
    return _event(EventType.ERASURE_REQUESTED, request, now, law, message, [state])


def file_erased(request: Request, stored: Stored, file: LedgerFile, names_number: bool, now: datetime) -> AuditEvent:
    """Return the event of a file that is deleted by a request. It comes before the delete."""
    source = {"bucket": stored.bucket, "key": stored.key, "etag": stored.etag or None, "size": stored.size}
    law = law_member(request=request.id, sha256=file.sha256, state="erased")
    message = f"The file is deleted from the {file.place} by the request for erasure {request.id}."
    members = {
        "tenant": request.tenant, "source": None if names_number else source, "reason": Reason.ERASED.value,
        "message": message, "law": law,
    }  # fmt: skip
    happened = [EventType.RECORDING_ERASED, request.tenant, request.id, file.call, file.id]
    return event(EventType.RECORDING_ERASED, now, members, happened)


def refused(request: Request, counts: Mapping[str, int], until: str | None, now: datetime) -> AuditEvent:
    """Return the event of files that a hold or a duty to keep them protects from erasure for now."""
    state = "held" if counts.get("held") else "retained"
    why = "A hold protects" if state == "held" else "The duty to keep recordings protects"
    message = f"{why} files of the request for erasure {request.id}. They are erased when that ends."
    law = law_member(request=request.id, counts=dict(counts), state=state, until=until)
    by = [sorted(counts.items()), until]
    return _event(EventType.ERASURE_REFUSED, request, now, law, message, by)


def completed(request: Request, counts: Mapping[str, int], certificate: str, now: datetime) -> AuditEvent:
    """Return the event of a request that is done. `certificate` is the key of its certificate."""
    law = law_member(
        request=request.id, counts=dict(counts), object=certificate, sha256=request.certified, state="done"
    )
    message = f"The erasure of {len(request.calls)} calls is done."
    return _event(EventType.ERASURE_COMPLETED, request, now, law, message, [certificate])


def recipient_notified(request: Request, now: datetime) -> AuditEvent:
    """Return the event of the recipient's answer to the notice."""
    law = law_member(request=request.id, state=request.state)
    message = "The recipient has answered that it has erased its copies."
    return _event(EventType.RECIPIENT_NOTIFIED, request, now, law, message, [])


def _event(
    kind: EventType, request: Request, now: datetime, law: Mapping[str, object], message: str, by: Sequence[object]
) -> AuditEvent:
    members = {"tenant": request.tenant, "message": message, "law": law}
    return event(kind, now, members, [kind, request.tenant, request.id, *by])
