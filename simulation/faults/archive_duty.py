"""A duty of the archive: people send requests to its functions, and the audit is compared with what they got."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from callseal.archive.may import User
from callseal.archive.session_table import SessionTable
from callseal.archive.sessions import COOKIE, Sessions
from callseal.calls.call_file import Delivery
from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_facts import plain_facts
from callseal.calls.card_table import CardTable
from callseal.calls.facts import Facts
from callseal.core.audit import timestamp
from simulation.faults.cloud import CALLS, STACK
from simulation.faults.duty import Duty
from simulation.faults.model import LEAKED, SILENT
from tests.support.archive import Reply, Visitor
from tests.support.sounds import Wav
from tests.support.stack import ARCHIVE

# How often people try again what failed.
TRIES = 3
SOUND = Wav(bytes(range(256)) * 20).file()
FILE = "/api/calls/{id}/files/{n}"
# The routes that duties use, by the function's verb.
ROUTES: Mapping[str, tuple[str, ...]] = {
    "open": ("POST /api/calls/{id}/access", f"GET {FILE}/audio"),
    "draw": (f"GET {FILE}/waveform",),
    "search": ("GET /api/calls", "GET /api/calls/{id}"),
    "share": ("POST /api/shares", "GET /api/shares", "DELETE /api/shares/{id}"),
    "serve": ("POST /s/{id}/code", "POST /s/{id}/open", "GET /s/{id}/audio"),
    "sign": ("GET /api/me", "POST /api/me/terms", "POST /auth/logout"),
    "govern": (
        "POST /api/holds", "POST /api/holds/{name}/release", "POST /api/holds/{name}/approve",
        "POST /api/erasures", "POST /api/erasures/{id}/approve",
    ),
}  # fmt: skip
FAILED = {"statusCode": 500, "headers": {}, "body": json.dumps({"error": "InternalServerError", "message": "Failed."})}


@dataclass(frozen=True)
class Gateway:
    """One function behind the API, which answers 500 for a function that gives no answer."""

    function: str
    invoke: Callable[[str, Mapping[str, Any]], Any]

    def routes(self) -> Iterable[str]:
        """Return the function's routes."""
        return ROUTES[self.function]

    def lambda_handler(self, event: Mapping[str, Any], _context: object) -> Any:
        """Return the function's answer."""
        return self.invoke(self.function, event) or FAILED


class ArchiveDuty(Duty):
    """One attempt at a duty of the archive."""

    def heal(self) -> None:
        """Do nothing: people do not redrive."""

    def throw_away(self) -> None:
        """Empty the archive's tables, too, and delete the recordings."""
        super().throw_away()
        self._cloud.forget_archive()
        self._cloud.remove([(ARCHIVE, key) for key in self._cloud.listing(ARCHIVE) if key.startswith(self._tenant)], [])

    def person(self, *groups: str, tenant: str = "", email: str = "kari@acme.example") -> Visitor:
        """Return the browser of someone who has signed in."""
        table = SessionTable(self._cloud.client("dynamodb"), f"{STACK}-archive-sessions", self._clock)
        user = User(email, frozenset(groups), None)
        secret = Sessions(table, self._clock).start(tenant or self._tenant, user, "Kari", False, None)
        return Visitor(self.gateways(), {COOKIE: secret})

    def gateways(self) -> list[Gateway]:
        """Return the functions behind the API."""
        return [Gateway(function, self._answer) for function in ROUTES]

    def call(self, name: str, *, tenant: str = "", **facts: Any) -> str:
        """Put a call with one plain recording (file 0) in the archive. Return its id."""
        call, now = CallName(tenant or self._tenant, name), timestamp(self._clock())
        key = f"{call.tenant}/{name}.wav"
        self._cloud.put(ARCHIVE, key, SOUND, {"callseal-sealed": "none", "callseal-source-etag": "e"})
        known = plain_facts(Facts(started=self._clock(), seconds=1, **facts), lambda _: False)
        delivery = Delivery("d" * 32, now, len(SOUND), None, "none", ())

        def described(card: Card) -> Card:
            return card.with_metadata(f"{call.tenant}/{name}.json", "read", known, now)

        def delivered(card: Card) -> Card:
            return card.with_delivery(("archive", ARCHIVE, key), delivery)

        table = CardTable(self._cloud.client("dynamodb"), CALLS, self._clock)
        failed = table.apply({call: [described, delivered]})
        if failed:
            raise RuntimeError(f"the card cannot be written: {failed}")
        return call.id

    def persist(self, send: Callable[[], Reply]) -> Reply:
        """Send a request until it is answered, as people do. Return the last answer."""
        for _ in range(TRIES):
            reply = send()
            if reply.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
        return reply

    def recorded(self, kind: str, **members: Any) -> int:
        """Return how many events of a type, with these members of `archive`, the bus has accepted until now."""
        for event in self._cloud.audit():
            self._look_at_event(event["detail-type"], event["detail"])
        details = [detail["archive"] for detail in self.told(kind, tenant=self._tenant)]
        return sum(all(archive[name] == value for name, value in members.items()) for archive in details)

    def must_be_recorded(self, what: str, kind: str, times: int = 1, **members: Any) -> None:
        """Complain unless the bus has accepted at least so many such events until now."""
        found = self.recorded(kind, **members)
        if found < times:
            self.complain(SILENT, f"{what}, and the bus has accepted {found} {kind} events of it, not {times}")

    def must_refuse(self, reply: Reply, status: int) -> None:
        """Complain unless a request was refused, without faults, with this status."""
        if reply.status < HTTPStatus.BAD_REQUEST:
            self.complain(LEAKED, f"a request that must be refused is answered with {reply.status}")
        else:
            self.must_equal(SILENT, "a refusal", reply.status, status)

    def _answer(self, function: str, event: Mapping[str, Any]) -> Any:
        killed, before = self._is_kill(), self.environment
        answer = self._invoke(function, event)
        if answer is None and not (killed and self.environment is not before):
            self.complain(SILENT, f"{function} raised an exception and gave no answer")
        return answer

    def _is_kill(self) -> bool:
        return bool(self._case.trouble and self._case.trouble.is_kill)

    def _clock(self) -> datetime:
        return datetime.now(UTC) + self._ahead
