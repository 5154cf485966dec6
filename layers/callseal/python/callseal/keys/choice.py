"""The choice of the key that recordings are sealed to, for tenants that require proof or have an overlap.

The secret's current version is chosen unless it is unproven. Then the last proven version is chosen. During an overlap,
recordings are sealed to the previous version as well. These functions choose a version: its keys are validated later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from callseal.core.audit import timestamp
from callseal.core.recipient import MAX_RECIPIENTS, CmsRecipients, OpenPgpRecipients, Recipients
from callseal.keys.register import KeyRecord

# Enough for one or two failed rotations. Each version costs a request.
MAX_FALLBACKS = 3


def unproven(recipients: Recipients, records: Iterable[KeyRecord]) -> list[str]:
    """Return the fingerprints of what encrypts and is unproven.

    A new subkey is unproven, whatever was proven of its primary key.
    """
    proven = {record.fingerprint for record in records if record.proven}
    return [member.encrypts_with for member in recipients.members if member.encrypts_with not in proven]


def proven_versions(records: Iterable[KeyRecord], version: str) -> list[str]:
    """Return the other versions of the secret that have a proven key, the last accepted first."""
    usable = [record for record in records if record.proven and record.accepted and not record.revoked]
    usable.sort(key=lambda record: record.accepted or "", reverse=True)
    versions = dict.fromkeys(record.secret_version_id for record in usable if record.secret_version_id)
    return [other for other in versions if other != version][:MAX_FALLBACKS]


def previous_version(
    recipients: Recipients, version: str, records: Sequence[KeyRecord], days: int, now: datetime
) -> str | None:
    """Return the id of the version before this one during the overlap, else None.

    The overlap begins when this version was accepted. A version that was put back counts from its first acceptance. The
    version that it replaces was withdrawn, so recordings are not sealed to that one any more.
    """
    since = _accepted(recipients, version, records)
    if since and since <= timestamp(now - timedelta(days=days)):
        return None
    mine = names(recipients)
    before = [
        record
        for record in records
        if record.accepted
        and (since is None or record.accepted < since)
        and record.fingerprint not in mine
        and record.secret_version_id != version
    ]
    last = max(before, key=lambda record: record.accepted or "", default=None)
    return None if last is None or last.revoked else last.secret_version_id


def names(recipients: Recipients) -> set[str]:
    """Return the fingerprints of what encrypts."""
    return {member.encrypts_with for member in recipients.members}


def both(new: Recipients, previous: Recipients) -> Recipients:
    """Return the recipients of the new key and the previous one, or the new one's if one message cannot have both.

    An OpenPGP `previous` is judged after `new` (`recipients.openpgp.judge_after`), so its keyring has both.
    """
    mine = names(new)
    if len(mine | names(previous)) > MAX_RECIPIENTS:
        return new
    if isinstance(new, CmsRecipients) and isinstance(previous, CmsRecipients):
        certificates = tuple(member for member in previous.members if member.encrypts_with not in mine)
        return replace(new, members=(*new.members, *certificates))
    if isinstance(new, OpenPgpRecipients) and isinstance(previous, OpenPgpRecipients):
        keys = tuple(member for member in previous.members if member.encrypts_with not in mine)
        return replace(new, members=(*new.members, *keys), keyring=previous.keyring)
    return new


def _accepted(recipients: Recipients, version: str, records: Iterable[KeyRecord]) -> str | None:
    """Return when a version was accepted, None if the register does not have it yet because that was just now."""
    by_name = {record.fingerprint: record for record in records}
    found = [by_name.get(member.encrypts_with) for member in recipients.members]
    if any(record is None or record.accepted is None or record.secret_version_id != version for record in found):
        return None
    return max(record.accepted for record in found if record and record.accepted)
