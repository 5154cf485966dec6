"""Sessions of people who have signed in, and the accesses that they were granted.

A session is an opaque cookie. It ends after IDLE without a request, and LONGEST after the sign-in at the latest. A
deleted session is refused by the next request.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from callseal.archive.may import User
from callseal.archive.session_table import SessionTable, hash_of, new_secret

if TYPE_CHECKING:
    from callseal.core.clock import Clock

# `__Host-`: no other host, no path, and TLS alone. https://www.rfc-editor.org/rfc/rfc6265 as revised by RFC 6265bis.
COOKIE = "__Host-callseal"
IDLE, LONGEST = timedelta(minutes=30), timedelta(hours=10)
# The session's item is written again at most once in this time.
TOUCH = timedelta(minutes=1)
ACCESS_TIME = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Session:
    """A session by its hash. `is_external` is true for the platform's own staff. `terms` is the accepted version."""

    hash: str
    tenant: str
    user: User
    name: str
    is_external: bool
    created: datetime
    seen: datetime
    terms: str | None = None


def set_cookie(name: str, value: str, same_site: str, max_age: int | None = None) -> str:
    """Return a Set-Cookie header's value for a cookie that scripts cannot read."""
    age = "" if max_age is None else f"; Max-Age={max_age}"
    return f"{name}={value}; Path=/; Secure; HttpOnly; SameSite={same_site}{age}"


class Sessions:
    """Starts, finds and ends sessions."""

    def __init__(self, table: SessionTable, clock: Clock) -> None:
        """Take the table and the clock."""
        self._table, self._clock = table, clock

    def start(self, tenant: str, user: User, name: str, is_external: bool, terms: str | None) -> str:
        """Start a session and return the cookie's secret."""
        secret, now = new_secret(), self._clock()
        self._write(Session(hash_of(secret), tenant, user, name, is_external, now, now, terms))
        return secret

    def find(self, secret: str | None) -> Session | None:
        """Return the session of a cookie's secret, or None if there is none that has not ended."""
        found = self._table.get(f"session#{hash_of(secret)}") if secret else None
        if not found:
            return None
        session, now = _session(hash_of(secret or ""), found), self._clock()
        if now - session.seen >= IDLE or now - session.created >= LONGEST:
            return None
        return self._touched(session) if now - session.seen >= TOUCH else session

    def accepted(self, session: Session, terms: str) -> None:
        """Record in the session which version of the terms its user has accepted."""
        self._write(replace(session, terms=terms))

    def end(self, secret: str) -> None:
        """End the session of a cookie's secret."""
        self._table.take(f"session#{hash_of(secret)}")

    def until(self) -> datetime:
        """Return when an access that is granted now ends."""
        return self._clock() + ACCESS_TIME

    def grant(self, session: Session, call: str, file: int, action: str, access: str, until: datetime) -> None:
        """Grant an access with an id to one file of a call until a time."""
        self._table.put(_access(session, call, file, action), {"access": access}, until)

    def granted(self, session: Session, call: str, file: int, action: str) -> str | None:
        """Return the id of the session's access to a file, or None if there is none that has not ended."""
        found = self._table.get(_access(session, call, file, action))
        return str(found["access"]) if found else None

    def _touched(self, session: Session) -> Session:
        touched = replace(session, seen=self._clock())
        self._write(touched)
        return touched

    def _write(self, session: Session) -> None:
        members = {
            "tenant": session.tenant,
            "email": session.user.email,
            "groups": json.dumps(sorted(session.user.groups)),
            "agent": session.user.agent,
            "name": session.name,
            "external": int(session.is_external),
            "created": int(session.created.timestamp()),
            "seen": int(session.seen.timestamp()),
            "terms": session.terms,
        }
        until = min(session.seen + IDLE, session.created + LONGEST)
        self._table.put(f"session#{session.hash}", members, until)


def _access(session: Session, call: str, file: int, action: str) -> str:
    return f"access#{session.hash}#{call}#{file}#{action}"


def _session(name: str, found: dict[str, Any]) -> Session:
    user = User(found["email"], frozenset(json.loads(found["groups"])), found.get("agent"))
    created, seen = (datetime.fromtimestamp(found[each], UTC) for each in ("created", "seen"))
    return Session(
        name, found["tenant"], user, found["name"], bool(found["external"]), created, seen, found.get("terms")
    )
