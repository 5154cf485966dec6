"""Audit events of holds. The reason of a hold is in none: it is a free text, and may name a person."""

from __future__ import annotations

from datetime import datetime

from callseal.core.audit import AuditEvent, event, law_member
from callseal.core.event_types import EventType
from callseal.retention.hold import Hold
from callseal.retention.hold_table import HeldCalls


def hold_placed(hold: Hold, found: HeldCalls, now: datetime) -> AuditEvent:
    """Return the event of a hold whose calls are all under it."""
    return _event(EventType.HOLD_PLACED, hold, f"{hold.placed_by} placed the hold {hold.name}.", now, found)


def release_asked(hold: Hold, now: datetime) -> AuditEvent:
    """Return the event of a request to release a hold."""
    return _event(EventType.HOLD_RELEASE_ASKED, hold, f"{hold.asked_by} asked to release the hold {hold.name}.", now)


def hold_released(hold: Hold, found: HeldCalls, now: datetime) -> AuditEvent:
    """Return the event of the release of a hold. It comes before the first call is free."""
    message = (
        f"{hold.approved_by} approved the release of the hold {hold.name}, for which {hold.asked_by} asked. "
        f"{hold.placed_by} had placed it."
    )
    return _event(EventType.HOLD_RELEASED, hold, message, now, found)


def _event(kind: EventType, hold: Hold, message: str, now: datetime, found: HeldCalls | None = None) -> AuditEvent:
    counts = {"calls": found.calls, "gone": len(found.gone)} if found else None
    law = law_member(hold=hold.name, state=hold.state, counts=counts)
    happened = [kind, hold.tenant, hold.name, hold.placed_at, hold.asked_by, hold.approved_by]
    return event(kind, now, {"tenant": hold.tenant, "message": message, "law": law}, happened)
