"""The routes that open recordings: an access, the sound of plain ones, downloads, the bytes of sealed ones.

An access is recorded before its first byte is sent, and each request for bytes is decided about anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from secrets import token_hex
from typing import TYPE_CHECKING

from callseal.archive.archive_bucket import ArchiveBucket, RecordingGoneError
from callseal.archive.body import REASON, TEXT, choice, read_body, whole
from callseal.archive.byte_range import MAX_BYTES, parse_range
from callseal.archive.events import archive_event
from callseal.archive.granted import GrantedAccess
from callseal.archive.played import seconds_member
from callseal.archive.recording_file import (
    MAX_FILES,
    archive_file,
    delivery_of,
    file_number,
    is_sealed,
    media_type,
    name_of,
    recording,
    sealed_refusal,
)
from callseal.archive.sessions import Sessions
from callseal.archive.visit import CallAccess, Visits
from callseal.core.audit import timestamp
from callseal.core.event_types import EventType
from callseal.inbound.http import Answer, RefusedRequestError, Request, Route, not_found

if TYPE_CHECKING:
    from callseal.archive.access_trail import AccessTrail
    from callseal.calls.call_file import CallFile

PLAY, DOWNLOAD = "play", "download"
FILE = whole(0, MAX_FILES)
ACCESS = {"action": choice(PLAY, DOWNLOAD), "file": FILE, "reason": REASON, "text": TEXT}
PLAYED = {"file": FILE, "seconds": seconds_member()}
ACCEPT_RANGES = {"accept-ranges": "bytes"}


class RecordingRoutes:
    """Answers the routes."""

    def __init__(
        self, visits: Visits, sessions: Sessions, calls: CallAccess, bucket: ArchiveBucket, trail: AccessTrail
    ) -> None:
        """Take the collaborators."""
        self._visits, self._sessions, self._calls = visits, sessions, calls
        self._bucket, self._trail = bucket, trail
        self._granted = GrantedAccess(visits, sessions, calls)

    @property
    def routes(self) -> Mapping[str, Route]:
        """The routes."""
        file = "/api/calls/{id}/files/{n}"
        return {
            "POST /api/calls/{id}/access": self.access,
            "POST /api/calls/{id}/played": self.played,
            f"GET {file}/audio": self.audio,
            f"GET {file}/sealed": self.sealed,
            f"POST {file}/download": self.download,
        }

    def access(self, request: Request) -> Answer:
        """Grant an access to a file for 15 minutes, after it was recorded."""
        visit, asked = self._visits.visit(request), read_body(request, ACCESS)
        call, action, number = request.path["id"], asked["action"], asked["file"]
        facts = {"file": number, "reason": asked["reason"], "text": asked["text"] or None}
        card = self._granted.openable(visit, call, action, **facts)
        file = archive_file(card, number) if action == DOWNLOAD else recording(card, number)
        if action in visit.access.reason_for and not asked["reason"]:
            sentence = "State a reason: your administrator wants one for this."
            raise self._calls.refused(visit, call, action, "ReasonRequired", sentence=sentence, **facts)
        access, until = token_hex(16), self._sessions.until()
        event = archive_event(
            _kind(action, file), visit.actor, visit.now,
            call=card.call.id, action=action, access=access, **facts,
        )  # fmt: skip
        self._trail.record(event)
        self._sessions.grant(visit.session, call, number, action, access, until)
        return Answer(HTTPStatus.CREATED, {"access": access, "expires": timestamp(until)})

    def played(self, request: Request) -> Answer:
        """Record which seconds of a recording were played, as the page saw it."""
        visit, seen = self._visits.visit(request), read_body(request, PLAYED)
        call, number = request.path["id"], seen["file"]
        card = self._calls.allowed(visit, call, PLAY, file=number)
        recording(card, number)
        access = self._granted.check(visit, call, number, PLAY)
        members = {"call": call, "file": number, "action": PLAY, "access": access, "seconds": seen["seconds"]}
        self._trail.record(archive_event(EventType.RECORDING_PLAYED, visit.actor, visit.now, **members))
        return Answer(HTTPStatus.NO_CONTENT)

    def audio(self, request: Request) -> Answer:
        """Return a range of a plain recording's bytes."""
        asked = self._granted.asked(request, PLAY)
        file = asked.file
        if is_sealed(file):
            raise sealed_refusal(file)
        self._granted.check(asked.visit, asked.card.call.id, file.n, PLAY)
        return self._bytes(request, file, media_type(file), None)

    def sealed(self, request: Request) -> Answer:
        """Return a range of a sealed recording's bytes, for its owner to open in the page."""
        asked = self._granted.asked(request, PLAY)
        file = asked.file
        if not is_sealed(file):
            sentence = "The recording is not sealed. Play it instead."
            raise RefusedRequestError(HTTPStatus.CONFLICT, "PlainRecording", sentence)
        self._granted.check(asked.visit, asked.card.call.id, file.n, PLAY)
        return self._bytes(request, file, "application/octet-stream", MAX_BYTES)

    def download(self, request: Request) -> Answer:
        """Return a URL from which the browser downloads the file within 60 seconds."""
        visit, call, number = self._visits.visit(request), request.path["id"], file_number(request.path["n"])
        read_body(request, {})
        card = self._granted.openable(visit, call, DOWNLOAD, file=number)
        file = archive_file(card, number)
        self._granted.check(visit, call, number, DOWNLOAD)
        return Answer(body={"url": self._bucket.download_url(file.key, name_of(file))})

    def _bytes(self, request: Request, file: CallFile, kind: str, most: int | None) -> Answer:
        delivery = delivery_of(file)
        part = parse_range(request.headers.get("range"), delivery.size, most)
        try:
            data, etag = self._bucket.read(file.key, part, delivery.sealed)
        except RecordingGoneError as exc:
            raise not_found() from exc
        headers = {**ACCEPT_RANGES, "content-type": kind, "content-range": part.header, "etag": etag}
        return Answer(HTTPStatus.PARTIAL_CONTENT, data, headers)


def _kind(action: str, file: CallFile) -> EventType:
    if action == DOWNLOAD:
        return EventType.RECORDING_DOWNLOADED
    return EventType.RECORDING_OPENED_BY_KEY if is_sealed(file) else EventType.RECORDING_PLAYED
