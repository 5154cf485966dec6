"""Audit events about calls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from callseal.core.audit import AuditEvent, event
from callseal.core.event_types import EventType


def calls_searched(tenant: str, user: str, filters: Sequence[str], now: datetime) -> AuditEvent:
    """Return the event of a search by the command. It names the kinds of filters, no value, and no number of calls."""
    kinds = ", ".join(sorted(filters)) or "none"
    message = f"An operator searched the tenant's calls. Filters: {kinds}."
    happened = [EventType.CALLS_SEARCHED, tenant, user, kinds, now.isoformat()]
    return event(EventType.CALLS_SEARCHED, now, {"tenant": tenant, "message": message}, happened)
