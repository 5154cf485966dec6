"""The routes of sign-in and of the user's own account: login, callback, logout, me and terms.

The function is the issuer's client (a backend for the browser: RFC 9700 and "OAuth 2.0 for Browser-Based
Applications"). The browser gets a session's cookie and no token.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from hmac import compare_digest
from html import escape
from http import HTTPStatus
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from callseal.archive.body import line, read_body
from callseal.archive.events import Actor, archive_event
from callseal.archive.issuer import Client, Issuer, SignInRefusedError
from callseal.archive.person import ClaimNames, Person, person_of
from callseal.archive.session_table import SessionTable, hash_of, new_secret
from callseal.archive.sessions import COOKIE, Sessions, set_cookie
from callseal.archive.visit import Visits
from callseal.core.event_types import EventType
from callseal.inbound.http import Answer, RefusedRequestError, Request, Route, invalid

if TYPE_CHECKING:
    from callseal.archive.access_trail import AccessTrail
    from callseal.archive.user_table import UserTable
    from callseal.core.clock import Clock
    from callseal.core.log import Log

# Lax: the browser comes to the callback from the issuer's site, and a Strict cookie would not come along.
LOGIN_COOKIE = "__Host-callseal-login"
LOGIN_TIME = timedelta(minutes=10)
CALLBACK = "/auth/callback"
_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*", re.ASCII)
VERSION = {"version": line(200)}


class SignIn:
    """Answers the routes."""

    def __init__(
        self, visits: Visits, sessions: Sessions, table: SessionTable, users: UserTable, trail: AccessTrail,
        issuer: Issuer, client: Callable[[], Client], claims: ClaimNames, clock: Clock, log: Log,
    ) -> None:  # fmt: skip
        """Take the collaborators. `client` returns this client as the issuer knows it."""
        self._visits, self._sessions, self._table, self._users = visits, sessions, table, users
        self._trail, self._issuer, self._client, self._claims = trail, issuer, client, claims
        self._clock, self._log = clock, log

    @property
    def routes(self) -> Mapping[str, Route]:
        """The routes."""
        return {
            "GET /auth/login": self.login,
            f"GET {CALLBACK}": self.callback,
            "POST /auth/logout": self.logout,
            "GET /api/me": self.me,
            "POST /api/me/terms": self.accept_terms,
        }

    def login(self, request: Request) -> Answer:
        """Send the browser to the issuer."""
        secret, state, nonce, verifier = new_secret(), new_secret(), token_urlsafe(24), token_urlsafe(48)
        try:
            url = self._issuer.authorization_url(self._client(), state, nonce, verifier)
        except SignInRefusedError as refused:
            return _failed(request, str(refused))
        back = return_path(dict(request.query).get("return", "/"))
        members = {"state": hash_of(state), "nonce": nonce, "verifier": verifier, "back": back}
        self._table.put(f"login#{hash_of(secret)}", members, self._clock() + LOGIN_TIME)
        cookie = set_cookie(LOGIN_COOKIE, secret, "Lax", int(LOGIN_TIME.total_seconds()))
        return Answer(HTTPStatus.FOUND, headers={"location": url}, cookies=(cookie,))

    def callback(self, request: Request) -> Answer:
        """Start a session for the user whom the issuer names, and lead the browser back to where it was."""
        try:
            person, back = self._signed_in(request)
        except SignInRefusedError as refused:
            self._log.info("sign-in refused", extra={"why": str(refused)})
            return _failed(request, str(refused))
        user = person.user
        actor = Actor(person.tenant, user.email, person.is_external)
        self._trail.record(archive_event(EventType.ARCHIVE_SIGNED_IN, actor, self._clock()))
        known = self._users.sign_in(person.tenant, user.email)
        secret = self._sessions.start(person.tenant, user, person.name, person.is_external, known.terms)
        cookies = (set_cookie(COOKIE, secret, "Strict"), set_cookie(LOGIN_COOKIE, "", "Lax", 0))
        # A redirect would not carry a Strict cookie, because the chain of redirects began at the issuer's site.
        return _page(HTTPStatus.OK, back, "You are signed in.", "Continue", cookies, at_once=True)

    def logout(self, request: Request) -> Answer:
        """End the session."""
        if secret := request.cookies.get(COOKIE):
            self._sessions.end(secret)
        return Answer(HTTPStatus.NO_CONTENT, cookies=(set_cookie(COOKIE, "", "Strict", 0),))

    def me(self, request: Request) -> Answer:
        """Return who has signed in, and what the user may do."""
        visit = self._visits.visit_before_terms(request)
        terms = visit.access.terms
        shown = terms and {
            "version": terms.version, "text": terms.text, "accepted": self._visits.has_accepted(visit),
        }  # fmt: skip
        document = {
            "user": {"email": visit.user.email, "name": visit.session.name},
            "tenant": visit.tenant,
            "may": visit.actions,
            "reason_for": [*visit.access.reason_for],
            "terms": shown,
        }
        return Answer(body=document)

    def accept_terms(self, request: Request) -> Answer:
        """Record that the user accepts the present terms."""
        visit = self._visits.visit_before_terms(request)
        version = read_body(request, VERSION)["version"]
        terms = visit.access.terms
        if terms is None or version != terms.version:
            raise invalid("These are not the present terms. Read them again, and accept those.")
        if not self._visits.has_accepted(visit):
            event = archive_event(EventType.TERMS_ACCEPTED, visit.actor, visit.now, text=terms.version)
            self._trail.record(event)
            self._users.accept(visit.tenant, visit.user.email, terms.version)
            self._sessions.accepted(visit.session, terms.version)
        return Answer(HTTPStatus.NO_CONTENT)

    def _signed_in(self, request: Request) -> tuple[Person, str]:
        """Return who signs in, and the path to return to. Raise SignInRefusedError."""
        query = dict(request.query)
        secret, state, code = request.cookies.get(LOGIN_COOKIE), query.get("state"), query.get("code")
        if not secret or not state or not code or len(query) != len(request.query):
            raise SignInRefusedError("The sign-in was not begun in this browser, or the issuer refused it.")
        begun = self._table.get(f"login#{hash_of(secret)}")
        if begun is None or not compare_digest(begun["state"], hash_of(state)):
            raise SignInRefusedError("The sign-in was not begun in this browser, or it took over 10 minutes.")
        # One sign-in has one callback, even if two come at the same time.
        if self._table.take(f"login#{hash_of(secret)}") is None:
            raise SignInRefusedError("The sign-in was completed before.")
        claims = self._issuer.claims(self._client(), code, begun["verifier"], begun["nonce"])
        return person_of(claims, self._claims), begun["back"]


def return_path(text: str) -> str:
    """Return a path of this site to return to, or `/` for any other text."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    return text if _PATH.fullmatch(text) and not parts.scheme and not parts.netloc else "/"


def _failed(request: Request, why: str) -> Answer:
    """Return the refusal of a sign-in: a page for a browser, JSON for anything else."""
    if "text/html" in request.headers.get("accept", ""):
        return _page(HTTPStatus.BAD_REQUEST, "/auth/login", why, "Sign in again")
    raise RefusedRequestError(HTTPStatus.BAD_REQUEST, "SignInFailed", why)


def _page(
    status: int, link: str, sentence: str, text: str, cookies: tuple[str, ...] = (), *, at_once: bool = False
) -> Answer:
    """Return a page with a sentence and a link, which the browser follows at once if `at_once`."""
    target = escape(link, quote=True)
    refresh = f'<meta http-equiv="refresh" content="0;url={target}">' if at_once else ""
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Callseal</title>{refresh}'
        f'<link rel="stylesheet" href="/style.css"></head><body><main><p>{escape(sentence)}</p>'
        f'<p><a href="{target}">{text}</a></p></main></body></html>'
    )
    headers: dict[str, Any] = {"content-type": "text/html; charset=utf-8"}
    return Answer(status, page.encode(), headers, cookies)
