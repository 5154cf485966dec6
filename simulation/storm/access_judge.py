"""The judge of what people get from the archive: each answer when it comes, and all bytes once more at the end.

What the audit bus has accepted is seen at the proxy, before the function hears of it. So an event that is there when
an answer comes was accepted before the answer.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from threading import RLock
from typing import Any, Protocol

from simulation.faults.call_metadata import PARTY
from simulation.faults.cloud import Stored
from simulation.faults.model import schema
from simulation.storm.roles import Identity, KnownCall
from simulation.storm.witness import Complaint, Letter, landing_key

OK, FAILED, NOT_FOUND = "ok", "failed", "NotFound"
# The codes of the contract by status. Under faults, any status from 500 on may take an answer's place.
CODES: Mapping[int, set[str]] = {
    400: {"InvalidRequest", "InvalidFilter", "InvalidCursor", "InvalidRange", "SignInFailed"},
    401: {"NotSignedIn"},
    403: {"NotAllowed", "RestrictedRecording", "SensitiveRecording", "ReasonRequired", "TermsNotAccepted",
          "CsrfRefused", "CodeRefused", "SecondPersonNeeded"},
    404: {NOT_FOUND},
    409: {"SealedRecording", "PlainRecording", "OnHold", "ErasurePending"},
    415: {"JsonRequired"},
    416: {"InvalidRange"},
    429: {"TooMany"},
    503: {"AuditUnavailable", "Unavailable"},
}  # fmt: skip
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class Reply(Protocol):
    """An answer of the archive."""

    @property
    def status(self) -> int:
        """The status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, with names in lower case."""

    @property
    def data(self) -> bytes:
        """The body."""

    @property
    def json(self) -> Any:
        """The body as JSON."""


@dataclass(frozen=True)
class Accepted:
    """An event about people that the bus has accepted, and when."""

    at: float
    id: str
    kind: str
    time: str
    archive: Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """Bytes that someone got of an object in the archive: their place, their hash, and whether they came as sound."""

    who: str
    key: str
    first: int
    length: int
    whole: int
    digest: str
    as_sound: bool


class AccessJudge:
    """Judges all people of a storm. Thread-safe."""

    def __init__(self, calls: Mapping[str, KnownCall]) -> None:
        """Take the plan's calls by their ids."""
        self.calls = calls
        self.calm = False
        self.complaints: list[Complaint] = []
        self.counts: Counter[str] = Counter()
        self._lock = RLock()
        self._accepted: dict[str, list[Accepted]] = defaultdict(list)
        self._parts: list[Part] = []

    # ---- the audit --------------------------------------------------------------------------------------------------

    def accept(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Record the events that the bus has accepted."""
        for entry in entries:
            detail = json.loads(entry["Detail"])
            if archive := detail.get("archive"):
                if PARTY in entry["Detail"]:
                    self.complain("T", f"{archive['user']}: {entry['DetailType']}", "an event has a caller's number")
                event = Accepted(time.monotonic(), detail["id"], entry["DetailType"], detail["time"], archive)
                with self._lock:
                    self._accepted[archive["user"]].append(event)

    def accepted(self, user: str, kind: str, since: float = 0.0, **members: Any) -> list[Accepted]:
        """Return a user's events of a kind, accepted since a moment, that have these members."""
        with self._lock:
            return [
                event
                for event in self._accepted[user]
                if event.kind == kind
                and event.at >= since
                and all(event.archive[name] == value for name, value in members.items())
            ]

    def must_be_recorded(self, what: str, user: str, kind: str, since: float = 0.0, **members: Any) -> None:
        """Complain unless the bus has accepted such an event until now."""
        if not self.accepted(user, kind, since, **members):
            self.complain("N", f"{user}: {what}", f"no {kind} event was accepted before")

    def events_of(self, call: str) -> list[Accepted]:
        """Return all events about a call."""
        with self._lock:
            return [event for events in self._accepted.values() for event in events if event.archive["call"] == call]

    # ---- answers ----------------------------------------------------------------------------------------------------

    def outcome(self, what: str, user: str, reply: Reply, expected: set[str]) -> str:
        """Return the code of an answer, `ok` or `failed`. Complain unless it is an expected one."""
        code = self._code(what, user, reply)
        with self._lock:
            self.counts["answers"] += 1
            self.counts["failed answers"] += code == FAILED
            self.counts["refusals"] += code not in (OK, FAILED) and code in expected
        if code == FAILED and self.calm:
            self.complain("X", f"{user}: {what}", f"the answer is {reply.status} although no request fails any more")
        if code not in {*expected, FAILED}:
            letter: Letter = "G" if code == OK else "X"
            self.complain(letter, f"{user}: {what}", f"the answer is {code}, and not one of {sorted(expected)}")
        return code

    def _code(self, what: str, user: str, reply: Reply) -> str:
        if reply.status < HTTPStatus.BAD_REQUEST:
            return OK
        try:
            code = str(reply.json["error"])
        except (ValueError, KeyError, TypeError):
            code = ""
        is_failure = reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if code not in CODES.get(reply.status, set()) and not is_failure:
            self.complain("X", f"{user}: {what}", f"{reply.status} {code} is no answer of the API")
        return FAILED if is_failure else code

    def got(self, who: str, file: Mapping[str, Any], reply: Reply, *, as_sound: bool, whole: bool = False) -> None:
        """Record bytes of a file, as a card shows it, that someone got."""
        key, place = file["key"], _RANGE.fullmatch(reply.headers.get("content-range", ""))
        first, last, size = map(int, place.groups()) if place else (0, len(reply.data) - 1, len(reply.data))
        if (not place and not whole) or last - first + 1 != len(reply.data):
            self.complain("D", f"{who}: {key}", f"{len(reply.data)} bytes as {reply.headers.get('content-range')}")
        if as_sound and file["sealed"] != "none":
            self.complain("G", f"{who}: {key}", "sealed bytes came as sound")
        part = Part(who, key, first, len(reply.data), size, sha256(reply.data).hexdigest(), as_sound)
        with self._lock:
            self._parts.append(part)

    def count(self, what: str) -> None:
        """Count something that was done."""
        with self._lock:
            self.counts[what] += 1

    def complain(self, letter: Letter, what: str, seen: str) -> None:
        """Record a complaint, once."""
        complaint = Complaint(letter, what, seen)
        with self._lock:
            if complaint not in self.complaints:
                self.complaints.append(complaint)

    # ---- the end ----------------------------------------------------------------------------------------------------

    def judge(self, read: Callable[[str], Stored | None], audit: Iterable[Mapping[str, Any]]) -> None:
        """Compare all bytes with the archive's objects, and what the bus has accepted with the copy of the audit."""
        of_key: dict[str, list[Part]] = defaultdict(list)
        for part in self._parts:
            of_key[part.key].append(part)
        for key, parts in of_key.items():
            stored = read(key)
            for part in parts:
                self._compare(part, stored)
        copied = set()
        for event in audit:
            copied.add(event["detail"]["id"])
            if errors := [error.message for error in schema().iter_errors(event["detail"])]:
                self.complain("N", event["detail"]["id"], f"an event does not follow its schema: {errors}")
        for events in self._accepted.values():
            for each in events:
                if each.id not in copied:
                    self.complain("N", f"{each.archive['user']}: {each.kind}", "the audit's copy lacks the event")

    def _compare(self, part: Part, stored: Stored | None) -> None:
        what = f"{part.who}: {part.key}"
        if stored is None:
            self.complain("D", what, "bytes of an object that is not in the archive")
            return
        wanted = stored.data[part.first : part.first + part.length]
        if (part.whole, part.digest) != (len(stored.data), sha256(wanted).hexdigest()):
            self.complain("D", what, f"{part.length} bytes from {part.first} on are not those of the archive")
        if part.as_sound and (stored.metadata.get("callseal-sealed"), landing_key(part.key)[1]) != ("none", "none"):
            self.complain("G", what, "the bytes of a sealed object came as sound")

    # ---- cards ------------------------------------------------------------------------------------------------------

    def look_at_card(self, person: Identity, card: Mapping[str, Any], refused: str) -> None:
        """Check a card that someone was shown. `refused` is the code by which the call should have been refused."""
        call, who = self.calls.get(card["id"]), f"{person.email}: {card['id']}"
        if call is None or call.tenant != person.tenant or card["tenant"] != person.tenant:
            self.complain("G", who, f"the card of a call of {card['tenant']}")
        elif refused:
            self.complain("G", who, f"the card of a call that is refused: {refused}")
        elif strange := [file["key"] for file in card["files"] if landing_key(file["key"])[0] not in call.keys]:
            self.complain("G", who, f"the card has files of other calls: {strange}")
