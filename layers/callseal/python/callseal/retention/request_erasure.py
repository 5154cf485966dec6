"""Make a request for erasure, approve it by a second person, and report on it. Nothing is deleted here."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from callseal.aws.bus import AuditBus
from callseal.calls.card import Card
from callseal.calls.card_table import CardTable
from callseal.calls.numbers import holds_number
from callseal.core.audit import timestamp
from callseal.core.clock import Clock
from callseal.retention import erasure_events as events
from callseal.retention.erasure import (
    ErasureRefusedError,
    LedgerFile,
    NoSuchRequestError,
    NothingFoundError,
    Request,
    SecondPersonNeededError,
    counts_of,
    due_after,
    request_id,
)
from callseal.retention.erasure_calls import ErasureCalls
from callseal.retention.erasure_files import CallFiles
from callseal.retention.erasure_places import Stored
from callseal.retention.erasure_table import ErasureTable
from callseal.retention.hold import is_same_person

MAX_BASIS = 500
MAX_CALLS = 5_000
# The API waits for the answer, and each call takes several requests.
CALLS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Report:
    """A request with its files."""

    request: Request
    files: Sequence[LedgerFile]

    def public(self) -> dict[str, Any]:
        """Return the members that the command and the API show."""
        request = self.request
        return {
            "request": request.id,
            "tenant": request.tenant,
            "state": request.state,
            "calls": len(request.calls),
            "counts": counts_of(self.files),
            "files": [file.member() for file in self.files],
            "coverage_from": request.coverage_from,
            "basis": request.basis,
            "anonymise": request.anonymise,
            "created": request.created,
            "due": request.due,
            "by": request.by,
            "approved_by": request.approved_by,
            "approved": request.approved,
            "finished": request.finished,
            "noticed": None if request.noticed == "-" else request.noticed,
            "notified": request.notified,
            "certificates": request.certificates,
        }


class ErasureRequests:
    """Makes, approves and shows requests for erasure."""

    def __init__(
        self, table: ErasureTable, calls: ErasureCalls, files: CallFiles, cards: CardTable, bus: AuditBus, clock: Clock
    ) -> None:
        """Take the collaborators."""
        self._table, self._calls, self._files = table, calls, files
        self._cards, self._bus, self._clock = cards, bus, clock

    def start(
        self,
        tenant: str,
        person: str,
        basis: str,
        *,
        caller: str | None = None,
        call: str | None = None,
        anonymise: bool = False,
        region: str | None = None,
    ) -> Report:
        """Return a new request, or the open one about the same. `caller` is a normalised number.

        `region` is the country of numbers in national form. Raise NothingFoundError if there is nothing to erase, and
        ErasureRefusedError for a basis that cannot be kept.
        """
        _check_basis(basis, region)
        subject = self._calls.subject(tenant, caller=caller, call=call)
        same = [request for request in self._table.requests(tenant) if request.subject == subject]
        if opened := next((request for request in same if request.state != "done"), None):
            return self._report(opened)
        found = self._calls.of_caller(tenant, caller) if caller is not None else self._calls.of_call(tenant, call or "")
        if not found:
            raise NothingFoundError("There is no such call, so there is nothing to erase.")
        if len(found) > MAX_CALLS:
            raise ErasureRefusedError(f"These are {len(found)} calls, and a request takes {MAX_CALLS} at most.")
        now = self._clock()
        request = Request(
            tenant, request_id(tenant, subject, len(same)), subject, basis, person, timestamp(now), due_after(now),
            tuple(sorted(card.call.id for card in found)), anonymise, coverage_from=self._calls.coverage_from(tenant),
        )  # fmt: skip
        files = self._examined(request, found)
        self._bus.put(events.requested(request, person, counts_of(files), now))
        # The files come first: a request that is listed has its files.
        self._table.save_files(files)
        self._table.create(request)
        return Report(request, files)

    def approve(self, tenant: str, identifier: str, person: str) -> Report:
        """Return a request after its approval. From then on its calls are hidden.

        Raise NoSuchRequestError, or SecondPersonNeededError if the person is the one who made it.
        """
        request = self._find(tenant, identifier)
        if is_same_person(person, request.by):
            raise SecondPersonNeededError("Another person than the one who started the erasure must approve it.")
        if not request.is_approved:
            now = self._clock()
            approved: dict[str, Any] = {"state": "running", "approved_by": person, "approved": timestamp(now)}
            # The event comes first: no request is carried out of which the audit has no approval.
            counts = counts_of(self._table.files(request))
            self._bus.put(events.requested(replace(request, **approved), person, counts, now))
            request = self._table.save(request, **approved)
        hide(self._cards, list(self._calls.by_ids(tenant, request.calls).values()))
        return self._report(request)

    def status(self, tenant: str, identifier: str) -> Report:
        """Return a request with the states of its files. Raise NoSuchRequestError."""
        return self._report(self._find(tenant, identifier))

    def listed(self, tenant: str) -> list[Request]:
        """Return a tenant's requests, newest first."""
        return sorted(self._table.requests(tenant), key=lambda request: request.created, reverse=True)

    def coverage_from(self, tenant: str) -> str | None:
        """Return when the oldest indexed call of a tenant began, or None if no call is indexed."""
        return self._calls.coverage_from(tenant)

    def _find(self, tenant: str, identifier: str) -> Request:
        request = self._table.find(tenant, identifier)
        if request is None:
            raise NoSuchRequestError("The tenant has no request for erasure of this id.")
        return request

    def _examined(self, request: Request, cards: Sequence[Card]) -> list[LedgerFile]:
        def examine(card: Card) -> list[tuple[Stored | None, LedgerFile]]:
            return self._files.examine(request, card, self._clock())

        with ThreadPoolExecutor(CALLS_AT_ONCE, "call") as executor:
            examined = [each for of_call in executor.map(examine, cards) for each in of_call]
        files = [file for stored, file in examined if not (stored and stored.is_marker)]
        return sorted(files, key=lambda file: (file.call, file.place, file.id))

    def _report(self, request: Request) -> Report:
        return Report(request, self._table.files(request))


def hide(cards: CardTable, found: Sequence[Card]) -> None:
    """Hide calls that wait for their erasure. Raise the first error."""
    waiting = [card for card in found if not (card.gone or card.erasure_pending)]
    for error in cards.apply({card.call: [lambda card: card.with_erasure(pending=True)] for card in waiting}).values():
        raise error


def _check_basis(basis: str, region: str | None) -> None:
    if not basis.strip() or len(basis) > MAX_BASIS:
        raise ErasureRefusedError(f"Name the basis of the erasure in 1 to {MAX_BASIS} characters.")
    if holds_number(basis, region):
        raise ErasureRefusedError("The basis holds a telephone number, and it is kept for years. Leave the number out.")
