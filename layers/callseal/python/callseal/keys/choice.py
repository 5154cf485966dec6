"""Which of a tenant's keys a recording is sealed to, where its settings ask for proof or for an overlap.

The secret's current version is the answer, unless it is unproven: then the last version that is proven. During an
overlap the version before it is sealed to as well. A version is named here; whether its keys are good is judged anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from callseal.core.audit import timestamp
from callseal.core.recipient import MAX_RECIPIENTS, CmsRecipients, OpenPgpRecipients, Recipients
from callseal.keys.register import KeyRecord

# Enough for a rotation or two that went wrong; each costs a request.
MAX_FALLBACKS = 3


def unproven(recipients: Recipients, rows: Iterable[KeyRecord]) -> list[str]:
    """Return the fingerprints of what encrypts and is unproven; a new subkey is, whatever was proven of its primary."""
    proven = {row.fingerprint for row in rows if row.proven}
    return [member.encrypts_with for member in recipients.members if member.encrypts_with not in proven]


def proven_versions(rows: Iterable[KeyRecord], version: str) -> list[str]:
    """List the other versions of the secret that hold a proven key, the last accepted first."""
    usable = [row for row in rows if row.proven and row.accepted and not row.revoked]
    usable.sort(key=lambda row: row.accepted or "", reverse=True)
    versions = dict.fromkeys(row.secret_version_id for row in usable if row.secret_version_id)
    return [one for one in versions if one != version][:MAX_FALLBACKS]


def previous_version(
    recipients: Recipients, version: str, rows: Sequence[KeyRecord], days: int, now: datetime
) -> str | None:
    """Name the version that was in use before this one, while the overlap since this one was accepted lasts.

    A version that was put back is no new value: it counts from when it was first accepted, and what came after it was
    taken back, so it is sealed to no more.
    """
    since = _accepted(recipients, version, rows)
    if since and since <= timestamp(now - timedelta(days=days)):
        return None
    mine = names(recipients)
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


def names(recipients: Recipients) -> set[str]:
    """Return the fingerprints of what encrypts."""
    return {member.encrypts_with for member in recipients.members}


def both(new: Recipients, previous: Recipients) -> Recipients:
    """Return the recipients of the new key and the previous one; the new one's if one message cannot have both.

    An OpenPGP `previous` is judged after `new` (`recipients.openpgp.judge_after`), so its keyring has both.
    """
    mine = names(new)
    if len(mine | names(previous)) > MAX_RECIPIENTS:
        return new
    if isinstance(new, CmsRecipients) and isinstance(previous, CmsRecipients):
        return replace(new, members=(*new.members, *(one for one in previous.members if one.encrypts_with not in mine)))
    if isinstance(new, OpenPgpRecipients) and isinstance(previous, OpenPgpRecipients):
        others = tuple(one for one in previous.members if one.encrypts_with not in mine)
        return replace(new, members=(*new.members, *others), keyring=previous.keyring)
    return new


def _accepted(recipients: Recipients, version: str, rows: Iterable[KeyRecord]) -> str | None:
    """Tell when a version was accepted; None where the register has not heard of it yet: just now."""
    by_name = {row.fingerprint: row for row in rows}
    found = [by_name.get(member.encrypts_with) for member in recipients.members]
    if any(row is None or row.accepted is None or row.secret_version_id != version for row in found):
        return None
    return max(row.accepted for row in found if row and row.accepted)
