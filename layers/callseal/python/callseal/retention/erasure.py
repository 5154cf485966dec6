"""Requests for erasure and the states of their files: values only.

A request names no person. Its subject is a call's id, or the keyed hash of a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from callseal.calls.classes import parse_duration
from callseal.core.audit import timestamp
from callseal.core.errors import CallsealError

RequestState = Literal["requested", "running", "partly", "done", "refused"]
FileState = Literal["pending", "erased", "held", "retained", "gone", "failed", "at_recipient"]
# The law's time for an answer (GDPR, article 12(3)), and the days on which an alarm reports a request that is not done.
ANSWER_TIME = parse_duration("1m")
LATE, OVERDUE = timedelta(days=21), timedelta(days=28)
UNFINISHED, REFUSED = ("pending", "failed"), ("held", "retained")
# What is over, whether or not something was deleted.
OVER = ("erased", "gone", "at_recipient")


class ErasureRefusedError(CallsealError):
    """The step is refused. Its sentence is for the person who asked for it."""


class NoSuchRequestError(ErasureRefusedError):
    """The tenant has no such request."""


class NothingFoundError(ErasureRefusedError):
    """There is nothing to erase, so no request was made."""


class SecondPersonNeededError(ErasureRefusedError):
    """The person who asks for an erasure approves it, too."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request for erasure. Times are RFC 3339 in UTC; `due` is the end of the law's time, and never moves.

    `calls` are the calls' ids, fixed when the request was made. `noticed` is when the notice to the recipient was
    written (`-` if none was needed), `notified` when the recipient has answered it. `certificates` counts the
    certificates, `certified` is the SHA-256 of the last one, and `certified_states` the states that it reports. `begun`
    and `begun_states` are the time and the states of a certificate that is being written.
    `revision` counts the writes.
    """

    tenant: str
    id: str
    subject: str
    basis: str
    by: str
    created: str
    due: str
    calls: tuple[str, ...]
    anonymise: bool = False
    state: RequestState = "requested"
    coverage_from: str | None = None
    approved_by: str | None = None
    approved: str | None = None
    finished: str | None = None
    noticed: str | None = None
    notified: str | None = None
    certificates: int = 0
    certified: str | None = None
    certified_states: str | None = None
    begun: str | None = None
    begun_states: str | None = None
    revision: int = 0

    @property
    def is_approved(self) -> bool:
        """Whether a second person has approved it."""
        return self.approved is not None

    def age(self, now: datetime) -> timedelta:
        """Return how long ago the request was made."""
        return now - datetime.fromisoformat(self.created)


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """A file of a request: where it was, and what became of it. It has no name.

    `place` is `archive`, `sftp` or `landing`. `sha256` is of the delivered bytes, None if they were plain metadata.
    `until` is the end of the lock of a `retained` file. `fetched` is whether the recipient has the file. `tried` is
    whether its delete was begun: a run that breaks off after that has erased it, if it is not there any more.
    """

    tenant: str
    request: str
    call: str
    id: str
    place: str
    version: str | None = None
    sha256: str | None = None
    size: int | None = None
    state: FileState = "pending"
    until: str | None = None
    fetched: bool = False
    tried: bool = False

    def member(self) -> dict[str, str | None]:
        """Return the file as a member of the answer to the command."""
        return {"call": self.call, "place": self.place, "state": self.state, "until": self.until}

    def certified(self) -> dict[str, str | None]:
        """Return the file as a member of the certificate."""
        return {
            "call": self.call,
            "place": self.place,
            "version": self.version,
            "sha256": self.sha256,
            "state": self.state,
            "until": self.until,
        }


def file_id(place: str, key: str, version: str | None) -> str:
    """Return by what a request knows a file: a hash, because a key may hold a number."""
    return sha256(f"{place}\0{key}\0{version or ''}".encode()).hexdigest()[:32]


def request_id(tenant: str, subject: str, earlier: int) -> str:
    """Return the id of a tenant's request about a subject. `earlier` counts the finished requests about it."""
    return sha256(f"{tenant}\0{subject}\0{earlier}".encode()).hexdigest()[:16]


def due_after(created: datetime) -> str:
    """Return when the law's time for an answer ends."""
    return timestamp(ANSWER_TIME.after(created))


def counts_of(files: Iterable[LedgerFile]) -> dict[str, int]:
    """Return how many files are in which state."""
    return dict(sorted(Counter(file.state for file in files).items()))


def state_of(files: Iterable[LedgerFile]) -> RequestState:
    """Return the state of an approved request, by the states of its files."""
    states = {file.state for file in files}
    if states & set(UNFINISHED):
        return "running"
    if states & set(REFUSED):
        return "partly" if states & {"erased", "at_recipient"} else "refused"
    return "done"


def latest(files: Iterable[LedgerFile]) -> str | None:
    """Return the latest end of a lock among files, or None if none is locked."""
    return max((file.until for file in files if file.until), default=None)
