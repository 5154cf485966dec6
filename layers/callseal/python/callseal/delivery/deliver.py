"""Delivery: process one landed file, from its key to its purge, or hold it.

    parse -> tenant -> route -> look -> seal and commit (archive first, SFTP last) -> audit -> purge

Several workers can repeat each step at once. The landed file is deleted only after the audit bus accepted the event.

For a short time after a change of a tenant's key or settings, two workers can process the same file with different keys
or settings. A message to the recheck queue therefore goes out before the first commit. When it arrives, no worker that
had the file before its purge can still be running, and the recheck reports all outputs that exist.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from callseal.aws.bus import AuditBus
from callseal.calls.call_policy import LAST_TRY, Ruling
from callseal.core import audit
from callseal.core.clock import Clock
from callseal.core.errors import (
    HeldError,
    NotIndexedError,
    Reason,
    SourceGoneError,
    SourceReplacedError,
    SourceUnreadableError,
)
from callseal.core.landing import LandedObject, tenant_of
from callseal.delivery.commit import Committer, OutputConflictError, Progress
from callseal.delivery.delivered_event import delivered_event, outputs_of
from callseal.delivery.landing_bucket import LandingBucket
from callseal.delivery.planning import Planner
from callseal.tenants.directory import KeyVersion

if TYPE_CHECKING:
    from callseal.aws.queue import LandedQueue


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for a landed file; `event_id` finds its event in the audit trail.

    `gone` is a repeat: the file was delivered and purged, or replaced by a file that has its own event. `pending` means
    that the file is still in landing and there is nothing new to report: a recheck saw it, or it is held as unreadable
    already.
    """

    state: Literal["delivered", "held", "gone", "pending"]
    tenant: str | None = None
    event_id: str | None = None
    reason: Reason | None = None
    # Of a delivered file: the number of plaintext bytes that were sealed, and the seconds since landing if known.
    bytes_sealed: int = 0
    seconds: float | None = None


