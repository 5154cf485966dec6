"""Audit events: what happened to a landed file, to a tenant's key (`keys.events`), or by SFTP (`sftp.events`).

Their schema is schemas/audit-event.schema.json.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from callseal.core.errors import HeldError, Reason
from callseal.core.landing import LandedObject, tenant_of
from callseal.core.recipient import Recipient

SOURCE = "callseal"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """An event for the bus."""

    detail_type: str
    detail: dict[str, Any]

    @property
    def id(self) -> str:
        """The event's deterministic id."""
        return str(self.detail["id"])


@dataclass(frozen=True, slots=True)
class Output:
    """A committed output; `sealed` as in its metadata, `sha256` of the sealed bytes, None for a plain one."""

    destination: str
    bucket: str
    key: str
    size: int
    sha256: str | None
    sealed: str


def delivered(
    landed: LandedObject,
    outputs: Sequence[Output],
    recipients: Sequence[Recipient],
    key_version: str | None,
    now: datetime,
) -> AuditEvent:
    """Tell that every output of a file is committed."""
    return _event(
        "RecordingDelivered",
        landed,
        now,
        {
            "outputs": [asdict(output) for output in outputs],
            "recipients": [recipient_member(recipient) for recipient in recipients] or None,
            "key_version": key_version,
        },
    )


def held(landed: LandedObject, error: HeldError, outputs: Sequence[Output], now: datetime) -> AuditEvent:
    """Tell that a file is held and why. Held again for the same reason by another key, it is another event."""
    return _event(
        "RecordingHeld",
        landed,
        now,
        {
            "outputs": [asdict(output) for output in outputs] or None,
            "key_version": error.key_version,
            "reason": error.reason.value,
            "message": str(error),
        },
        by=(error.reason.value, error.key_version),
    )


def released(landed: LandedObject, reason: str, key_version: str | None, now: datetime) -> AuditEvent:
    """Tell that the cause that a file was held for is gone, and that it is taken up again."""
    return _event(
        "RecordingReleased",
        landed,
        now,
        {"key_version": key_version, "reason": _known(reason)},
        by=(_known(reason), key_version),
    )


def held_too_long(landed: LandedObject, reason: str, days: int, now: datetime) -> AuditEvent:
    """Tell that a file has lain in landing for so many days and is still held: somebody must act."""
    return _event(
        "RecordingHeldTooLong",
        landed,
        now,
        {
            "reason": _known(reason),
            "message": f"The file has been in landing for over {days} day{'s' if days > 1 else ''} and is still held. "
            "Its RecordingHeld event says what is wrong and what to do.",
        },
        by=(days,),
    )


def timestamp(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def recipient_member(recipient: Recipient) -> dict[str, Any]:
    """Return a recipient as a member of an event."""
    return {
        "fingerprint": recipient.fingerprint,
        "subkey": recipient.subkey,
        "kind": recipient.kind,
        "not_after": timestamp(recipient.not_after) if recipient.not_after else None,
    }


def event(detail_type: str, now: datetime, members: dict[str, Any], happened: Sequence[object]) -> AuditEvent:
    """Build an event. Its id is made of what happened, to which thing: repeats share it. Other members are null."""
    detail: dict[str, Any] = {
        "schema": SCHEMA,
        "id": sha256(json.dumps(happened).encode()).hexdigest()[:32],
        "time": timestamp(now),
        "tenant": None,
        "source": None,
        "outputs": None,
        "recipients": None,
        "key_version": None,
        "reason": None,
        "message": None,
        "session": None,
    }
    return AuditEvent(detail_type, detail | members)


def numbered(event: AuditEvent, number: int) -> AuditEvent:
    """Return the event with the id of the same thing happening for another cause; `number` causes came before it.

    0 leaves the id as it is. A repeat must come with the same number.
    """
    if not number:
        return event
    again = sha256(json.dumps([event.id, number]).encode()).hexdigest()[:32]
    return AuditEvent(event.detail_type, event.detail | {"id": again})


def _known(reason: str) -> str | None:
    """Give a reason that a tag names: anybody with access to the bucket could have written something else there."""
    return reason if reason in set(Reason) else None


def _event(
    detail_type: str, landed: LandedObject, now: datetime, members: dict[str, Any], by: Sequence[object] = ()
) -> AuditEvent:
    """Build the event of a landed object; `by` is what, or why."""
    source = {"bucket": landed.bucket, "key": landed.key, "etag": landed.etag, "size": landed.size}
    happened = [detail_type, landed.bucket, landed.key, landed.etag, landed.version_id, *by]
    return event(detail_type, now, {"tenant": tenant_of(landed.key), "source": source} | members, happened)
