"""Audit events of landed files, and the parts of all audit events. `keys.events` and `sftp.events` build the others.

`core.event_types` is their catalogue, schemas/audit-event.schema.json the schema of their `detail`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from callseal.core.errors import HeldError, Reason
from callseal.core.event_types import EventType
from callseal.core.landing import LandedObject, tenant_of
from callseal.core.recipient import Recipient

SOURCE = "callseal"
SCHEMA = 1
LAW_MEMBERS = ("request", "hold", "counts", "object", "sha256", "state", "until")


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """An event for the bus: its detail-type, and the members of its detail."""

    detail_type: str
    detail: dict[str, Any]

    @property
    def id(self) -> str:
        """The event's deterministic id."""
        return str(self.detail["id"])


@dataclass(frozen=True, slots=True)
class Output:
    """A committed output.

    `size` is in bytes. `sha256` is of the sealed bytes, None if plain. `sealed` is as in the object's metadata.
    `version` is the object's version, None if the bucket has no versions.
    """

    destination: str
    bucket: str
    key: str
    size: int
    sha256: str | None
    sealed: str
    version: str | None = None


def delivered(
    landed: LandedObject,
    outputs: Sequence[Output],
    recipients: Sequence[Recipient],
    key_version: str | None,
    now: datetime,
    policy: Mapping[str, object] | None = None,
    law: Mapping[str, object] | None = None,
) -> AuditEvent:
    """Return the event of a file whose outputs are all committed. `law.until` is when their first lock ends."""
    return _event(
        EventType.RECORDING_DELIVERED,
        landed,
        now,
        {
            "outputs": [asdict(output) for output in outputs],
            "recipients": [recipient_member(recipient) for recipient in recipients] or None,
            "key_version": key_version,
            "policy": policy,
            "law": law,
        },
    )


def held(landed: LandedObject, error: HeldError, outputs: Sequence[Output], now: datetime) -> AuditEvent:
    """Return the event of a held file. A hold for the same reason has another id if the cause or the key differs."""
    causes = (error.cause,) if error.cause else ()
    return _event(
        EventType.RECORDING_HELD,
        landed,
        now,
        {
            "outputs": [asdict(output) for output in outputs] or None,
            "key_version": error.key_version,
            "reason": error.reason.value,
            "message": str(error),
            "policy": error.policy,
        },
        by=(error.reason.value, error.key_version, *causes),
    )


def released(landed: LandedObject, reason: str, key_version: str | None, now: datetime) -> AuditEvent:
    """Return the event of a file that is processed again, because the cause of its hold is gone."""
    return _event(
        EventType.RECORDING_RELEASED,
        landed,
        now,
        {"key_version": key_version, "reason": _known(reason)},
        by=(_known(reason), key_version),
    )


def held_too_long(landed: LandedObject, reason: str, days: int, now: datetime) -> AuditEvent:
    """Return the event of a file that is still held after `days` in landing: an operator must act."""
    return _event(
        EventType.RECORDING_HELD_TOO_LONG,
        landed,
        now,
        {
            "reason": _known(reason),
            "message": f"The file has been in landing for over {days} day{'s' if days > 1 else ''} and is still held. "
            "Its RecordingHeld event says what is wrong and what to do.",
        },
        by=(days,),
    )


def erased(landed: LandedObject, held: HeldError, now: datetime) -> AuditEvent:
    """Return the event of a held file that is deleted, because the tenant's policy says that it must not be kept.

    A file is erased once, so the event has the same id whatever the policy's present reason is.
    """
    rule = (held.policy or {}).get("rule")
    return _event(
        EventType.RECORDING_ERASED,
        landed,
        now,
        {
            "reason": held.reason.value,
            "message": f"The rule {rule} of the tenant's policy holds the file as {held.reason}, and the file is older "
            "than the setting denied_erase_after. It is deleted from the landing bucket.",
            "policy": held.policy,
        },
    )


def metadata_unreadable(landed: LandedObject, why: str, now: datetime) -> AuditEvent:
    """Return the event of a metadata file that cannot be read; `why` repeats nothing of the file."""
    return _event(EventType.METADATA_UNREADABLE, landed, now, {"message": why})


def timestamp(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC, with milliseconds."""
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
    """Return an event; members that are not given are null.

    The id is a hash of `happened`, which names what happened and to which object or key, so a repeat has the same id.
    """
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
        "policy": None,
        "archive": None,
        "law": None,
    }
    return AuditEvent(detail_type, detail | members)


def law_member(**members: object) -> dict[str, Any]:
    """Return the member `law` of an event; members that are not given are null."""
    return dict.fromkeys(LAW_MEMBERS) | members


def numbered(event: AuditEvent, number: int) -> AuditEvent:
    """Return the event with an id of its own for a further cause; `number` is how many causes came before.

    The first cause, 0, leaves the id as it is. A repeat must have the same number.
    """
    if not number:
        return event
    again = sha256(json.dumps([event.id, number]).encode()).hexdigest()[:32]
    return AuditEvent(event.detail_type, event.detail | {"id": again})


def _known(reason: str) -> str | None:
    """Return the reason that a tag names, or None: other writers to the bucket can set the tag to any text."""
    return reason if reason in set(Reason) else None


def _event(
    detail_type: str, landed: LandedObject, now: datetime, members: dict[str, Any], by: Sequence[object] = ()
) -> AuditEvent:
    """Return the event of a landed object; `by` distinguishes events of one type and object."""
    source = {"bucket": landed.bucket, "key": landed.key, "etag": landed.etag, "size": landed.size}
    happened = [detail_type, landed.bucket, landed.key, landed.etag, landed.version_id, *by]
    return event(detail_type, now, {"tenant": tenant_of(landed.key), "source": source} | members, happened)
