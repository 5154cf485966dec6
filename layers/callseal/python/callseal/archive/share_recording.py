"""The routes by which users share recordings: share one, list shares, cancel one."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from callseal.archive.body import REASON, TEXT, choice, line, read_body, whole
from callseal.archive.new_share import MAX_DAYS, SHARE, TO, NewShares, Wish
from callseal.archive.recording_file import MAX_FILES, is_erased_soon, is_sealed, recording, sealed_refusal
from callseal.archive.share_texts import TEXTS
from callseal.archive.visit import CallAccess, Visit, Visits
from callseal.inbound.http import Answer, Request, Route, not_found

if TYPE_CHECKING:
    from callseal.archive.share_table import ShareTable
    from callseal.calls.call_file import CallFile

NEW_SHARE = {
    "call": line(200),
    "file": whole(0, MAX_FILES),
    "to": TO,
    "days": whole(1, MAX_DAYS),
    "language": choice(*TEXTS),
    "reason": REASON,
    "text": TEXT,
}


class ShareRoutes:
    """Answers the routes."""

    def __init__(self, visits: Visits, calls: CallAccess, shares: ShareTable, new: NewShares) -> None:
        """Take the collaborators."""
        self._visits, self._calls, self._shares, self._new = visits, calls, shares, new

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
        wish = Wish(asked["to"], asked["days"], asked["language"], facts["reason"], facts["text"])
        share = self._new.make(visit.actor, asked["call"], file, wish, visit.now)
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
            self._new.cancel(visit.actor, share, visit.now)
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


def _sees_all(visit: Visit) -> bool:
    return visit.has_unlimited(SHARE)
