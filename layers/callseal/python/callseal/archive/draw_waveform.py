"""The route of waveforms: drawn from a plain recording at the first request, and kept in a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from callseal.archive.archive_bucket import ArchiveBucket, RecordingGoneError
from callseal.archive.granted import Asked, GrantedAccess
from callseal.archive.open_recording import PLAY
from callseal.archive.recording_file import delivery_of, is_sealed, sealed_refusal
from callseal.archive.sound.sound import NoWaveformError
from callseal.archive.waveform import Waveform, waveform_of
from callseal.aws.calls import calling
from callseal.calls.waveform_place import place_of
from callseal.inbound.http import Answer, Request, Route, not_found

if TYPE_CHECKING:
    from callseal.archive.waveform_table import WaveformTable

READ_BYTES = 256 * 1024
# Reading more would take longer than ArchiveApi waits.
MAX_BYTES = 1024**3


class WaveformRoutes:
    """Answers the route."""

    def __init__(self, granted: GrantedAccess, waveforms: WaveformTable, bucket: ArchiveBucket) -> None:
        """Take the collaborators."""
        self._granted, self._waveforms, self._bucket = granted, waveforms, bucket

    @property
    def routes(self) -> Mapping[str, Route]:
        """The route."""
        return {"GET /api/calls/{id}/files/{n}/waveform": self.waveform}

    def waveform(self, request: Request) -> Answer:
        """Return the peaks of a plain recording's two sides."""
        asked = self._granted.asked(request, PLAY)
        file = asked.file
        if is_sealed(file):
            raise sealed_refusal(file)
        self._granted.check(asked.visit, asked.card.call.id, file.n, PLAY)
        # A file that is delivered anew is another recording, so it has another waveform.
        tenant, place = asked.visit.tenant, place_of(asked.card.call.id, file.n, delivery_of(file).id)
        found = self._waveforms.get(tenant, place)
        if found is None:
            found = self._drawn(asked)
            self._waveforms.put(tenant, place, found)
        return Answer(body=found.answer())

    def _drawn(self, asked: Asked) -> Waveform:
        if delivery_of(asked.file).size > MAX_BYTES:
            raise not_found()
        try:
            with self._bucket.whole(asked.file.key, delivery_of(asked.file).sealed) as body:
                return waveform_of(_chunks(body))
        except (RecordingGoneError, NoWaveformError) as exc:
            raise not_found() from exc


def _chunks(body: Any) -> Iterator[bytes]:
    """Yield the bytes of a stream. Raise TransientError if reading fails."""
    with calling("Reading a recording in the archive"):
        yield from body.iter_chunks(READ_BYTES)
