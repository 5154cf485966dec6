"""The key register's rows: what became of each key of a tenant, from the audit events that tell it.

A row is written by events that may come twice, late, or out of order, so everything in it is a first, a last, or a
function of the other rows; counts are guarded by the events' ids.
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
    """A key of a tenant, by the fingerprint of what encrypts; moments as RFC 3339 in UTC, None for not (yet).

    `primary` is an OpenPGP key's own fingerprint, None for X.509.

    `accepted` is when the value that holds it was first accepted, `last_accepted` when that was last told: a version of
    the secret that was put back counts from its own first day, but is in use again. `revoked` is what was told of it.
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


# What an event's recipient says of its row.
MEMBERS = ("kind", "algorithm", "strength", "not_after")
# What the uses of a key change, and what its own events change: two writers that leave each other's members alone.
USE_MEMBERS = frozenset({"use_count", "last_used"})
LIFE_MEMBERS = tuple(field.name for field in fields(KeyRecord) if field.name not in {*USE_MEMBERS, "fingerprint"})


def after(rows: Iterable[KeyRecord], detail_type: str, detail: Mapping[str, Any]) -> dict[str, KeyRecord]:
    """Give a tenant's rows, by fingerprint, as they are after an event of its keys."""
    known = {row.fingerprint: row for row in rows}
    for told in detail["recipients"] or ():
        row = known.get(encrypts_with(told), KeyRecord(encrypts_with(told)))
        known[row.fingerprint] = _told(row, detail_type, detail, told)
        for name in _revoked(known.values(), detail_type, detail, told):
            row = known.get(name, KeyRecord(name, told["fingerprint"], told["kind"], first_seen=detail["time"]))
            known[name] = replace(row, revoked=_later(row.revoked, detail["time"]))
    return _retired(known)


def encrypts_with(recipient: Mapping[str, Any]) -> str:
    """Return the fingerprint of what encrypts, from a recipient in an event."""
    return str(recipient.get("subkey") or recipient["fingerprint"])


def _revoked(
    rows: Iterable[KeyRecord], detail_type: str, detail: Mapping[str, Any], told: Mapping[str, Any]
) -> Iterable[str]:
    """Return the names of the parts of a recipient's key that an event reports as revoked.

    A key is rejected as revoked if it is revoked itself, or if no subkey is left: all its parts are revoked then.
    """
    if detail_type == events.REJECTED and detail["reason"] == Reason.KEY_REVOKED:
        mine = {row.fingerprint for row in rows if told["fingerprint"] in (row.primary, row.fingerprint)}
        return sorted(mine | {encrypts_with(told)})
    return told.get("revoked_subkeys") or ()


def _told(row: KeyRecord, detail_type: str, detail: Mapping[str, Any], told: Mapping[str, Any]) -> KeyRecord:
    time, version = detail["time"], detail["key_version"]
    row = replace(row, first_seen=_earlier(row.first_seen, time))
    if row.kind is None or detail_type == events.ACCEPTED:
        primary = told["fingerprint"] if told.get("subkey") else None
        row = replace(row, primary=primary, **{name: told[name] for name in MEMBERS})
    if detail_type == events.ACCEPTED:
        return _accepted(row, time, version)
    if detail_type == events.PROVEN:
        return replace(row, proven=_earlier(row.proven, time))
    return row


def _accepted(row: KeyRecord, time: str, version: str) -> KeyRecord:
    if row.last_accepted and time < row.last_accepted:
        return row  # an older event that comes late
    accepted = row.accepted if row.secret_version_id == version else None
    revoked = row.revoked if row.revoked and row.revoked > time else None
    return replace(row, accepted=accepted or time, last_accepted=time, secret_version_id=version, revoked=revoked)


def _retired(rows: dict[str, KeyRecord]) -> dict[str, KeyRecord]:
    """Retire every key that another one was accepted after; the one that was accepted last is in use."""
    newest = max((row.last_accepted for row in rows.values() if row.last_accepted), default=None)
    done = {}
    for fingerprint, row in rows.items():
        retired = row.retired
        if row.last_accepted == newest:
            retired = None
        elif row.last_accepted and (retired is None or retired < row.last_accepted):
            retired = newest
        done[fingerprint] = replace(row, retired=retired)
    return done


def _earlier(one: str | None, other: str) -> str:
    return min(one, other) if one else other


def _later(one: str | None, other: str) -> str:
    return max(one, other) if one else other