class Delivery:
    """Delivers landed files. Safe to use from several threads."""

    def __init__(
        self,
        landing: LandingBucket,
        planner: Planner,
        committer: Committer,
        bus: AuditBus,
        rechecks: Callable[[], LandedQueue],
        metadata: Callable[[], LandedQueue],
        clock: Clock,
    ) -> None:
        """Take what it works with.

        `rechecks` and `metadata` return the recheck queue and the metadata queue. Most files need neither.
        """
        self._landing, self._planner, self._committer = landing, planner, committer
        self._bus, self._rechecks, self._metadata, self._clock = bus, rechecks, metadata, clock

    def deliver(self, landed: LandedObject) -> Outcome:
        """Deliver a landed file, or hold it. Raise TransientError if the file must be tried again."""
        try:
            try:
                if landed.etag is None or landed.size is None:
                    landed = self._landing.refresh(landed)
                return self._deliver_by_current_settings(landed)
            except HeldError as held:
                return self._finish_or_hold(landed, held)
        except NotIndexedError:
            self._metadata().put(landed)
            return Outcome("pending", tenant_of(landed.key))
        except SourceReplacedError:
            return self._report_replaced(landed)
        except SourceGoneError:
            return Outcome("gone")

    def recheck(self, landed: LandedObject) -> Outcome:
        """Report to the audit which outputs of a purged file exist, when no earlier worker can still have the file.

        The worker that purged the file reported its outputs. Another worker, with other settings or another key, can
        have committed its own output later and failed before its event. Nothing else would report that output.
        """
        landed = replace(landed, receives=LAST_TRY)
        try:
            self._landing.require(landed)
        except SourceReplacedError:
            return self._report_replaced(landed)
        except SourceGoneError:
            return self._report_gone(landed)
        return Outcome("pending", tenant_of(landed.key))  # its delivery finds all outputs, and requests a recheck

    def _deliver_by_current_settings(self, landed: LandedObject) -> Outcome:
        """Deliver a file; after a conflict, drop what was cached of its tenant and deliver it again.

        A cached key or cached settings may have caused the conflict. Without any, OutputConflictError is raised.
        """
        started = self._clock()
        try:
            return self._deliver(landed)
        except OutputConflictError:
            if not self._planner.forget(landed, before=started):
                raise
            return self._deliver(landed)

    def _deliver(self, landed: LandedObject) -> Outcome:
        try:
            plan = self._planner.plan(landed)
        except NotIndexedError:
            if landed.was_unreadable:  # by read_metadata: the file is held if that lasts
                self._landing.refresh(landed, readable=True)
            raise
        is_released = landed.was_unreadable or landed.was_held
        # One small sealed output is put under a condition, which fails if the output exists: no HEAD request is needed.
        # But a file that will be held for a conflict is not released first.
        by_put = plan.is_one_put and not is_released
        progress = Progress() if by_put else self._committer.find_existing(plan)
        if is_released:
            self._report_release(landed, plan.key)
        missing = progress.lacks(plan.routes)
        if not missing:
            self._landing.refresh(landed)  # SourceGoneError if it is purged: this is a repeat
        if plan.config_changed:
            self._rechecks().put(landed)
        for route in missing:
            self._committer.commit(plan, route, progress)
        if plan.config_changed:  # another worker may have processed the file with the earlier settings
            self._committer.find_earlier(plan, progress)
        return self._report_and_purge(landed, progress, plan.key, plan.ruling)

    def _finish_or_hold(self, landed: LandedObject, held: HeldError) -> Outcome:
        try:
            return self._finish(landed, held) or self._hold(landed, held)
        except SourceUnreadableError as unreadable:
            return self._hold(landed, unreadable)

    def _finish(self, landed: LandedObject, held: HeldError) -> Outcome | None:
        """Finish a file whose outputs all exist and whose key can no longer be used: nothing needs the key any more."""
        if not held.reason.is_of_key:
            return None
        landed = self._landing.refresh(landed)
        ruling, routes = self._planner.routes(landed)
        progress = self._committer.find_all(landed, routes, self._planner.every_place(landed))
        if progress.lacks(routes):
            return None
        self._rechecks().put(landed)
        return self._report_and_purge(landed, progress, None, ruling)

    def _report_and_purge(
        self, landed: LandedObject, progress: Progress, key: KeyVersion | None, ruling: Ruling | None
    ) -> Outcome:
        event_id = self._report(landed, progress, key, ruling)
        with suppress(SourceGoneError):  # another worker purged it, or a new file with this key landed meanwhile
            self._landing.purge(landed)
        sealed = landed.size or 0 if progress.sealed else 0
        seconds = (self._clock() - landed.landed_at).total_seconds() if landed.landed_at else None
        return Outcome("delivered", tenant_of(landed.key), event_id, bytes_sealed=sealed, seconds=seconds)

    def _report_replaced(self, landed: LandedObject) -> Outcome:
        """Report a file that was overwritten in landing after all its outputs were committed.

        A worker may have stopped between commit and audit event. If it did not, this repeats the event with its id.
        """
        try:
            plan = self._planner.plan(landed)
            progress = self._committer.find_existing(plan)
        except (HeldError, NotIndexedError):
            return Outcome("gone")
        if progress.lacks(plan.routes):
            return Outcome("gone")
        return Outcome("gone", plan.file.tenant, self._report(landed, progress, plan.key, plan.ruling))

    def _report_gone(self, landed: LandedObject) -> Outcome:
        try:
            plan = self._planner.plan(landed)
        except (HeldError, NotIndexedError):
            plan = None
        progress = self._committer.find_all(landed, plan.routes if plan else (), self._planner.every_place(landed))
        if not progress.outputs:
            return Outcome("gone")
        key, ruling = (plan.key, plan.ruling) if plan else (None, None)
        return Outcome("gone", tenant_of(landed.key), self._report(landed, progress, key, ruling))

    def _report(self, landed: LandedObject, progress: Progress, key: KeyVersion | None, ruling: Ruling | None) -> str:
        event = delivered_event(landed, progress, self._committer.sha256, key, ruling, self._clock())
        self._bus.put(event)
        return event.id

    def _report_release(self, landed: LandedObject, key: KeyVersion | None) -> None:
        """Report that the cause of a hold is gone. Raise SourceUnreadableError if the file still cannot be read."""
        if landed.was_unreadable:
            with self._landing.open(landed):
                pass
        held = self._landing.held(landed)
        if held and not held.released:
            released = audit.released(landed, held.reason, key.version if key else None, self._clock())
            self._bus.put(audit.numbered(released, held.number))
            self._landing.tag_released(landed, held)

    def _hold(self, landed: LandedObject, held: HeldError) -> Outcome:
        """Hold a file: first the audit event, then the tags.

        A tagged file is therefore always in the audit, and the sweep requeues a file without tags.
        """
        landed, held = self._check_before_holding(landed, held)
        if isinstance(held, SourceUnreadableError) and self._is_held_as_unreadable(landed):
            return Outcome("pending", tenant_of(landed.key))
        conflict = held if isinstance(held, OutputConflictError) else None
        outputs = outputs_of(conflict.progress, self._committer.sha256) if conflict else []
        before = self._landing.held(landed)
        number = before.number_of(held) if before else 0
        event = audit.numbered(audit.held(landed, held, outputs, self._clock()), number)
        self._bus.put(event)
        self._landing.tag_held(landed, held, number)
        return Outcome("held", event.detail["tenant"], event.id, held.reason)

    def _check_before_holding(self, landed: LandedObject, held: HeldError) -> tuple[LandedObject, HeldError]:
        """Return the file as it is in landing now, and the error to hold it for.

        If the file cannot be read, that is the error, unless the other one's reason comes first in `Reason`.
        """
        if not isinstance(held, SourceUnreadableError):
            try:
                return self._landing.refresh(landed, readable=True), held
            except SourceUnreadableError as unreadable:
                held = min(held, unreadable, key=lambda error: error.reason.rank)
        return self._landing.find_in_listing(landed), held

    def _is_held_as_unreadable(self, landed: LandedObject) -> bool:
        held = self._landing.held(landed)
        return held is not None and held.reason == Reason.SOURCE_UNREADABLE and not held.released
