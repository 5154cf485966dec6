"""A request of a user who has signed in: the session, the tenant's access as it is now, and the decisions by both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from callseal.archive.access import ACTIONS, Access
from callseal.archive.events import Actor, archive_event
from callseal.archive.may import Refused, User, may
from callseal.archive.sessions import COOKIE, Session, Sessions
from callseal.core.event_types import EventType
from callseal.inbound.http import RefusedRequestError, Request, not_found

if TYPE_CHECKING:
    from callseal.archive.access_settings import AccessSettings
    from callseal.archive.access_trail import AccessTrail
    from callseal.archive.user_table import UserTable
    from callseal.calls.blind_index import BlindIndex
    from callseal.calls.card import Card
    from callseal.calls.card_table import CardTable
    from callseal.core.clock import Clock

SENTENCES = {
    "NotAllowed": "You may not do this with this call. Ask your administrator for a grant.",
    "RestrictedRecording": "This call is restricted, and you may not open restricted calls.",
    "SensitiveRecording": "This call is sensitive, and you may not open sensitive calls.",
}


def refusal(code: str, sentence: str = "") -> RefusedRequestError:
    """Return the refusal of something that the user may not do."""
    return RefusedRequestError(HTTPStatus.FORBIDDEN, code, sentence or SENTENCES[code])


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in user's request: the session, the tenant's access, and the time."""

    session: Session
    access: Access
    now: datetime

    @property
    def tenant(self) -> str:
        """The user's tenant."""
        return self.session.tenant

    @property
    def user(self) -> User:
        """The user."""
        return self.session.user

    @property
    def actor(self) -> Actor:
        """The user as events name one."""
        return Actor(self.tenant, self.user.email, self.session.is_external)

    @property
    def actions(self) -> list[str]:
        """What some grant of the user's groups allows."""
        grants = [grant for grant in self.access.grants if grant.group in self.user.groups]
        return [action for action in ACTIONS if any(action in grant.may for grant in grants)]

    def has_unlimited(self, action: str) -> bool:
        """Return whether a grant of the user's groups allows an action on calls of any queue, agent and age."""
        return any(
            grant.group in self.user.groups
            and action in grant.may
            and grant.scope == "all"
            and "*" in grant.queues
            and grant.days is None
            for grant in self.access.grants
        )


class Visits:
    """Finds out who sends a request."""

    def __init__(self, sessions: Sessions, access: AccessSettings, users: UserTable, clock: Clock) -> None:
        """Take the sessions, the tenants' access, the users, and the clock."""
        self._sessions, self._access, self._users, self._clock = sessions, access, users, clock

    def visit(self, request: Request) -> Visit:
        """Return the visit of a user who has accepted the terms. Raise `NotSignedIn` or `TermsNotAccepted`."""
        visit = self.visit_before_terms(request)
        terms = visit.access.terms
        if terms and not self.has_accepted(visit):
            sentence = f"Accept the terms {terms.version} first."
            raise refusal("TermsNotAccepted", sentence)
        return visit

    def visit_before_terms(self, request: Request) -> Visit:
        """Return the visit, whether or not the user has accepted the terms. Raise `NotSignedIn`."""
        session = self._sessions.find(request.cookies.get(COOKIE))
        if session is None:
            sentence = "You are not signed in, or your session has ended. Sign in again."
            raise RefusedRequestError(HTTPStatus.UNAUTHORIZED, "NotSignedIn", sentence)
        return Visit(session, self._access.access(session.tenant), self._clock())

    def has_accepted(self, visit: Visit) -> bool:
        """Return whether the user has accepted the present version of the terms, in this session or another."""
        terms = visit.access.terms
        if terms is None or visit.session.terms == terms.version:
            return True
        known = self._users.find(visit.tenant, visit.user.email)
        if known is None or known.terms != terms.version:
            return False
        self._sessions.accepted(visit.session, terms.version)
        return True


class CallAccess:
    """Decides about a user's actions on calls, and records each refusal."""

    def __init__(self, cards: CardTable, blind: BlindIndex, trail: AccessTrail) -> None:
        """Take the cards, the blind index and the trail."""
        self._cards, self._blind, self._trail = cards, blind, trail

    def card(self, visit: Visit, call: str) -> Card:
        """Return a call of the user's tenant. Raise `NotFound`."""
        card = self._cards.find(visit.tenant, call)
        if card is None:
            raise not_found()
        return card

    def allowed(self, visit: Visit, call: str, action: str, **members: Any) -> Card:
        """Return a call if the user may do an action with it. Otherwise record and raise the refusal.

        `members` are further members of the refusal's event.
        """
        card = self.card(visit, call)
        decision = self.decide(visit, card, action)
        if isinstance(decision, Refused):
            raise self.refused(visit, call, action, decision.code, **members)
        return card

    def decide(self, visit: Visit, card: Card, action: str) -> object:
        """Return `may`'s decision."""
        return may(visit.access, visit.user, action, card, visit.now, self.hashed(visit.tenant))

    def hashed(self, tenant: str) -> Callable[[str, str], str]:
        """Return the function that hashes a tenant's agents and queues as its blind cards do."""
        hashes: dict[tuple[str, str], str] = {}

        def find(kind: Any, text: str) -> str:
            if (kind, text) not in hashes:
                # A tenant without a salt has no blind card, and gets no salt here.
                hashes[kind, text] = self._blind.find(tenant, {kind: text}).get(kind, "")
            return hashes[kind, text]

        return find

    def refused(self, visit: Visit, call: str, action: str, code: str, **members: Any) -> RefusedRequestError:
        """Record a refusal of an action on a call, and return it. `sentence` replaces the code's own sentence."""
        sentence = members.pop("sentence", "")
        given: Mapping[str, Any] = {"call": call, "action": action, "code": code, **members}
        self._trail.record(archive_event(EventType.ACCESS_REFUSED, visit.actor, visit.now, **given))
        return refusal(code, sentence)
