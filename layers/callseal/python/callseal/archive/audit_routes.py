"""The routes that show who did what: with one call, or with all of a tenant's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callseal.archive.events import archive_event
from callseal.archive.may import Refused
from callseal.archive.search_calls import CURSOR, filters_of, invalid_cursor, invalid_filter
from callseal.archive.visit import CallAccess, Visit, Visits, refusal
from callseal.calls.call_name import CALL_ID
from callseal.calls.call_query import FilterError, parse_span
from callseal.calls.cursor import CursorRefusedError, Cursors, Position
from callseal.core.audit import timestamp
from callseal.core.event_types import EventType
from callseal.inbound.http import Answer, RefusedRequestError, Request, Route, not_found

if TYPE_CHECKING:
    from callseal.archive.access_trail import AccessTrail

FILTERS = ("user", "call", "from", "to")
PAGE = 50
# Further requests for a page whose rows a second filter leaves out.
BUDGET = 8
# These sort before and after each place.
OLDEST, NEWEST = " ", "~"


@dataclass(frozen=True, slots=True)
class _Query:
    """A search of the trail: at most one index, and a second filter that is applied to its rows."""

    tenant: str
    low: str
    high: str
    call: str | None = None
    user: str | None = None

    @property
    def index(self) -> tuple[str | None, str | None]:
        if self.call:
            return "call", self.call
        return ("user", self.user) if self.user else (None, None)

    def fits(self, event: Mapping[str, Any]) -> bool:
        return self.user in (None, event["user"])


class AuditRoutes:
    """Answers the routes."""

    def __init__(self, visits: Visits, calls: CallAccess, trail: AccessTrail, cursors: Cursors) -> None:
        """Take the collaborators."""
        self._visits, self._calls, self._trail, self._cursors = visits, calls, trail, cursors

    @property
    def routes(self) -> Mapping[str, Route]:
        """The routes."""
        return {"GET /api/calls/{id}/audit": self.of_call, "GET /api/audit": self.search}

    def of_call(self, request: Request) -> Answer:
        """Return what was done with a call, newest first. It outlives the call."""
        visit, call = self._visits.visit(request), request.path["id"]
        filters = filters_of(request)
        cursor = filters.pop(CURSOR, None)
        if filters:
            raise invalid_filter("The audit of one call has no filter but cursor.")
        is_gone = self._check(visit, call)
        answer = self._page(visit, _Query(visit.tenant, OLDEST, NEWEST, call=call), cursor)
        if is_gone and not answer["events"]:
            raise not_found()
        return Answer(body=answer)

    def search(self, request: Request) -> Answer:
        """Return what was done with a tenant's calls, newest first."""
        visit, filters = self._visits.visit(request), filters_of(request)
        cursor = filters.pop(CURSOR, None)
        query = self._query(visit, filters)
        if query.call:
            self._check(visit, query.call)
        elif not visit.has_unlimited("audit"):
            raise self._refused(visit)
        return Answer(body=self._page(visit, query, cursor))

    def _check(self, visit: Visit, call: str) -> bool:
        """Refuse a user who may not see a call's audit. Return whether the call is gone."""
        try:
            card = self._calls.card(visit, call)
        except RefusedRequestError:
            # Only a user whose grant has no limit of scope can have seen a call that is gone.
            if visit.has_unlimited("audit") and CALL_ID.fullmatch(call):
                return True
            raise
        decision = self._calls.decide(visit, card, "audit")
        if isinstance(decision, Refused):
            raise self._calls.refused(visit, call, "audit", decision.code)
        return False

    def _refused(self, visit: Visit) -> RefusedRequestError:
        event = archive_event(EventType.ACCESS_REFUSED, visit.actor, visit.now, action="audit", code="NotAllowed")
        self._trail.record(event)
        return refusal(
            "NotAllowed", "You may not see what was done with all calls. Ask your administrator for a grant."
        )

    def _query(self, visit: Visit, filters: Mapping[str, str]) -> _Query:
        for name, text in filters.items():
            if name not in FILTERS or not text:
                raise invalid_filter(f"The filters of the audit are {', '.join(FILTERS)}, none of them empty.")
        try:
            since, until = parse_span(filters.get("from"), filters.get("to"))
        except FilterError as exc:
            raise invalid_filter(str(exc)) from exc
        call, user = filters.get("call"), filters.get("user")
        if call is not None and not CALL_ID.fullmatch(call):
            raise invalid_filter("The filter call is not a call's id.")
        low, high = (timestamp(since) if since else OLDEST), (timestamp(until) if until else NEWEST)
        return _Query(visit.tenant, low, high, call, user and user.lower())

    def _page(self, visit: Visit, query: _Query, cursor: str | None) -> dict[str, Any]:
        search = ["audit", visit.tenant, visit.user.email, query.low, query.high, query.call, query.user]
        place = query.high
        if cursor is not None:
            try:
                place = self._cursors.read(cursor, search).place
            except CursorRefusedError as exc:
                raise invalid_cursor(str(exc)) from exc
        events: list[dict[str, Any]] = []
        for _ in range(BUDGET):
            wanted = PAGE - len(events)
            rows = self._trail.rows(query.tenant, *query.index, query.low, place, wanted)
            events += [event for _, event in rows if query.fits(event)]
            if len(rows) < wanted:
                return {"events": events, "cursor": None}
            place = rows[-1][0]
            if len(events) == PAGE:
                break
        return {"events": events, "cursor": self._cursors.write(Position(place, timestamp(visit.now)), search)}
