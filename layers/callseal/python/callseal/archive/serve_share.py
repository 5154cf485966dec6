"""The routes of a share's recipient, who has no account: ask for a code, open the share with it, listen.

What does not exist, has ended or is not the recipient's has one answer, after one read of the table and at one time.
Opening needs the link's secret, a code that was mailed to the share's address, and the browser that asked for it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from hmac import compare_digest
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from callseal.archive.archive_bucket import ArchiveBucket, RecordingGoneError
from callseal.archive.body import line, optional, read_body
from callseal.archive.byte_range import parse_range
from callseal.archive.events import Actor, archive_event
from callseal.archive.recording_file import is_erased_soon, is_sealed, media_type, recording
from callseal.archive.session_table import hash_of, new_secret
from callseal.archive.sessions import set_cookie
from callseal.archive.share import MAX_TRIES, Share, browser_hash, code_mac, new_code
from callseal.archive.visit import refusal
from callseal.core.audit import timestamp
from callseal.core.errors import TransientError
from callseal.core.event_types import EventType
from callseal.core.stored import PLAIN
from callseal.inbound.http import Answer, RefusedRequestError, Request, Route, not_found

if TYPE_CHECKING:
    from callseal.archive.access import Terms
    from callseal.archive.access_settings import AccessSettings
    from callseal.archive.access_trail import AccessTrail
    from callseal.archive.share_mails import ShareMails
    from callseal.archive.share_table import ShareTable
    from callseal.calls.call_file import CallFile
    from callseal.calls.card_table import CardTable
    from callseal.core.clock import Clock

COOKIE = "__Host-callseal-share"
_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
# Longer than the one read of a refused request usually takes.
ANSWER_SECONDS = 0.3
# Of several requests for codes at once, each reads the share again until its write fits.
ISSUE_ATTEMPTS = 12
NO_SECRET = hash_of("")
SECRET = line(200)
ASK, OPEN = {"secret": SECRET}, {"secret": SECRET, "code": line(40), "terms": optional(line(200))}


class SharedRoutes:
    """Answers the routes."""

    def __init__(
        self, shares: ShareTable, cards: CardTable, bucket: ArchiveBucket, access: AccessSettings, mails: ShareMails,
        trail: AccessTrail, clock: Clock, wait: Callable[[float], None],
    ) -> None:  # fmt: skip
        """Take the collaborators. `wait` is called with the seconds that remain until ANSWER_SECONDS."""
        self._shares, self._cards, self._bucket, self._access = shares, cards, bucket, access
        self._mails, self._trail, self._clock, self._wait = mails, trail, clock, wait

    @property
    def routes(self) -> Mapping[str, Route]:
        """The routes."""
        return {
            "POST /s/{id}/code": self._at_one_time(self.send_code),
            "POST /s/{id}/open": self._at_one_time(self.open),
            "GET /s/{id}/audio": self._at_one_time(self.audio),
        }

    def send_code(self, request: Request) -> Answer:
        """Mail a code to the share's address. It is valid in the browser that asks, for which a cookie is set."""
        asked, now = read_body(request, ASK), self._clock()
        share = self._of_secret(request, asked["secret"], now)
        self._mails.check()
        terms = self._terms(share)
        given = request.cookies.get(COOKIE, "")
        # One cookie serves all shares of a browser, so asking for one share's code does not close another share.
        cookie = given if _COOKIE.fullmatch(given) else new_secret()
        code = self._issue(share, asked["secret"], browser_hash(share.id, cookie), now)
        self._record(EventType.SHARE_CODE_SENT, share, now)
        self._mails.send_code(share, code)
        shown = terms and {"version": terms.version, "text": terms.text}
        return Answer(body={"to": share.masked, "terms": shown}, cookies=(set_cookie(COOKIE, cookie, "Strict"),))

    def open(self, request: Request) -> Answer:
        """Open the share in this browser, if the code is right and the present terms are accepted."""
        asked, now = read_body(request, OPEN), self._clock()
        share = self._of_secret(request, asked["secret"], now)
        terms = self._terms(share)
        if terms and asked["terms"] != terms.version:
            raise self._refused(share, now, "TermsNotAccepted", f"Accept the terms {terms.version} first.")
        browser = _browser(request, share)
        if not browser or not self._is_right(share, asked["secret"], browser, asked["code"].replace(" ", ""), now):
            raise self._code_refused(share, now)
        if not self._shares.take(share, now):
            raise self._code_refused(share, now)
        try:
            self._record(EventType.SHARE_OPENED, share, now, text=terms.version if terms else None)
        except RefusedRequestError:
            self._shares.give_back(share, now)
            raise
        until = self._shares.open(share, browser, now)
        if until is None:
            raise not_found()
        return Answer(body={"expires": timestamp(datetime.fromtimestamp(until, now.tzinfo))})

    def audio(self, request: Request) -> Answer:
        """Return a range of the recording's bytes. Every request decides anew, so a cancelled share stops playing."""
        now, share = self._clock(), self._shares.find(request.path["id"])
        browser = _browser(request, share) if share else None
        if not share or not browser or share.state(now) != "active" or not share.is_open(browser, now):
            raise not_found()
        file = self._file(share)
        part = parse_range(request.headers.get("range"), share.size)
        try:
            data, etag = self._bucket.read(share.key, part, PLAIN)
        except RecordingGoneError as exc:
            raise not_found() from exc
        if etag != share.etag:
            raise not_found()
        self._record_play(share, browser, now)
        headers = {
            "accept-ranges": "bytes", "content-type": media_type(file), "content-range": part.header, "etag": etag,
        }  # fmt: skip
        return Answer(HTTPStatus.PARTIAL_CONTENT, data, headers)

    def _at_one_time(self, route: Route) -> Route:
        """Return a route whose refusals `NotFound` all take the same time."""

        def answer(request: Request) -> Answer:
            started = time.monotonic()
            try:
                return route(request)
            except RefusedRequestError as refused:
                if refused.status == HTTPStatus.NOT_FOUND:
                    self._wait(max(0.0, ANSWER_SECONDS - (time.monotonic() - started)))
                raise

        return answer

    def _of_secret(self, request: Request, secret: str, now: datetime) -> Share:
        """Return the active share of a link. Raise `NotFound`, whatever is wrong."""
        share = self._shares.find(request.path["id"])
        is_known = compare_digest(share.secret if share else NO_SECRET, hash_of(secret))
        if not share or not is_known or share.state(now) != "active":
            raise not_found()
        return share

    def _issue(self, share: Share, secret: str, browser: str, now: datetime) -> str:
        """Return a new code, which replaces the share's code. Raise `TooMany`."""
        for _ in range(ISSUE_ATTEMPTS):
            if not share.may_send(now):
                sentence = "Too many codes were sent. Ask again in an hour, or ask the sender for a new share."
                raise RefusedRequestError(HTTPStatus.TOO_MANY_REQUESTS, "TooMany", sentence)
            code = new_code()
            if self._shares.issue(share, code_mac(secret, share.id, browser, code), browser, now):
                return code
            again = self._shares.find(share.id)
            if again is None or again.state(now) != "active":
                raise not_found()
            share = again
        raise TransientError("Several requests asked for a code of one share at once.")

    def _is_right(self, share: Share, secret: str, browser: str, code: str, now: datetime) -> bool:
        """Return whether a code is right. The try is counted before the code is compared."""
        if not share.has_code_for(browser):
            return False
        number = self._shares.count_try(share, now)
        if number is None:
            return False
        if compare_digest(share.code or "", code_mac(secret, share.id, browser, code)):
            return True
        if number >= MAX_TRIES:
            self._shares.kill(share, now)
        return False

    def _file(self, share: Share) -> CallFile:
        """Return the shared file as the call's card has it now. Raise `NotFound` if it is gone or another one."""
        card = self._cards.find(share.tenant, share.call)
        if card is None or is_erased_soon(card):
            raise not_found()
        file = recording(card, share.file)
        is_same = file.current is not None and (file.key, file.current.size) == (share.key, share.size)
        if is_sealed(file) or not is_same:
            raise not_found()
        return file

    def _record_play(self, share: Share, browser: str, now: datetime) -> None:
        """Record the play of an opening, once. Requests that come at the same time record the same event."""
        if browser in share.recorded:
            return
        began = self._shares.played(share, browser, timestamp(now), now)
        if began is None:
            raise not_found()
        once = (share.id, browser, share.openings[browser])
        self._record(EventType.SHARE_PLAYED, share, datetime.fromisoformat(began), once=once)
        self._shares.recorded(share, browser, now)

    def _terms(self, share: Share) -> Terms | None:
        return self._access.access(share.tenant).terms

    def _code_refused(self, share: Share, now: datetime) -> RefusedRequestError:
        return self._refused(
            share, now, "CodeRefused", "This code is wrong or was used. Try again, or ask for a new one."
        )

    def _refused(self, share: Share, now: datetime, code: str, sentence: str) -> RefusedRequestError:
        """Record the refusal of a code, and return it."""
        self._record(EventType.SHARE_CODE_REFUSED, share, now, code=code)
        return refusal(code, sentence)

    def _record(self, kind: EventType, share: Share, now: datetime, **members: Any) -> None:
        actor = Actor(share.tenant, share.to, is_external=True)
        given = {"call": share.call, "file": share.file, "share": share.id, **members}
        self._trail.record(archive_event(kind, actor, now, **given))


def _browser(request: Request, share: Share) -> str | None:
    """Return by what the share knows the request's browser, or None if the request has no cookie of ours."""
    cookie = request.cookies.get(COOKIE, "")
    return browser_hash(share.id, cookie) if _COOKIE.fullmatch(cookie) else None
