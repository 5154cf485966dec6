"""Which of a tenant's keys a recording is sealed to, where its settings ask for proof or for an overlap.

The secret's current version is the answer, unless it is unproven: then the last version that is proven. During an
overlap the version before it is sealed to as well. A version is named here; whether its keys are good is judged anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from callseal.audit import timestamp
from callseal.keys.register import Row
from callseal.recipients.model import MAX_RECIPIENTS, CmsRecipients, OpenPgpRecipients, Recipients

# Enough for a rotation or two that went wrong; each costs a request.
MAX_FALLBACKS = 3


def unproven(recipients: Recipients, rows: Iterable[Row]) -> list[str]:
    """List the fingerprints of those whose tenant has not shown yet that it can open what is sealed to them."""
    proven = {row.fingerprint for row in rows if row.proven}
    return [member.fingerprint for member in recipients.members if member.fingerprint not in proven]


def proven_versions(rows: Iterable[Row], version: str) -> list[str]:
    """List the other versions of the secret that hold a proven key, the last accepted first."""
    usable = [row for row in rows if row.proven and row.accepted and not row.revoked]
    usable.sort(key=lambda row: row.accepted or "", reverse=True)
    versions = dict.fromkeys(row.secret_version_id for row in usable if row.secret_version_id)
    return [one for one in versions if one != version][:MAX_FALLBACKS]


def previous_version(recipients: Recipients, version: str, rows: Sequence[Row], days: int, now: datetime) -> str | None:
    """Name the version that was in use before this one, while the overlap since this one was accepted lasts.

    A version that was put back is no new value: it counts from when it was first accepted, and what came after it was
    taken back, so it is sealed to no more.
    """
    since = _accepted(recipients, version, rows)
    if since and since <= timestamp(now - timedelta(days=days)):
        return None
    mine = {member.fingerprint for member in recipients.members}
    before = [
        row
        for row in rows
        if row.accepted
        and (since is None or row.accepted < since)
        and row.fingerprint not in mine
        and row.secret_version_id != version
    ]
    last = max(before, key=lambda row: row.accepted or "", default=None)
    return None if last is None or last.revoked else last.secret_version_id


def both(new: Recipients, previous: Recipients) -> Recipients:
    """Give the recipients of the new key and the previous one; the new one's where one message cannot have both."""
    mine = {member.fingerprint for member in new.members}
    if len(mine | {member.fingerprint for member in previous.members}) > MAX_RECIPIENTS:
        return new
    if isinstance(new, CmsRecipients) and isinstance(previous, CmsRecipients):
        return CmsRecipients((*new.members, *(one for one in previous.members if one.fingerprint not in mine)))
    if isinstance(new, OpenPgpRecipients) and isinstance(previous, OpenPgpRecipients):
        others = tuple(one for one in previous.members if one.fingerprint not in mine)
        # The new one's come first: gpg takes the first of a name that it finds.
        return OpenPgpRecipients((*new.members, *others), new.keyring + previous.keyring)
    return new


def _accepted(recipients: Recipients, version: str, rows: Iterable[Row]) -> str | None:
    """Tell when a version was accepted; None where the register has not heard of it yet: just now."""
    by_name = {row.fingerprint: row for row in rows}
    found = [by_name.get(member.fingerprint) for member in recipients.members]
    if any(row is None or row.accepted is None or row.secret_version_id != version for row in found):
        return None
    return max(row.accepted for row in found if row and row.accepted)
