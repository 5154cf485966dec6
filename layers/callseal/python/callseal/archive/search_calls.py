"""The routes that find calls: a search, and the card of one call. Each is recorded before it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from callseal.archive.events import archive_event
from callseal.archive.may import Allowed
from callseal.archive.search_scope import scope_of, search_grants
from callseal.archive.visit import CallAccess, Visit, Visits, refusal
from callseal.calls.call_query import CallQuery, FilterError, parse_query
from callseal.calls.cursor import CursorRefusedError
from callseal.calls.index_mode import index_mode
from callseal.calls.numbers import Numbering
from callseal.calls.search import CallSearch, Scope
from callseal.core.errors import HeldError
from callseal.core.event_types import EventType
from callseal.inbound.http import Answer, RefusedRequestError, Request, Route
from callseal.tenants.settings import TenantSettings

if TYPE_CHECKING:
    from callseal.archive.access_trail import AccessTrail
    from callseal.calls.blind_index import BlindIndex
    from callseal.calls.card import Card
    from callseal.tenants.directory import Tenants

CURSOR = "cursor"


def filters_of(request: Request) -> dict[str, str]:
    """Return a query's filters. Raise RefusedRequestError `InvalidFilter` if one is there twice."""
    filters = dict(request.query)
    if len(filters) != len(request.query):
        raise invalid_filter("A filter is there twice. Name each filter once.")
    return filters


def invalid_filter(sentence: str) -> RefusedRequestError:
    """Return the refusal of a filter."""
    return RefusedRequestError(HTTPStatus.BAD_REQUEST, "InvalidFilter", sentence)


def invalid_cursor(sentence: str) -> RefusedRequestError:
    """Return the refusal of a cursor."""
    return RefusedRequestError(HTTPStatus.BAD_REQUEST, "InvalidCursor", sentence)


class CallRoutes:
    """Answers the routes."""

    def __init__(
        self, visits: Visits, calls: CallAccess, search: CallSearch, blind: BlindIndex, trail: AccessTrail,
        tenants: Tenants,
    ) -> None:  # fmt: skip
        """Take the collaborators."""
        self._visits, self._calls, self._search = visits, calls, search
        self._blind, self._trail, self._tenants = blind, trail, tenants

    @property
    def routes(self) -> Mapping[str, Route]:
        """The routes."""
        return {"GET /api/calls": self.search, "GET /api/calls/{id}": self.show}

    def search(self, request: Request) -> Answer:
        """Return a page of the calls that the user may find, newest first."""
        visit = self._visits.visit(request)
        if not search_grants(visit):
            raise self._refused(visit)
        filters = filters_of(request)
        cursor = filters.pop(CURSOR, None)
        query, recorded = self._query(visit, filters)
        try:
            page = self._search.page(query, visit.user.email, cursor, scope=self._scope(visit))
        except CursorRefusedError as exc:
            raise invalid_cursor(str(exc)) from exc
        self._trail.record(
            archive_event(EventType.RECORDINGS_SEARCHED, visit.actor, visit.now, action="search", filters=recorded)
        )
        return Answer(body=page.public())

    def show(self, request: Request) -> Answer:
        """Return a call's card."""
        visit, call = self._visits.visit(request), request.path["id"]
        card = self._calls.allowed(visit, call, "search")
        event = archive_event(EventType.RECORDING_VIEWED, visit.actor, visit.now, call=card.call.id, action="search")
        self._trail.record(event)
        return Answer(body=card.public())

    def _refused(self, visit: Visit) -> RefusedRequestError:
        event = archive_event(
            EventType.ACCESS_REFUSED, visit.actor, visit.now, action="search", code="NotAllowed"
        )  # fmt: skip
        self._trail.record(event)
        return refusal("NotAllowed", "You may not search calls. Ask your administrator for a grant.")

    def _query(self, visit: Visit, filters: Mapping[str, str]) -> tuple[CallQuery, dict[str, str]]:
        """Return the search, and its filters as they are recorded: a number never, but by its blind key."""
        settings, is_blind = self._settings(visit.tenant)
        numbering = Numbering(settings.default_region, settings.own_numbers)
        try:
            query = parse_query(visit.tenant, filters, numbering.normalise, visit.now)
        except FilterError as exc:
            raise invalid_filter(str(exc)) from exc
        recorded = dict(filters)
        if query.caller:
            recorded["caller"] = self._blind.hashed(visit.tenant, "number", query.caller)
        if is_blind:
            of: dict[Any, str | None] = {"agent": query.agent, "queue": query.queue}
            recorded |= {kind: self._blind.hashed(visit.tenant, kind, text) for kind, text in of.items() if text}
        return query, recorded

    def _settings(self, tenant: str) -> tuple[TenantSettings, bool]:
        """Return a tenant's settings, and whether its cards are blind. The defaults if the settings are unusable."""
        try:
            settings, policy = self._tenants.settings(tenant), self._tenants.policy_text(tenant)
        except HeldError:
            return TenantSettings(), True
        return settings, index_mode(settings, policy is not None) == "blind"

    def _scope(self, visit: Visit) -> Scope:
        return replace(scope_of(visit), allows=self._allows(visit))

    def _allows(self, visit: Visit) -> Callable[[Card], bool]:
        return lambda card: isinstance(self._calls.decide(visit, card, "search"), Allowed)
