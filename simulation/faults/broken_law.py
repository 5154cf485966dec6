"""Variants that break each duty of the law on purpose, each with one trouble that exposes it if it needs one.

Each function is called in the execution environment's process, before its first event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from callseal.calls.card import Card
from callseal.core.errors import TransientError
from callseal.retention import erasure_certificates, hold, legal_holds, place_holds, policy_versions, request_erasure
from callseal.retention.active_holds import ActiveHolds
from callseal.retention.carry_out_erasures import Erasures
from callseal.retention.disposal_records import DisposalRecords
from callseal.retention.dispose_calls import CallDisposal
from callseal.retention.erase_call import CallErasure
from callseal.retention.erasure import LedgerFile
from callseal.retention.erasure_places import CallPlaces
from callseal.retention.erasure_table import ErasureTable
from callseal.retention.follow_policy import PolicyFollowing
from callseal.retention.place_holds import HoldPlacing
from callseal.retention.reconcile_findings import Findings
from callseal.retention.reconcile_progress import Pass
from simulation.fault_proxy import Refuse
from simulation.faults.broken_duties import BUSY, BrokenDuty, remember_first
from simulation.faults.model import EARLY, LATE, LEAKED, SILENT, UNSAID
from tests.support.stack import ARCHIVE, AUDIT


def _nothing(*_: Any) -> None:
    return None


def _no(*_: Any) -> bool:
    return False


def _yes(*_: Any) -> bool:
    return True


def _covers_nothing(*_: Any) -> Callable[[Card], bool]:
    return _no


def _passed_over(owner: Any, name: str, instead: Callable[[], Any]) -> None:
    """Let a method that fails return a value as if it had found nothing to do."""
    method = getattr(owner, name)

    def do(self: Any, *arguments: Any, **more: Any) -> Any:
        try:
            return method(self, *arguments, **more)
        except TransientError:
            return instead()

    setattr(owner, name, do)


def _cards_end_first() -> None:
    write = DisposalRecords.write

    def end_first(self: Any, tenant: str, run: str, started: Any, calls: Any) -> Counter[str]:
        self._end(list(calls.values()), {name.id: name for name in calls})
        return write(self, tenant, run, started, calls)

    DisposalRecords.write = end_first  # type: ignore[method-assign]


def _free_before_the_event() -> None:
    release = HoldPlacing._release

    def free_first(self: Any, of: Any, run: Any, *, is_first: bool) -> None:
        cards = self._read(of.tenant, list(self._holds.calls(of))).values()
        free = [card for card in cards if card.holds == (of.name,)]
        self._legal_holds.set([(version, False) for card in free for version in legal_holds.archived(card)])
        release(self, of, run, is_first=is_first)

    HoldPlacing._release = free_first  # type: ignore[method-assign]


def _every_hold_ends() -> None:
    def under(card: Card, leaving: Iterable[str], joining: frozenset[str] = frozenset()) -> Card:
        return card.with_holds(() if leaving else {*card.holds} | joining)

    place_holds._under = under


def _what_was_tried_is_erased() -> None:
    def after(_self: Any, _request: Any, _card: Card, _ledger: Any, tried: Iterable[LedgerFile]) -> list[LedgerFile]:
        return [replace(file, state="erased") for file in tried]

    CallErasure._after = after  # type: ignore[method-assign,assignment]


def copies_stay() -> None:
    """Leave the copies in the SFTP bucket when a call is disposed of."""
    CallDisposal._delete_copies = _nothing  # type: ignore[method-assign]


def holds_keep_nothing() -> None:
    """Set no legal hold, and read none."""
    ActiveHolds.covers = _covers_nothing  # type: ignore[method-assign,assignment]
    HoldPlacing._set_bits = lambda *_: set()  # type: ignore[method-assign]


def the_ledger_is_not_written() -> None:
    """Delete files on request without a word in the ledger."""

    def remember(_self: Any, ledger: dict[str, LedgerFile], changed: Iterable[LedgerFile]) -> None:
        ledger.update({file.id: file for file in changed})

    CallErasure._save_new = remember  # type: ignore[method-assign,assignment]


def _landing_is_left_out() -> None:
    CallPlaces.find = CallPlaces.delivered  # type: ignore[method-assign]


def _everything_is_certified_as_erased() -> None:
    write = erasure_certificates.certificate

    def flatter(request: Any, files: Iterable[LedgerFile], *rest: Any) -> bytes:
        return write(request, [replace(file, state="erased", until=None) for file in files], *rest)

    erasure_certificates.certificate = flatter  # type: ignore[assignment]


def _every_card_ends() -> None:
    end = Erasures._end

    def end_all(self: Any, request: Any, cards: Any, _files: Any) -> None:
        end(self, request, cards, [])

    Erasures._end = end_all  # type: ignore[method-assign]


def _one_person_is_enough() -> None:
    hold.is_same_person = request_erasure.is_same_person = _no


def _at_once() -> None:
    policy_versions.DELAY = timedelta()


def _put(owner: type, name: str, value: Any) -> Callable[[], None]:
    return partial(setattr, owner, name, value)


BROKEN_LAW: tuple[BrokenDuty, ...] = (
    BrokenDuty("dispose", "no hold is read", _put(ActiveHolds, "covers", _covers_nothing), promise=EARLY),
    BrokenDuty("dispose", "what S3 refuses counts as gone", _put(CallDisposal, "_is_gone", _yes), promise=UNSAID),
    BrokenDuty("dispose", "copies stay", copies_stay, promise=LATE),
    BrokenDuty("dispose", "the cards end before the record", _cards_end_first, (1, "PutObject", 1), "step", BUSY,
               AUDIT, UNSAID),
    BrokenDuty("dispose, shorter class", "a new version is followed at once", _at_once,
               promise=EARLY),
    BrokenDuty("dispose, shorter class", "calls that could not be judged are passed over",
               partial(_passed_over, PolicyFollowing, "_judge", int), (3, "TransactWriteItems", 1), "step",
               BUSY, promise=LATE),
    BrokenDuty("reconcile archive, findings", "everything is verified", _put(Pass, "has_finding", False),
               promise=SILENT),
    BrokenDuty("reconcile archive, findings", "files that could not be compared are passed over",
               partial(_passed_over, Findings, "of_files", Counter), (1, "BatchGetItem", 1), "step", BUSY,
               promise=SILENT),
    BrokenDuty("place a hold", "a scope stops nothing", _put(ActiveHolds, "covers", _covers_nothing), promise=EARLY),
    BrokenDuty("place a hold", "a hold is held without S3",
               partial(_passed_over, HoldPlacing, "_set_bits", set), (3, "PutObjectLegalHold", 1), "step", BUSY,
               ARCHIVE, EARLY),
    BrokenDuty("release a hold", "one person is enough", _one_person_is_enough, promise=LEAKED),
    BrokenDuty("release a hold", "calls are free before the event", _free_before_the_event, promise=EARLY),
    BrokenDuty("release a hold", "the end of a hold ends every hold", _every_hold_ends, promise=EARLY),
    BrokenDuty("request an erasure", "one person is enough", _one_person_is_enough, promise=LEAKED),
    BrokenDuty("request an erasure", "an approval is stored before its event",
               partial(remember_first, "ErasureRequested", ErasureTable, "save"), promise=SILENT),
    BrokenDuty("erase on request", "what was tried counts as erased", _what_was_tried_is_erased,
               (1, "DeleteObject", 1), "step", Refuse(403, "AccessDenied"), ARCHIVE, UNSAID),
    BrokenDuty("erase on request", "the ledger is not written", the_ledger_is_not_written, promise=UNSAID),
    BrokenDuty("erase on request", "landing is left out", _landing_is_left_out, promise=LATE),
    BrokenDuty("erase on request", "everything is certified as erased", _everything_is_certified_as_erased,
               promise=UNSAID),
    BrokenDuty("erase on request", "every card ends", _every_card_ends, promise=UNSAID),
)  # fmt: skip
