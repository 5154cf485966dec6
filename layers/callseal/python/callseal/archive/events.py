"""The audit events of what people do in the archive. Each is put before what it reports happens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any

from callseal.core.audit import AuditEvent, event
from callseal.core.event_types import EventType

# The members of an event's member `archive`.
MEMBERS = (
    "user", "external", "call", "file", "action", "access", "reason", "text", "seconds", "filters", "share", "code",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a tenant's user, or the recipient of a share, by e-mail. `is_external` if not of the tenant."""

    tenant: str
    user: str
    is_external: bool


def archive_event(kind: EventType, actor: Actor, now: datetime, **members: Any) -> AuditEvent:
    """Return the event of one act. `members` are of MEMBERS. Each act has an id of its own."""
    archive: dict[str, Any] = {**dict.fromkeys(MEMBERS), "user": actor.user, "external": actor.is_external, **members}
    return event(kind, now, {"tenant": actor.tenant, "archive": archive}, [kind, actor.tenant, token_hex(16)])
