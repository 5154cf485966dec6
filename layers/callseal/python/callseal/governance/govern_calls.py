"""What all routes of holds and erasures share: who asks, what that person may, and the refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from callseal.archive.access_trail import AccessTrail, audit_unavailable
from callseal.archive.events import archive_event
from callseal.archive.may import Refused
from callseal.archive.visit import CallAccess, Visit, Visits, refusal
from callseal.aws.bus import AuditBus
from callseal.calls.call_name import CALL_ID
from callseal.calls.index_mode import IndexMode, index_mode
from callseal.core.audit import AuditEvent
from callseal.core.errors import HeldError, TransientError
from callseal.core.event_types import EventType
from callseal.inbound.http import RefusedRequestError, Request, invalid, not_found
from callseal.tenants.settings import TenantSettings

if TYPE_CHECKING:
    from callseal.calls.card import Card
    from callseal.tenants.directory import Tenants

_DOES = {"hold": "place or see holds", "erase": "start or see erasures"}
# Finds calls by their ids, those that have ended included.
FindCards = Callable[[str, Iterable[str]], dict[str, "Card"]]


class Governors:
    """Finds out who asks, and what that person may do about holds or erasures."""

    def __init__(
        self, visits: Visits, calls: CallAccess, find: FindCards, tenants: Tenants, trail: AccessTrail
    ) -> None:
        """Take the collaborators."""
        self._visits, self._calls, self._find, self._tenants, self._trail = visits, calls, find, tenants, trail

    def visit(self, request: Request) -> Visit:
        """Return the visit of a user. Raise `NotSignedIn` or `TermsNotAccepted`."""
        return self._visits.visit(request)

    def check_action(self, visit: Visit, action: str) -> None:
        """Refuse a user of whom no grant has the action."""
        if action not in visit.actions:
            sentence = f"You may not {_DOES[action]}. Ask your administrator for a grant."
            raise self.refused(visit, action, "NotAllowed", sentence)

    def check_maker(self, visit: Visit, action: str, maker: str) -> None:
        """Refuse a hold or a request that the user does not see. A user with a limited grant finds none of others."""
        self.check_action(visit, action)
        if not self.sees(visit, action, maker):
            raise not_found()

    def sees(self, visit: Visit, action: str, maker: str) -> bool:
        """Return whether a user sees a hold or a request: everyone's if no grant limits the calls, else the own."""
        return visit.has_unlimited(action) or maker == visit.user.email

    def check_all(self, visit: Visit, action: str) -> None:
        """Refuse a user who may not do the action with calls of any queue, agent and age."""
        if not visit.has_unlimited(action):
            sentence = (
                "Your grant is limited to some calls. Name calls by their ids, or ask for a grant without limits."
            )
            raise self.refused(visit, action, "NotAllowed", sentence)

    def check_call(self, visit: Visit, action: str, call: str) -> None:
        """Refuse a call that is unknown, or with which the user may not do the action."""
        self._calls.allowed(visit, call, action)

    def check_cards(self, visit: Visit, action: str, cards: Iterable[Card]) -> None:
        """Refuse calls if the user may not do the action with one of them. Ended ones are left out."""
        for card in cards:
            decision = self._calls.decide(visit, card, action) if card.is_listed else None
            if isinstance(decision, Refused):
                raise self._calls.refused(visit, card.call.id, action, decision.code)

    def check_ids(self, visit: Visit, action: str, calls: Iterable[str], *, future: bool = False) -> None:
        """Refuse calls as `check_cards`, by their ids. `future` allows calls that have not landed yet."""
        wanted = {*calls}
        found = self._find(visit.tenant, [call for call in wanted if CALL_ID.fullmatch(call)])
        listed = [card for card in found.values() if card.is_listed]
        if future:
            self.check_all(visit, action)
        elif len(listed) < len(wanted):
            raise not_found()
        self.check_cards(visit, action, listed)

    def settings(self, visit: Visit) -> tuple[TenantSettings, IndexMode]:
        """Return the settings of a user's tenant, and how its calls are indexed. Raise `InvalidRequest`."""
        try:
            settings, policy = self._tenants.settings(visit.tenant), self._tenants.policy_text(visit.tenant)
        except HeldError as exc:
            raise invalid("The tenant has no settings, or they cannot be used. Ask your administrator.") from exc
        return settings, index_mode(settings, policy is not None)

    def refused(self, visit: Visit, action: str, code: str, sentence: str) -> RefusedRequestError:
        """Record a refusal that is about no single call, and return it."""
        members: dict[str, Any] = {"action": action, "code": code}
        self._trail.record(archive_event(EventType.ACCESS_REFUSED, visit.actor, visit.now, **members))
        return refusal(code, sentence)

    def second_person_needed(self, visit: Visit, action: str, sentence: str) -> RefusedRequestError:
        """Record the refusal of a person who approves what the same person asked for, and return it."""
        return self.refused(visit, action, "SecondPersonNeeded", sentence)


class GovernanceBus(AuditBus):
    """An audit bus whose failure is the answer `AuditUnavailable`. Events are put before what they report."""

    def put(self, event: AuditEvent) -> None:
        """Put an event. Raise RefusedRequestError `AuditUnavailable` if it was not accepted."""
        try:
            super().put(event)
        except TransientError as exc:
            raise audit_unavailable() from exc
