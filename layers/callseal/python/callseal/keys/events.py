"""Audit events of a tenant's keys. Their ids are a hash of what happened to which key, so repeats have the same id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callseal.core.audit import AuditEvent, event, recipient_member
from callseal.core.errors import HeldError, Reason
from callseal.core.event_types import EventType
from callseal.core.recipient import Recipient

ACCEPTED, REJECTED, EXPIRING = EventType.KEY_ACCEPTED, EventType.KEY_REJECTED, EventType.KEY_EXPIRING
PROVEN, PROOF_REFUSED = EventType.KEY_PROVEN, EventType.KEY_PROOF_REFUSED


@dataclass(frozen=True, slots=True)
class KeyVerdict:
    """The keys that a version of a tenant's secret was found to have, as far as they can be read."""

    tenant: str
    version: str | None
    keys: Sequence[Recipient]

    @property
    def names(self) -> list[str]:
        """The fingerprints of what the keys encrypt with."""
        return [key.encrypts_with for key in self.keys]


def accepted(verdict: KeyVerdict, message: str, now: datetime) -> AuditEvent:
    """Return the event that a tenant's key is valid: recordings can be sealed to it."""
    return _event(ACCEPTED, verdict, now, message, by=verdict.names)


def rejected(verdict: KeyVerdict, held: HeldError, now: datetime) -> AuditEvent:
    """Return the event that a tenant's key is rejected, with the reason. Of a private key it has no details."""
    return _event(REJECTED, verdict, now, str(held), held.reason.value, by=(*verdict.names, held.reason.value))


def expiring(verdict: KeyVerdict, key: Recipient, days: int, now: datetime) -> AuditEvent:
    """Return the event that a key expires within the given number of days."""
    message = (
        f"Key {key.fingerprint} expires on {key.not_after:%Y-%m-%d %H:%M} UTC, in {days} day{'s' if days > 1 else ''} "
        "or less. From then on recordings are held. Ask the tenant for a new key, and paste it into the secret."
    )
    of_key = KeyVerdict(verdict.tenant, verdict.version, [key])
    return _event(EXPIRING, of_key, now, message, by=(key.encrypts_with, days, recipient_member(key)["not_after"]))


def proven(verdict: KeyVerdict, now: datetime) -> AuditEvent:
    """Return the event that a tenant has opened what was sealed to its key."""
    message = "The tenant has opened the challenge and returned its code. Recordings are sealed to this key."
    return _event(PROVEN, verdict, now, message, by=verdict.names)


def proof_refused(verdict: KeyVerdict, why: str, answer: str, now: datetime) -> AuditEvent:
    """Return the event that an answer was refused; `answer` identifies the answer's object, never the code."""
    message = f"An answer to the key check was refused: {why}."
    reason = Reason.KEY_UNPROVEN.value
    return _event(PROOF_REFUSED, verdict, now, message, reason, by=(*verdict.names, answer))


def _event(
    detail_type: str,
    verdict: KeyVerdict,
    now: datetime,
    message: str,
    reason: str | None = None,
    *,
    by: Sequence[object],
) -> AuditEvent:
    members: dict[str, Any] = {
        "tenant": verdict.tenant,
        "recipients": [
            recipient_member(key)
            | {
                "algorithm": key.algorithm,
                "strength": key.strength,
                "revoked_subkeys": list(key.revoked_subkeys) or None,
            }
            for key in verdict.keys
        ]
        or None,
        "key_version": verdict.version,
        "reason": reason,
        "message": message,
    }
    return event(detail_type, now, members, [detail_type, verdict.tenant, verdict.version, *by])
