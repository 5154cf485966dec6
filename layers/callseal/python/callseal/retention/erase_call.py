"""Erase one call of an approved request: each place, then look again.

    examine -> ledger: pending -> audit -> ledger: tried -> delete -> list again -> ledger: what became of each file

A file's item is in the ledger before the file is deleted, so a run that is interrupted is continued by the next one. A
file whose delete was tried, and that is not there any more, is erased, whichever run finds that. A file that is still
there after its delete is never reported as erased.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from callseal.aws.bus import AuditBus
from callseal.calls.card import Card
from callseal.calls.numbers import holds_number
from callseal.core.clock import Clock
from callseal.core.errors import AccessRefusedError, SourceGoneError
from callseal.retention import erasure_events as events
from callseal.retention.call_traces import CallTraces
from callseal.retention.erasure import OVER, LedgerFile, Request
from callseal.retention.erasure_files import CallFiles
from callseal.retention.erasure_places import CallPlaces, Stored
from callseal.retention.erasure_table import ErasureTable
from callseal.tenants.directory import Tenants

Examined = Sequence[tuple[Stored | None, LedgerFile]]


class CallErasure:
    """Erases calls. Thread-safe."""

    def __init__(
        self,
        table: ErasureTable,
        files: CallFiles,
        places: CallPlaces,
        traces: CallTraces,
        tenants: Tenants,
        bus: AuditBus,
        clock: Clock,
    ) -> None:
        """Take the collaborators."""
        self._table, self._files, self._places, self._traces = table, files, places, traces
        self._tenants, self._bus, self._clock = tenants, bus, clock

    def erase(self, request: Request, card: Card, before: Iterable[LedgerFile]) -> list[LedgerFile]:
        """Erase what may be erased of a call. Return all its files, with the states that they have then.

        `before` are its files in the ledger.
        """
        ledger = _by_id(before)
        examined = self._examined(request, card, ledger)
        self._save_new(ledger, _merged(ledger, [file for _, file in _recordings(examined)]))
        self._traces.cancel_shares(request.tenant, card.call.id, self._clock())
        due = [(stored, file) for stored, file in examined if stored and file.state == "pending"]
        for stored, file in due:
            self._announce(request, stored, file)
        tried = [replace(file, tried=True) for _, file in _recordings(due) if not file.tried]
        self._save_new(ledger, tried)
        for stored, _ in due:
            self._delete(stored)
        after = self._after(request, card, ledger, [file for _, file in due])
        # The rows come first: a run that breaks off here finds the same changes of the ledger again.
        if all(file.state in OVER for file in (ledger | _by_id(after)).values() if file.place == "sftp"):
            self._traces.remove_rows_of_call(card.call)
        self._save_new(ledger, after)
        if all(file.state in OVER for file in ledger.values()):
            self._traces.remove_waveforms(request.tenant, card.call.id)
        return list(ledger.values())

    def erase_again(self, request: Request, card: Card, before: Iterable[LedgerFile]) -> list[LedgerFile]:
        """Erase what was delivered of an ended call meanwhile, by a worker that had begun before its end.

        A file that landed again is not touched: it is held, and an operator decides about it.
        """
        ledger = _by_id(before)
        if not self._places.delivered(card.call):
            return list(ledger.values())
        return self.erase(request, card, ledger.values())

    def _examined(self, request: Request, card: Card, ledger: Mapping[str, LedgerFile]) -> Examined:
        """Return the files as they are now, and whether an earlier run has tried to delete them."""
        found = self._files.examine(request, card, self._clock())
        tried = {file.id for file in ledger.values() if file.tried}
        return [(stored, replace(file, tried=file.id in tried)) for stored, file in found]

    def _announce(self, request: Request, stored: Stored, file: LedgerFile) -> None:
        if not stored.is_marker:
            names_number = holds_number(stored.key, self._tenants.settings(request.tenant).default_region)
            self._bus.put(events.file_erased(request, stored, file, names_number, self._clock()))

    def _delete(self, stored: Stored) -> None:
        try:
            self._places.delete(stored)
        except (AccessRefusedError, SourceGoneError):
            return  # the second listing finds out why

    def _after(
        self, request: Request, card: Card, ledger: Mapping[str, LedgerFile], deleted: Iterable[LedgerFile]
    ) -> list[LedgerFile]:
        """Return the files that have another state after the deletes, by what is there and what is not."""
        ids, now = {file.id for file in deleted}, self._clock()
        examined = _recordings(self._examined(request, card, ledger))
        there = {file.id: (stored, replace(file, tried=False)) for stored, file in examined if stored}
        gone = [file for file in ledger.values() if file.id not in there and file.state not in OVER]
        left = [self._files.judge(file, stored, now) if file.id in ids else file for stored, file in there.values()]
        return [
            *(_over(file) for file in gone),
            *(file for file in left if ledger.get(file.id) != file),
        ]

    def _save_new(self, ledger: dict[str, LedgerFile], changed: Sequence[LedgerFile]) -> None:
        if changed:
            self._table.save_files(changed)
            ledger.update(_by_id(changed))


def _by_id(files: Iterable[LedgerFile]) -> dict[str, LedgerFile]:
    return {file.id: file for file in files}


def _recordings(examined: Examined) -> Examined:
    """Return what has bytes: no delete markers."""
    return [(stored, file) for stored, file in examined if not (stored and stored.is_marker)]


def _merged(ledger: Mapping[str, LedgerFile], files: Iterable[LedgerFile]) -> list[LedgerFile]:
    """Return the files whose state in the ledger is another one. What is over stays over if the file is not there."""
    return [file for file in files if ledger.get(file.id) != file and not (file.state in OVER and file.id in ledger)]


def _over(file: LedgerFile) -> LedgerFile:
    """Return a file that is not there any more."""
    if file.place == "sftp" and file.fetched:
        return replace(file, state="at_recipient", until=None)
    return replace(file, state="erased" if file.tried else "gone", until=None)
