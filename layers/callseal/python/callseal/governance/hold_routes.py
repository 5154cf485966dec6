"""The routes of holds: list them, place one, ask for its release, and approve that as a second person.

lock_recordings carries out what is placed or approved. Until then a hold is `placing` or `releasing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from callseal.archive.body import line, optional, read_body, text_of
from callseal.archive.visit import Visit
from callseal.calls.call_query import FilterError
from callseal.calls.members import Member, flag
from callseal.governance.govern_calls import Governors
from callseal.inbound.http import Answer, Request, Route, invalid, not_found
from callseal.retention.hold import MAX_REASON, NAME, Hold, HoldInvalidError, HoldRefusedError, Refusal
from callseal.retention.hold_scope import MAX_CALLS, AskedScope, HoldScopes
from callseal.retention.hold_table import HeldCalls
from callseal.retention.manage_holds import Holds

if TYPE_CHECKING:
    from callseal.retention.hold_table import HoldTable

HOLD = "hold"
_CALL = line(200)
FILTERS = ("caller", "queue", "agent", "from", "to")


def _calls(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_CALLS:
        raise ValueError(list)
    calls = tuple(_CALL.read(each) for each in value)
    if len({*calls}) < len(calls):
        raise ValueError(list)
    return calls


_IDS = {"type": "array", "items": _CALL.schema, "maxItems": MAX_CALLS, "uniqueItems": True}
_WANTED = "1 to 64 letters (A to Z), digits, spaces, dots, hyphens and underscores, at both ends a letter or a digit"
HOLD_OF_CALL: Mapping[str, Member] = {"name": text_of(NAME.pattern, _WANTED, 1, 64), "reason": line(MAX_REASON)}
NEW_HOLD: Mapping[str, Member] = {
    **HOLD_OF_CALL,
    "calls": Member(_calls, f"at most {MAX_CALLS} ids of calls, each once, instead of filters", _IDS, ()),
    **{name: optional(line(200)) for name in FILTERS},
    "future": flag(False),
}


class HoldRoutes:
    """Answers the routes."""

    def __init__(self, governors: Governors, table: HoldTable, holds: Holds, scopes: HoldScopes) -> None:
        """Take the collaborators."""
        self._governors, self._table, self._holds, self._scopes = governors, table, holds, scopes

    @property
    def routes(self) -> Mapping[str, Route]:
        """The routes."""
        return {
            "GET /api/holds": self.all,
            "POST /api/holds": self.create,
            "POST /api/calls/{id}/holds": self.create_for_call,
            "POST /api/holds/{name}/release": self.release,
            "POST /api/holds/{name}/approve": self.approve,
        }

    def all(self, request: Request) -> Answer:
        """Return the tenant's holds by their names, or the user's own if the user's grants are limited."""
        visit = self._governors.visit(request)
        self._governors.check_action(visit, HOLD)
        holds, counts = self._table.all(visit.tenant), self._table.counts(visit.tenant)
        seen = [hold for hold in holds if self._governors.sees(visit, HOLD, hold.placed_by)]
        return Answer(body={"holds": [_public(hold, counts.get(hold.name, HeldCalls())) for hold in seen]})

    def create(self, request: Request) -> Answer:
        """Place a hold on calls that are named, or on those that meet all filters."""
        visit, asked = self._governors.visit(request), read_body(request, NEW_HOLD)
        since, until = asked.pop("from"), asked.pop("to")
        name, reason = asked.pop("name"), asked.pop("reason")
        scope = AskedScope(since=since, until=until, **asked)
        if scope.calls:
            self._governors.check_ids(visit, HOLD, scope.calls, future=scope.future)
        else:
            self._governors.check_all(visit, HOLD)
        return self._place(visit, name, reason, scope)

    def create_for_call(self, request: Request) -> Answer:
        """Place a hold on one call."""
        visit, asked = self._governors.visit(request), read_body(request, HOLD_OF_CALL)
        call = request.path["id"]
        self._governors.check_call(visit, HOLD, call)
        return self._place(visit, asked["name"], asked["reason"], AskedScope(calls=(call,)))

    def release(self, request: Request) -> Answer:
        """Ask for the release of a hold."""
        return self._step(request, self._holds.ask_release, HTTPStatus.OK)

    def approve(self, request: Request) -> Answer:
        """Approve the release of a hold for which another person asked."""
        return self._step(request, self._holds.approve_release, HTTPStatus.ACCEPTED)

    def _place(self, visit: Visit, name: str, reason: str, asked: AskedScope) -> Answer:
        settings, mode = self._governors.settings(visit)
        with self._refusing(visit):
            scope = self._scopes.scope(visit.tenant, asked, settings, mode)
            hold = self._holds.create(visit.tenant, name, reason, scope, visit.user.email)
        return Answer(HTTPStatus.ACCEPTED, _state(hold))

    def _step(self, request: Request, step: Callable[[str, str, str], Hold], status: HTTPStatus) -> Answer:
        """Take a step of a hold that the user sees."""
        visit, name = self._governors.visit(request), unquote(request.path["name"])
        read_body(request, {})
        hold = self._table.find(visit.tenant, name) if NAME.fullmatch(name) else None
        if hold is None:
            raise not_found()
        self._governors.check_maker(visit, HOLD, hold.placed_by)
        with self._refusing(visit):
            return Answer(status, _state(step(visit.tenant, name, visit.user.email)))

    @contextmanager
    def _refusing(self, visit: Visit) -> Iterator[None]:
        try:
            yield
        except HoldRefusedError as exc:
            if exc.code == Refusal.SECOND_PERSON_NEEDED:
                raise self._governors.second_person_needed(visit, HOLD, str(exc)) from exc
            raise invalid(str(exc)) from exc
        except (HoldInvalidError, FilterError) as exc:
            raise invalid(str(exc)) from exc


def _state(hold: Hold) -> dict[str, str]:
    return {"name": hold.name, "state": hold.state}


def _public(hold: Hold, found: HeldCalls) -> dict[str, Any]:
    return hold.public(found.calls, found.gone)
