"""Audit events of disposals, and of the comparison of the archive with the cards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from callseal.core.audit import AuditEvent, event, law_member
from callseal.core.event_types import EventType


def recordings_disposed(tenant: str, record: str, sha256: str, counts: Mapping[str, int], now: datetime) -> AuditEvent:
    """Return the event of a record in the audit bucket, with the hash of its bytes."""
    law = law_member(object=record, sha256=sha256, counts=dict(counts))
    message = "The calls in the record were deleted at the end of their class."
    happened = [EventType.RECORDINGS_DISPOSED, tenant, record, sha256]
    return event(EventType.RECORDINGS_DISPOSED, now, {"tenant": tenant, "message": message, "law": law}, happened)


def retention_verified(tenant: str, counts: Mapping[str, int], began: str, now: datetime) -> AuditEvent:
    """Return the event of a comparison without a finding, which began at a time (RFC 3339)."""
    message = "Each file in the archive has its card, each card its files, and none is kept or locked too long."
    happened = [EventType.RETENTION_VERIFIED, tenant, began]
    members = {"tenant": tenant, "message": message, "law": law_member(counts=dict(counts))}
    return event(EventType.RETENTION_VERIFIED, now, members, happened)
