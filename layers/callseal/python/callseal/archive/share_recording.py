"""The routes by which users share recordings: share one, list shares, cancel one.

A share is recorded before its mail is sent. The link's secret is in that mail alone: no answer and no table has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from callseal.archive.body import REASON, TEXT, choice, line, read_body, text_of, whole
from callseal.archive.events import archive_event
from callseal.archive.recording_file import MAX_FILES, is_erased_soon, is_sealed, recording, sealed_refusal
from callseal.archive.session_table import hash_of, new_secret
from callseal.archive.share import Share
from callseal.archive.share_texts import TEXTS
from callseal.archive.visit import CallAccess, Visit, Visits
from callseal.core.audit import timestamp
from callseal.core.errors import TransientError
from callseal.core.event_types import EventType
from callseal.inbound.http import Answer, Request, Route, not_found

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
_TO = text_of(_ADDRESS, "one e-mail address", len("a@b.cd"), MAX_ADDRESS)


def _address(value: Any) -> str:
    """Return an e-mail address in lower case, as events name people. Raise ValueError if it is none."""
    return str(_TO.read(value)).lower()


NEW_SHARE = {
    "call": line(200),
    "file": whole(0, MAX_FILES),
    "to": replace(_TO, read=_address),
    "days": whole(1, MAX_DAYS),
    "language": choice(*TEXTS),
    "reason": REASON,
    "text": TEXT,
}


class ShareRoutes:
    """Answers the routes."""

    def __init__(
        self, visits: Visits, calls: CallAccess, shares: ShareTable, bucket: ArchiveBucket, mails: ShareMails,
        trail: AccessTrail, url: Callable[[], str],
    ) -> None:  # fmt: skip
        """Take the collaborators. `url` returns the archive's URL."""
        self._visits, self._calls, self._shares, self._bucket = visits, calls, shares, bucket
        self._mails, self._trail, self._url = mails, trail, url

    @property
    def routes(self) -> Mapping[str, Route]:
        """The routes."""
        return {
            "POST /api/shares": self.create,
            "GET /api/shares": self.all,
            "DELETE /api/shares/{id}": self.cancel,
        }

    def create(self, request: Request) -> Answer:
        """Share a recording with an address: record it, and mail the link."""
        visit, asked = self._visits.visit(request), read_body(request, NEW_SHARE)
        facts = {"file": asked["file"], "reason": asked["reason"], "text": asked["text"] or None}
        file = self._sharable(visit, asked["call"], facts)
        self._mails.check()
        etag = self._etag(file)
        url, secret = self._url(), new_secret()
        until = visit.now + timedelta(days=asked["days"])
        share = Share(
            id=token_hex(16), tenant=visit.tenant, created=timestamp(visit.now), creator=visit.user.email,
            to=asked["to"], call=asked["call"], file=file.n, key=file.key, size=_size(file), etag=etag,
            language=asked["language"], secret=hash_of(secret), until=int(until.timestamp()),
        )  # fmt: skip
        message = f"Shared with {share.to} until {timestamp(until)}."
        self._record(EventType.SHARE_CREATED, visit, share, message=message, **facts)
        self._shares.create(share)
        self._send_link(visit, share, f"{url}/s/{share.id}#{secret}")
        return Answer(HTTPStatus.CREATED, {"share": share.public(visit.now)})

    def all(self, request: Request) -> Answer:
        """Return the user's shares, newest first, or all of the tenant's if the user may share any call of it."""
        visit = self._visits.visit(request)
        shares = self._shares.of_tenant(visit.tenant, None if _sees_all(visit) else visit.user.email)
        return Answer(body={"shares": [share.public(visit.now) for share in shares]})

    def cancel(self, request: Request) -> Answer:
        """Cancel a share that the user sees. One that has ended stays as it is."""
        visit = self._visits.visit(request)
        share = self._shares.find(request.path["id"])
        if share is None or share.tenant != visit.tenant:
            raise not_found()
        if share.creator != visit.user.email and not _sees_all(visit):
            raise not_found()
        if share.state(visit.now) in ("active", "locked"):
            self._record(EventType.SHARE_CANCELLED, visit, share)
            self._shares.cancel(share, visit.now)
        return Answer(HTTPStatus.NO_CONTENT)

    def _sharable(self, visit: Visit, call: str, facts: dict[str, Any]) -> CallFile:
        """Return the recording if the user may share it. Otherwise refuse it."""
        card = self._calls.allowed(visit, call, SHARE, **facts)
        if refused := is_erased_soon(card):
            raise refused
        file = recording(card, facts["file"])
        if is_sealed(file):
            raise sealed_refusal(file)
        if SHARE in visit.access.reason_for and not facts["reason"]:
            sentence = "State a reason: your administrator wants one for this."
            raise self._calls.refused(visit, call, SHARE, "ReasonRequired", sentence=sentence, **facts)
        return file

    def _etag(self, file: CallFile) -> str:
        """Return the etag of a recording's object, which pins the share to it. Raise `NotFound` if it is not there."""
        size, etag = self._bucket.describe(file.key) or (None, "")
        if size != _size(file):
            raise not_found()
        return etag

    def _send_link(self, visit: Visit, share: Share, link: str) -> None:
        """Mail the link. If that fails, cancel the share, because its secret is lost."""
        try:
            self._mails.send_link(share, link)
        except TransientError:
            self._record(EventType.SHARE_CANCELLED, visit, share)
            self._shares.cancel(share, visit.now)
            raise

    def _record(self, kind: EventType, visit: Visit, share: Share, **members: Any) -> None:
        given = {"call": share.call, "file": share.file, "action": SHARE, "share": share.id, **members}
        self._trail.record(archive_event(kind, visit.actor, visit.now, **given))


def _sees_all(visit: Visit) -> bool:
    return visit.has_unlimited(SHARE)


def _size(file: CallFile) -> int:
    return file.current.size if file.current else 0
