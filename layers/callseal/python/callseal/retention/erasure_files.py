"""What a request does to the files of a call: the state of each, from where it is, and what stops its delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callseal.calls.call_file import FETCHED, CallFile
from callseal.calls.call_name import extension_of
from callseal.calls.card import Card
from callseal.core.errors import CallsealError, SourceGoneError
from callseal.retention.erasure import LedgerFile, Request, file_id
from callseal.retention.erasure_places import MANIFEST, CallPlaces, Stored

if TYPE_CHECKING:
    from callseal.sftp.file_table import FileRegister

# Returns the names of the holds that a call is under.
HoldsOf = Callable[[Card], Sequence[str]]


class CallFiles:
    """Examines the files of calls. It deletes nothing."""

    def __init__(self, places: CallPlaces, register: FileRegister, holds_of: HoldsOf) -> None:
        """Take the collaborators."""
        self._places, self._register, self._holds_of = places, register, holds_of

    def examine(self, request: Request, card: Card, now: datetime) -> list[tuple[Stored | None, LedgerFile]]:
        """Return each file of a call that is somewhere, or was delivered, with the state that it has now.

        A file that is there and may be deleted is `pending`. A delete marker has no file of its own in the ledger.
        """
        stored = self._places.find(card.call)
        fetched = self._fetched(card, stored)
        is_held = bool(self._holds_of(card))
        archived = {extension_of(each.key) for each in stored if each.place == "archive" and not each.is_marker}
        found = list[tuple[Stored | None, LedgerFile]]()
        for each in stored:
            file = self._file(request, card, each, fetched)
            # A hold is about the recording. Its copy for the recipient goes if the archive has the same file. The
            # manifest of copies is no recording.
            is_copy = extension_of(each.key) in archived or each.key.endswith(f"/{MANIFEST}")
            stays = is_held and not (each.place == "sftp" and is_copy)
            found.append((each, self._judged(file, each, stays, now)))
        known = {file.id for _, file in found}
        gone = {file.id: file for file in self._delivered(request, card, fetched) if file.id not in known}
        return [*found, *((None, file) for file in gone.values())]

    def judge(self, file: LedgerFile, stored: Stored, now: datetime) -> LedgerFile:
        """Return a file that is still there after its delete, with the state that says why."""
        judged = self._judged(file, stored, False, now)
        return replace(judged, state="failed") if judged.state == "pending" else judged

    def _judged(self, file: LedgerFile, stored: Stored, stays: bool, now: datetime) -> LedgerFile:
        if stays:
            return replace(file, state="held", until=None)
        try:
            lock = self._places.lock(stored, now)
        except SourceGoneError:
            return replace(file, state="gone", until=None)
        if lock is None:
            return replace(file, state="pending", until=None)
        return replace(file, state="held" if lock.held else "retained", until=lock.until)

    def _file(self, request: Request, card: Card, stored: Stored, fetched: frozenset[str]) -> LedgerFile:
        # A file from before the archive had versions has the version `null`, and no version on its card.
        version = None if stored.version == "null" else stored.version
        # A landed file that is replaced meanwhile is another file.
        of_content = stored.etag if stored.place == "landing" else version
        facts = _facts_of(card, stored)
        return LedgerFile(
            request.tenant, request.id, card.call.id, file_id(stored.place, stored.key, of_content), stored.place,
            version, facts.get("sha256"), stored.size, fetched=stored.key in fetched,
        )  # fmt: skip

    def _delivered(self, request: Request, card: Card, fetched: frozenset[str]) -> Iterator[LedgerFile]:
        """Yield the files that the card knows as delivered. Those that are not there any more are gone."""
        for file in card.files:
            for delivery in file.deliveries if file.destination == "archive" else file.deliveries[-1:]:
                is_at_recipient = file.destination == "sftp" and file.key in fetched
                yield LedgerFile(
                    request.tenant, request.id, card.call.id, file_id(file.destination, file.key, delivery.version),
                    file.destination, delivery.version, delivery.sha256, delivery.size,
                    "at_recipient" if is_at_recipient else "gone", fetched=is_at_recipient,
                )  # fmt: skip

    def _fetched(self, card: Card, stored: Iterable[Stored]) -> frozenset[str]:
        """Return the keys of the files that the recipient has fetched, by the card and by the register of files."""
        keys = {each.key for each in stored if each.place == "sftp"}
        keys |= {file.key for file in card.files if file.destination == "sftp"}
        found = set(_fetched_by_card(card.files))
        for (_, key), file in self._register.find_all((card.call.tenant, key) for key in keys).items():
            if isinstance(file, CallsealError):
                raise file
            if file.fetched:
                found.add(key)
        return frozenset(found)


def _fetched_by_card(files: Iterable[CallFile]) -> Iterator[str]:
    return (file.key for file in files if file.destination == "sftp" and file.state == FETCHED)


def _facts_of(card: Card, stored: Stored) -> dict[str, Any]:
    """Return what the card knows of a stored object, by its place, its key and its version."""
    for file in card.files:
        if (file.destination, file.key) == (stored.place, stored.key):
            for delivery in reversed(file.deliveries):
                if delivery.version in (None, stored.version):
                    return {"sha256": delivery.sha256}
    return {}
