"""The audit events of what people do in the archive. Each is put before what it reports happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def archive_event(
    kind: EventType, actor: Actor, now: datetime, *, message: str | None = None, once: Sequence[object] = (),
    **members: Any,
) -> AuditEvent:  # fmt: skip
    """Return the event of one act. `members` are of MEMBERS.

    Each act has an id of its own. An act that may be recorded twice has the same id again, by what `once` names.
    """
    given: Mapping[str, Any] = {"user": actor.user, "external": actor.is_external, **members}
    archive = {**dict.fromkeys(MEMBERS), **given}
    known = {"tenant": actor.tenant, "archive": archive, "message": message}
    return event(kind, now, known, [kind, actor.tenant, *(once or [token_hex(16)])])
