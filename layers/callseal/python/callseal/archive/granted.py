"""A recording that a user asks for after an access to it was granted: the checks that all its routes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callseal.archive.recording_file import file_number, is_erased_soon, recording
from callseal.archive.sessions import Sessions
from callseal.archive.visit import CallAccess, Visit, Visits
from callseal.inbound.http import Request

if TYPE_CHECKING:
    from callseal.calls.call_file import CallFile
    from callseal.calls.card import Card


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a recording that the user may play: the visit, the call's card and the file."""

    visit: Visit
    card: Card
    file: CallFile


class GrantedAccess:
    """Decides about requests for recordings."""

    def __init__(self, visits: Visits, sessions: Sessions, calls: CallAccess) -> None:
        """Take the collaborators."""
        self._visits, self._sessions, self._calls = visits, sessions, calls

    def asked(self, request: Request, action: str) -> Asked:
        """Return the recording that a request's path names, if the user may do an action with it."""
        visit, call, number = self._visits.visit(request), request.path["id"], file_number(request.path["n"])
        card = self.openable(visit, call, action, file=number)
        return Asked(visit, card, recording(card, number))

    def openable(self, visit: Visit, call: str, action: str, **members: Any) -> Card:
        """Return a call's card if the user may do an action with it, and it does not wait for its erasure."""
        card = self._calls.allowed(visit, call, action, **members)
        if refused := is_erased_soon(card):
            raise refused
        return card

    def check(self, visit: Visit, call: str, number: int, action: str) -> str:
        """Return the id of the session's access to a file. Refuse a session that has none."""
        access = self._sessions.granted(visit.session, call, number, action)
        if access is None:
            sentence = "Ask for access to the recording first. An access lasts 15 minutes."
            raise self._calls.refused(visit, call, action, "ReasonRequired", sentence=sentence, file=number)
        return access
