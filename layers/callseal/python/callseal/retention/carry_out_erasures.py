"""Carry out approved requests for erasure, and take up what earlier runs left.

    each call -> notice to the recipient -> end of each card -> state -> certificate -> events

Each step may be repeated. What a hold or a lock protects stays, is reported, and is tried again by each run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import uuid4

from callseal.aws.batching import BatchWindow
from callseal.aws.bus import AuditBus
from callseal.aws.items import ChangedMeanwhileError
from callseal.calls.card import Card
from callseal.calls.card_table import CardTable
from callseal.core.audit import timestamp
from callseal.core.clock import Clock
from callseal.core.log import Log, describe
from callseal.core.metrics import Metric
from callseal.inbound.run import Run
from callseal.retention import erasure_events as events
from callseal.retention.anonymous_calls import anonymous_row
from callseal.retention.erase_call import CallErasure
from callseal.retention.erasure import (
    LATE,
    OVER,
    OVERDUE,
    REFUSED,
    UNFINISHED,
    LedgerFile,
    Request,
    counts_of,
    latest,
    state_of,
)
from callseal.retention.erasure_calls import ErasureCalls
from callseal.retention.erasure_certificates import Certificates, certificate_name
from callseal.retention.erasure_notices import Notices
from callseal.retention.erasure_table import ErasureTable
from callseal.retention.request_erasure import hide

# Below the function's timeout in template.yaml, together with the time for held files.
RUN_TIME = timedelta(minutes=4)
CALLS_AT_ONCE = 8
# How long a request that is done is looked at again: longer than any worker that had one of its files before the end.
SETTLING = timedelta(days=1)


@dataclass(slots=True)
class ErasureReport:
    """What a run found: requests that are late (by age alone), those of them that wait for the platform, and failures.

    `late` has all requests that are not done after LATE. `waiting` and `overdue` count those that have something left
    to approve or to delete, LATE and OVERDUE after they were made. What a hold or a lock protects does not wait.
    """

    late: list[str] = field(default_factory=list)
    waiting: int = 0
    overdue: int = 0
    failed: int = 0

    def count(self, request: Request, now: datetime) -> None:
        """Count a request."""
        if request.state == "done" or request.age(now) < LATE:
            return
        self.late.append(request.id)
        if request.state in ("requested", "running"):
            self.waiting += 1
            self.overdue += request.age(now) >= OVERDUE

    def metrics(self) -> Iterator[Metric]:
        """Yield the metrics of the run."""
        yield Metric("ErasuresLate", self.waiting)
        yield Metric("ErasuresOverdue", self.overdue)


class Erasures:
    """Carries out requests."""

    def __init__(
        self,
        table: ErasureTable,
        calls: ErasureCalls,
        erasure: CallErasure,
        notices: Notices,
        certificates: Certificates,
        cards: CardTable,
        bus: AuditBus,
        window: BatchWindow,
        clock: Clock,
        log: Log,
    ) -> None:
        """Take the collaborators."""
        self._table, self._calls, self._erasure = table, calls, erasure
        self._notices, self._certificates, self._cards = notices, certificates, cards
        self._bus, self._window, self._clock, self._log = bus, window, clock, log

    def run(self, *, replay: bool = False) -> ErasureReport:
        """Carry out all requests until RUN_TIME is over.

        `replay` repeats those that are done: after a restore of the tables or buckets, erased calls are there again.
        """
        report, run = ErasureReport(), Run(self._clock, RUN_TIME)
        for request in run.shuffled(self._table.requests(settled=replay)):
            try:
                if self._is_settled(request) and not replay:
                    self._table.settle(request)
                elif run.has_time:
                    request = self.carry_out(request, run)
            except Exception as exc:  # noqa: BLE001  # counted, and raised after the others
                report.failed += 1
                self._log.warning("erasure not carried out", extra={"tenant": request.tenant, **describe(exc)})
            report.count(request, self._clock())
        report.late.sort()
        return report

    def carry_out(self, request: Request, run: Run | None = None) -> Request:
        """Carry out a request if it is approved. Return it as it is then."""
        run = run or Run(self._clock, RUN_TIME)
        if not request.is_approved:
            return request
        cards = self._calls.by_ids(request.tenant, request.calls)
        hide(self._cards, list(cards.values()))
        files = self._table.files(request)
        of_call = {call: [file for file in files if file.call == call] for call in request.calls}
        with ThreadPoolExecutor(CALLS_AT_ONCE, "call") as executor:
            tried = executor.map(lambda card: self._try(request, card, of_call[card.call.id], run), cards.values())
            failed = [card for card, fails in zip(cards.values(), tried, strict=True) if fails]
        return self._conclude(request, [card for card in cards.values() if card not in failed], bool(failed))

    def answered(self, tenant: str, identifier: str) -> None:
        """Note that the recipient has answered a notice: it has erased its copies."""
        request = self._table.find(tenant, identifier)
        if request is None or request.notified or request.noticed in (None, "-"):
            return
        self._bus.put(events.recipient_notified(request, self._clock()))
        files = self._table.files(request)
        self._table.save_files(replace(file, state="erased") for file in files if file.state == "at_recipient")
        request = self._table.save(request, notified=timestamp(self._clock()))
        self._certificates.renew(request, self._table.files(request))

    def _is_settled(self, request: Request) -> bool:
        finished = request.finished
        return finished is not None and self._clock() - datetime.fromisoformat(finished) > SETTLING

    def _try(self, request: Request, card: Card, files: Sequence[LedgerFile], run: Run) -> bool:
        """Erase a call. Return whether it failed, or was not tried because the time was over."""
        if not run.has_time:
            return True
        try:
            with self._window.at_work():
                if card.gone == "erased":
                    self._erasure.erase_again(request, card, files)
                else:
                    self._erasure.erase(request, card, files)
        except Exception as exc:  # noqa: BLE001  # one call fails only itself
            self._log.warning("call not erased", extra={"tenant": request.tenant, **describe(exc)})
            return True
        return False

    def _conclude(self, request: Request, cards: Sequence[Card], is_cut_short: bool) -> Request:
        """Write the notice, end the cards, and report the state that the request has now."""
        files = self._table.files(request)
        if request.noticed is None and not is_cut_short:
            request = self._notice(request, cards, files)
        if request.noticed is not None:
            self._end(request, cards, files)
        counts, state = counts_of(files), state_of(files)
        if is_cut_short or (state == "done" and request.noticed is None):
            state = "running"
        now = self._clock()
        if any(counts.get(name) for name in REFUSED):
            self._bus.put(events.refused(request, counts, latest(files), now))
        request = self._certificates.renew(request, files)
        finished = request.finished
        if state == "done" and request.state != "done":
            self._bus.put(events.completed(request, counts, certificate_name(request), now))
            finished = timestamp(now)
        return self._saved(request, state=state, finished=finished)

    def _notice(self, request: Request, cards: Sequence[Card], files: Sequence[LedgerFile]) -> Request:
        """Write the notice to the recipient, when nothing is left in the tenant's SFTP area."""
        in_sftp = [file for file in files if file.place == "sftp"]
        if any(file.state not in OVER for file in in_sftp):
            return request
        if in_sftp and not self._notices.write(request, cards, in_sftp):
            return request
        return self._saved(request, noticed=timestamp(self._clock()) if in_sftp else "-")

    def _end(self, request: Request, cards: Sequence[Card], files: Sequence[LedgerFile]) -> None:
        """End the cards of calls of which nothing is left."""
        left = {file.call for file in files if file.state in (*UNFINISHED, *REFUSED)}
        ended = [card for card in cards if card.call.id not in left and card.gone != "erased"]
        now = timestamp(self._clock())
        for card in ended if request.anonymise else ():
            self._table.anonymise(request, card.call.id, anonymous_row(card), uuid4().hex)
        for error in self._cards.apply(
            {card.call: [lambda card: card.ended_by("erased", now)] for card in ended}
        ).values():
            raise error

    def _saved(self, request: Request, **changes: object) -> Request:
        """Write a request. If another run has written it meanwhile, that run's state stays."""
        try:
            return self._table.save(request, **changes)
        except ChangedMeanwhileError:
            return self._table.find(request.tenant, request.id) or request
