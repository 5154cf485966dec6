"""The audit event of a delivered file: its committed outputs, whom they are sealed to, and the policy's ruling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from callseal.calls.call_policy import Ruling
from callseal.core import audit
from callseal.core.audit import AuditEvent, Output
from callseal.core.landing import LandedObject
from callseal.core.recipient import Recipient
from callseal.core.stored import StoredObject

if TYPE_CHECKING:
    from callseal.delivery.commit import Progress
    from callseal.tenants.directory import KeyVersion

# Returns the SHA-256 of a sealed output, in hex.
Hash = Callable[[StoredObject, "Progress"], str]


def delivered_event(
    landed: LandedObject,
    progress: Progress,
    sha256: Hash,
    key: KeyVersion | None,
    ruling: Ruling | None,
    now: datetime,
) -> AuditEvent:
    """Return the event of a file with all its outputs. `key` and `ruling` are what it was delivered by, if known."""
    recipients, key_version = _sealed_to(progress, key)
    policy = ruling.member() if ruling else None
    untils = [stored.locked_until for _, stored in progress.outputs if stored.locked_until]
    law = audit.law_member(until=max(untils)) if untils else None
    return audit.delivered(landed, outputs_of(progress, sha256), recipients, key_version, now, policy, law)


def outputs_of(progress: Progress, sha256: Hash) -> list[Output]:
    """Return the committed outputs as members of an event. A plain output has no hash."""
    return [
        Output(
            destination,
            stored.address.bucket,
            stored.address.key,
            stored.size,
            sha256(stored, progress) if stored.is_sealed else None,
            stored.sealed,
            stored.version,
        )
        for destination, stored in progress.outputs
    ]


def _sealed_to(progress: Progress, key: KeyVersion | None) -> tuple[Sequence[Recipient], str | None]:
    """Return the recipients of the outputs, and the version of the secret that has exactly these, if known.

    The recipients come from the outputs' metadata, which may be from before a rotation.
    """
    sealed = [recipient for _, stored in progress.outputs for recipient in stored.recipients]
    names = {(recipient.fingerprint, recipient.subkey): recipient for recipient in sealed}
    current = {(member.fingerprint, member.subkey): member for member in key.recipients.members} if key else {}
    recipients = [current.get(name) or recipient for name, recipient in names.items()]
    # If the outputs have other recipients than the key, the version of the secret with these is unknown.
    return recipients, key.version if key and list(names) == list(current) else None
