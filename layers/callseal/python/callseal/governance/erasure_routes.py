"""The routes of erasures on request: start one, approve it as a second person, and show what became of each file.

erase_recordings carries out what is approved. A request is started by the same rules as with the command.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from callseal.archive.body import line, optional, read_body
from callseal.archive.visit import Visit
from callseal.calls.members import Member, flag
from callseal.calls.numbers import Numbering
from callseal.governance.govern_calls import Governors
from callseal.inbound.http import Answer, Request, Route, invalid, not_found
from callseal.retention.erasure import (
    ErasureRefusedError,
    NoSuchRequestError,
    NothingFoundError,
    SecondPersonNeededError,
)
from callseal.retention.erasure import Request as Erasure
from callseal.retention.erasure_messages import ErasureQueue
from callseal.retention.request_erasure import MAX_BASIS, ErasureRequests, Report

if TYPE_CHECKING:
    from callseal.calls.card import Card
    from callseal.retention.erasure_calls import ErasureCalls

ERASE = "erase"
# Each call takes several requests to S3, and API Gateway waits for 30 seconds.
MAX_CALLS = 1_000
ERASURE_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
SIGNATURE_HEADER = "x-callseal-signature"
NEW_ERASURE: Mapping[str, Member] = {
    "call": optional(line(200)),
    "caller": optional(line(200)),
    "basis": line(MAX_BASIS),
    "anonymise": flag(False),
}

# Returns a request's last certificate with its signature, or None if it has none yet.
ReadCertificate = Callable[[Erasure], tuple[bytes, bytes] | None]


class ErasureRoutes:
    """Answers the routes."""

    def __init__(
        self,
        governors: Governors,
        calls: ErasureCalls,
        requests: ErasureRequests,
        queue: ErasureQueue,
        certificate: ReadCertificate,
    ) -> None:
        """Take the collaborators."""
        self._governors, self._calls, self._requests = governors, calls, requests
        self._queue, self._certificate = queue, certificate

    @property
    def routes(self) -> Mapping[str, Route]:
        """The routes."""
        return {
            "GET /api/erasures": self.all,
            "POST /api/erasures": self.start,
            "GET /api/erasures/{id}": self.show,
            "POST /api/erasures/{id}/approve": self.approve,
            "GET /api/erasures/{id}/certificate": self.certificate,
        }

    def all(self, request: Request) -> Answer:
        """Return the tenant's requests, newest first, or the user's own if the user's grants are limited."""
        visit = self._governors.visit(request)
        self._governors.check_action(visit, ERASE)
        listed = self._requests.listed(visit.tenant)
        return Answer(
            body={"erasures": [_summary(each) for each in listed if self._governors.sees(visit, ERASE, each.by)]}
        )

    def start(self, request: Request) -> Answer:
        """Start a request about a call or a caller, or return the open one about the same."""
        visit, asked = self._governors.visit(request), read_body(request, NEW_ERASURE)
        if (asked["call"] is None) == (asked["caller"] is None):
            raise invalid("Name either call or caller.")
        settings, _ = self._governors.settings(visit)
        caller = _number(asked["caller"], Numbering(settings.default_region, settings.own_numbers))
        cards = self._found(visit, asked["call"], caller)
        if len(cards) > MAX_CALLS:
            raise invalid(
                f"These are {len(cards)} calls, and a request here takes {MAX_CALLS} at most. Use the command."
            )
        with self._refusing(visit):
            report = self._requests.start(
                visit.tenant, visit.user.email, asked["basis"], caller=caller, call=asked["call"],
                anonymise=asked["anonymise"], region=settings.default_region,
            )  # fmt: skip
        if not self._governors.sees(visit, ERASE, report.request.by):
            sentence = "Another person has started an erasure of the same calls, which your grants do not let you see."
            raise self._governors.refused(visit, ERASE, "NotAllowed", sentence)
        return Answer(HTTPStatus.CREATED, report.public())

    def show(self, request: Request) -> Answer:
        """Return a request with the states of its files."""
        return Answer(body=self._seen(self._governors.visit(request), request).public())

    def approve(self, request: Request) -> Answer:
        """Approve a request that another person started, and have it carried out."""
        visit = self._governors.visit(request)
        read_body(request, {})
        found = self._seen(visit, request).request
        self._governors.check_cards(visit, ERASE, self._calls.by_ids(visit.tenant, found.calls).values())
        with self._refusing(visit):
            report = self._requests.approve(visit.tenant, found.id, visit.user.email)
        self._queue.put(visit.tenant, found.id)
        return Answer(HTTPStatus.ACCEPTED, report.public())

    def certificate(self, request: Request) -> Answer:
        """Return a request's last certificate as its exact bytes. A header has the signature over them."""
        report = self._seen(self._governors.visit(request), request)
        found = self._certificate(report.request)
        if found is None:
            raise not_found()
        data, signature = found
        name = f'attachment; filename="erasure-{report.request.id}.json"'
        headers = {SIGNATURE_HEADER: b64encode(signature).decode(), "content-disposition": name}
        return Answer(body=data, headers={"content-type": "application/json", **headers})

    def _seen(self, visit: Visit, request: Request) -> Report:
        """Return the request that a path names. Raise `NotFound` if there is none, or the user does not see it."""
        identifier = request.path["id"]
        if not ERASURE_ID.fullmatch(identifier):
            raise not_found()
        with self._refusing(visit):
            report = self._requests.status(visit.tenant, identifier)
        self._governors.check_maker(visit, ERASE, report.request.by)
        return report

    def _found(self, visit: Visit, call: str | None, caller: str | None) -> Sequence[Card]:
        """Return the calls that a request would be about, all of which the user may erase."""
        if caller is not None:
            self._governors.check_action(visit, ERASE)
            cards = self._calls.of_caller(visit.tenant, caller)
        else:
            cards = self._calls.of_call(visit.tenant, call or "")
            if not cards and ERASE not in visit.actions:
                raise not_found()
        self._governors.check_cards(visit, ERASE, cards)
        return cards

    @contextmanager
    def _refusing(self, visit: Visit) -> Iterator[None]:
        try:
            yield
        except SecondPersonNeededError as exc:
            raise self._governors.second_person_needed(visit, ERASE, str(exc)) from exc
        except (NoSuchRequestError, NothingFoundError) as exc:
            raise not_found() from exc
        except ErasureRefusedError as exc:
            raise invalid(str(exc)) from exc


def _number(caller: str | None, numbering: Numbering) -> str | None:
    """Return a number as it is indexed, or None for None. Raise `InvalidRequest`."""
    if caller is None:
        return None
    number = numbering.normalise(caller)
    if number is None:
        raise invalid("The caller is withheld or no number, so no call is indexed by it.")
    return number


def _summary(request: Erasure) -> dict[str, Any]:
    """Return a request without its files."""
    shown = Report(request, ()).public()
    return {name: value for name, value in shown.items() if name not in ("counts", "files")}
