"""Share a recording with an address: record the share, and mail its link.

A share is recorded before its mail is sent. The link's secret is in that mail alone: no answer and no table has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from callseal.archive.body import text_of
from callseal.archive.events import Actor, archive_event
from callseal.archive.recording_file import delivery_of
from callseal.archive.session_table import hash_of, new_secret
from callseal.archive.share import Share
from callseal.core.audit import timestamp
from callseal.core.errors import TransientError
from callseal.core.event_types import EventType
from callseal.inbound.http import not_found

if TYPE_CHECKING:
    from callseal.archive.access_trail import AccessTrail
    from callseal.archive.archive_bucket import ArchiveBucket
    from callseal.archive.share_mails import ShareMails
    from callseal.archive.share_table import ShareTable
    from callseal.calls.call_file import CallFile

SHARE = "share"
MAX_ADDRESS, MAX_DAYS = 254, 30
# One address as people have them, in ASCII: no quotes, comments, names, lists, spaces or control characters.
_LOCAL = r"(?![.])(?!.*[.][.])(?!.*[.]@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LAST = r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])"
_ADDRESS = rf"(?!.{{{MAX_ADDRESS + 1}}}){_LOCAL}@(?:{_LABEL}[.])+{_LAST}"
_TEXT = text_of(_ADDRESS, "one e-mail address", len("a@b.cd"), MAX_ADDRESS)


def address(value: Any) -> str:
    """Return an e-mail address in lower case, as events name people. Raise ValueError if it is none."""
    return str(_TEXT.read(value)).lower()


TO = replace(_TEXT, read=address)


@dataclass(frozen=True, slots=True)
class Wish:
    """With whom a recording is shared, for how many days, in which language, and why."""

    to: str
    days: int
    language: str
    reason: str | None = None
    text: str | None = None


class NewShares:
    """Makes shares."""

    def __init__(
        self, shares: ShareTable, bucket: ArchiveBucket, mails: ShareMails, trail: AccessTrail, url: Callable[[], str]
    ) -> None:
        """Take the collaborators. `url` returns the archive's URL."""
        self._shares, self._bucket, self._mails, self._trail, self._url = shares, bucket, mails, trail, url

    def make(self, actor: Actor, call: str, file: CallFile, wish: Wish, now: datetime) -> Share:
        """Share a recording that is not sealed. Raise RefusedRequestError if it is not there, or cannot be shared."""
        self._mails.check()
        etag = self._etag(file)
        url, secret = self._url(), new_secret()
        until = now + timedelta(days=wish.days)
        share = Share(
            id=token_hex(16), tenant=actor.tenant, created=timestamp(now), creator=actor.user,
            to=wish.to, call=call, file=file.n, key=file.key, size=delivery_of(file).size, etag=etag,
            language=wish.language, secret=hash_of(secret), until=int(until.timestamp()),
        )  # fmt: skip
        message = f"Shared with {share.to} until {timestamp(until)}."
        self.record(EventType.SHARE_CREATED, actor, share, now, message=message, reason=wish.reason, text=wish.text)
        self._shares.create(share)
        self._send_link(actor, share, f"{url}/s/{share.id}#{secret}", now)
        return share

    def cancel(self, actor: Actor, share: Share, now: datetime) -> None:
        """Cancel a share."""
        self.record(EventType.SHARE_CANCELLED, actor, share, now)
        self._shares.cancel(share, now)

    def record(self, kind: EventType, actor: Actor, share: Share, now: datetime, **members: Any) -> None:
        """Record what happens to a share."""
        given = {"call": share.call, "file": share.file, "action": SHARE, "share": share.id, **members}
        self._trail.record(archive_event(kind, actor, now, **given))

    def _etag(self, file: CallFile) -> str:
        """Return the etag of a recording's object, which pins the share to it. Raise `NotFound` if it is not there."""
        size, etag = self._bucket.describe(file.key) or (None, "")
        if size != delivery_of(file).size:
            raise not_found()
        return etag

    def _send_link(self, actor: Actor, share: Share, link: str, now: datetime) -> None:
        """Mail the link. If that fails, cancel the share, because its secret is lost."""
        try:
            self._mails.send_link(share, link)
        except TransientError:
            self.cancel(actor, share, now)
            raise
