"""Audit events of a tenant's keys. Their ids are made of what happened to which key, so that repeats share them."""

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
    """What a version of a tenant's secret was found to hold: its keys as far as they can be told."""

    tenant: str
    version: str | None
    keys: Sequence[Recipient]

    @property
    def names(self) -> list[str]:
        """The fingerprints of what the keys encrypt with."""
        return [key.encrypts_with for key in self.keys]


def accepted(judged: KeyVerdict, message: str, now: datetime) -> AuditEvent:
    """Tell that a tenant's key is good: recordings can be sealed to it."""
    return _event(ACCEPTED, judged, now, message, by=judged.names)


def rejected(judged: KeyVerdict, held: HeldError, now: datetime) -> AuditEvent:
    """Tell that nothing can be sealed to a tenant's key, and why; of a private key nothing is told but that it is."""
    return _event(REJECTED, judged, now, str(held), held.reason.value, by=(*judged.names, held.reason.value))


def expiring(judged: KeyVerdict, key: Recipient, days: int, now: datetime) -> AuditEvent:
    """Tell that a key runs out within so many days."""
    message = (
        f"Key {key.fingerprint} runs out on {key.not_after:%Y-%m-%d %H:%M} UTC, in {days} day{'s' if days > 1 else ''} "
        "or less; from then on recordings are held. Ask the tenant for its successor, and paste that into the secret."
    )
    one = KeyVerdict(judged.tenant, judged.version, [key])
    return _event(EXPIRING, one, now, message, by=(key.encrypts_with, days, recipient_member(key)["not_after"]))


def proven(judged: KeyVerdict, now: datetime) -> AuditEvent:
    """Tell that a tenant has opened what was sealed to its key."""
    message = "The tenant has opened the challenge, and its code came back. Recordings are sealed to this key."
    return _event(PROVEN, judged, now, message, by=judged.names)


def proof_refused(judged: KeyVerdict, why: str, answer: str, now: datetime) -> AuditEvent:
    """Tell that an answer to a challenge was refused; `answer` names the object that it came in, never the code."""
    message = f"An answer to the key check was refused: {why}."
    reason = Reason.KEY_UNPROVEN.value
    return _event(PROOF_REFUSED, judged, now, message, reason, by=(*judged.names, answer))


def _event(
    detail_type: str,
    judged: KeyVerdict,
    now: datetime,
    message: str,
    reason: str | None = None,
    *,
    by: Sequence[object],
) -> AuditEvent:
    members: dict[str, Any] = {
        "tenant": judged.tenant,
        "recipients": [
            recipient_member(key)
            | {
                "algorithm": key.algorithm,
                "strength": key.strength,
                "revoked_subkeys": list(key.revoked_subkeys) or None,
            }
            for key in judged.keys
        ]
        or None,
        "key_version": judged.version,
        "reason": reason,
        "message": message,
    }
    return event(detail_type, now, members, [detail_type, judged.tenant, judged.version, *by])
