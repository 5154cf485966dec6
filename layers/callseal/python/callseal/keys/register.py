"""The key register's records: the state of each of a tenant's keys, computed from audit events.

Events may come twice, late, or out of order. Each member of a record is therefore a first or last value, or a function
of the other records. Counts are protected by the events' ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from callseal.core.errors import Reason
from callseal.keys import events

FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A tenant's key, by the fingerprint of what encrypts. A time is RFC 3339 in UTC, or None if it is still to come.

    `primary` is an OpenPGP key's own fingerprint, None for X.509.

    `accepted` is when the present value of the secret was first accepted, and `last_accepted` when it was last
    reported. A version of the secret that was put back keeps its `accepted`, but is in use again. `revoked` is when a
    revocation was last reported.
    """

    fingerprint: str
    primary: str | None = None
    kind: str | None = None
    algorithm: str | None = None
    strength: int | None = None
    first_seen: str | None = None
    accepted: str | None = None
    last_accepted: str | None = None
    proven: str | None = None
    not_after: str | None = None
    revoked: str | None = None
    retired: str | None = None
    secret_version_id: str | None = None
    use_count: int = 0
    last_used: str | None = None


# The members of an event's recipient that its record takes.
MEMBERS = ("kind", "algorithm", "strength", "not_after")
# Uses of a key write USE_MEMBERS, and its own events write LIFE_MEMBERS: neither writer changes the other's.
USE_MEMBERS = frozenset({"use_count", "last_used"})
LIFE_MEMBERS = tuple(field.name for field in fields(KeyRecord) if field.name not in {*USE_MEMBERS, "fingerprint"})


def after(records: Iterable[KeyRecord], detail_type: str, detail: Mapping[str, Any]) -> dict[str, KeyRecord]:
    """Return a tenant's records, by fingerprint, after an event of its keys."""
    by_name = {record.fingerprint: record for record in records}
    for recipient in detail["recipients"] or ():
        record = by_name.get(encrypts_with(recipient), KeyRecord(encrypts_with(recipient)))
        by_name[record.fingerprint] = _updated(record, detail_type, detail, recipient)
        for name in _revoked(by_name.values(), detail_type, detail, recipient):
            record = by_name.get(
                name, KeyRecord(name, recipient["fingerprint"], recipient["kind"], first_seen=detail["time"])
            )
            by_name[name] = replace(record, revoked=_later(record.revoked, detail["time"]))
    return _retired(by_name)


def encrypts_with(recipient: Mapping[str, Any]) -> str:
    """Return the fingerprint of what encrypts, from a recipient in an event."""
    return str(recipient.get("subkey") or recipient["fingerprint"])


def _revoked(
    records: Iterable[KeyRecord], detail_type: str, detail: Mapping[str, Any], recipient: Mapping[str, Any]
) -> Iterable[str]:
    """Return the fingerprints of the parts of a recipient's key that an event reports as revoked.

    A key is rejected as revoked if it is revoked itself, or if no subkey is left. All its parts are revoked then.
    """
    if detail_type == events.REJECTED and detail["reason"] == Reason.KEY_REVOKED:
        mine = {
            record.fingerprint for record in records if recipient["fingerprint"] in (record.primary, record.fingerprint)
        }
        return sorted(mine | {encrypts_with(recipient)})
    return recipient.get("revoked_subkeys") or ()


def _updated(record: KeyRecord, detail_type: str, detail: Mapping[str, Any], recipient: Mapping[str, Any]) -> KeyRecord:
    time, version = detail["time"], detail["key_version"]
    record = replace(record, first_seen=_earlier(record.first_seen, time))
    if record.kind is None or detail_type == events.ACCEPTED:
        primary = recipient["fingerprint"] if recipient.get("subkey") else None
        record = replace(record, primary=primary, **{name: recipient[name] for name in MEMBERS})
    if detail_type == events.ACCEPTED:
        return _accepted(record, time, version)
    if detail_type == events.PROVEN:
        return replace(record, proven=_earlier(record.proven, time))
    return record


def _accepted(record: KeyRecord, time: str, version: str) -> KeyRecord:
    if record.last_accepted and time < record.last_accepted:
        return record  # an older event that arrives late
    accepted = record.accepted if record.secret_version_id == version else None
    revoked = record.revoked if record.revoked and record.revoked > time else None
    return replace(record, accepted=accepted or time, last_accepted=time, secret_version_id=version, revoked=revoked)


def _retired(records: dict[str, KeyRecord]) -> dict[str, KeyRecord]:
    """Retire every key that was accepted before another one. The key that was accepted last is in use."""
    newest = max((record.last_accepted for record in records.values() if record.last_accepted), default=None)
    done = {}
    for fingerprint, record in records.items():
        retired = record.retired
        if record.last_accepted == newest:
            retired = None
        elif record.last_accepted and (retired is None or retired < record.last_accepted):
            retired = newest
        done[fingerprint] = replace(record, retired=retired)
    return done


def _earlier(known: str | None, new: str) -> str:
    return min(known, new) if known else new


def _later(known: str | None, new: str) -> str:
    return max(known, new) if known else new
