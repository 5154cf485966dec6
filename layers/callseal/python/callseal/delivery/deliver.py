"""Delivery: process one landed file, from its key to its purge, or hold it.

    parse -> tenant -> route -> look -> seal and commit (archive first, SFTP last) -> audit -> purge

Several workers can repeat each step at once. The landed file is deleted only after the audit bus accepted the event.

For a short time after a change of a tenant's key or settings, two workers can process the same file with different keys
or settings. A message to the recheck queue therefore goes out before the first commit. When it arrives, no worker that
had the file before its purge can still be running, and the recheck reports all outputs that exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from callseal.aws.bus import AuditBus
from callseal.core import audit
from callseal.core.audit import Output
from callseal.core.clock import Clock
from callseal.core.errors import HeldError, Reason, SourceGoneError, SourceReplacedError, SourceUnreadableError
from callseal.core.landing import LandedObject, tenant_of
from callseal.core.recipient import Recipient
from callseal.core.stored import StoredObject
from callseal.delivery.commit import Committer, OutputConflictError, Progress
from callseal.delivery.landing_bucket import LandingBucket
from callseal.delivery.planning import Planner
from callseal.delivery.routing import Destination
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
        clock: Clock,
    ) -> None:
        """Take what it works with; `rechecks` is a function, because most files need no client for that queue."""
        self._landing, self._planner, self._committer = landing, planner, committer
        self._bus, self._rechecks, self._clock = bus, rechecks, clock

    def deliver(self, landed: LandedObject) -> Outcome:
        """Deliver a landed file, or hold it. Raise TransientError if the file must be tried again."""
        try:
            try:
                if landed.etag is None or landed.size is None:
                    landed = self._landing.refresh(landed)
                return self._deliver_by_current_settings(landed)
            except HeldError as held:
                return self._finish_or_hold(landed, held)
        except SourceReplacedError:
            return self._report_replaced(landed)
        except SourceGoneError:
            return Outcome("gone")

    def recheck(self, landed: LandedObject) -> Outcome:
        """Report to the audit which outputs of a purged file exist, when no earlier worker can still have the file.

        The worker that purged the file reported its outputs. Another worker, with other settings or another key, can
        have committed its own output later and failed before its event. Nothing else would report that output.
        """
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
        plan = self._planner.plan(landed)
        if landed.was_unreadable:
            self._report_release(landed, plan.key)
        # One small sealed output is put under a condition, which fails if the output exists: no HEAD request is needed.
        progress = Progress() if plan.is_one_put else self._committer.find_existing(plan)
        missing = progress.lacks(plan.routes)
        if not missing:
            self._landing.refresh(landed)  # SourceGoneError if it is purged: this is a repeat
        if plan.config_changed:
            self._rechecks().put(landed)
        for route in missing:
            self._committer.commit(plan, route, progress)
        if plan.config_changed:  # another worker may have processed the file with the earlier settings
            self._committer.find_earlier(plan, progress)
        return self._report_and_purge(landed, progress, plan.key)

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
        routes = self._planner.routes(landed)
        progress = self._committer.find_all(landed, routes, self._planner.every_place(landed))
        if progress.lacks(routes):
            return None
        self._rechecks().put(landed)
        return self._report_and_purge(landed, progress, None)

    def _report_and_purge(self, landed: LandedObject, progress: Progress, key: KeyVersion | None) -> Outcome:
        event_id = self._report(landed, progress, key)
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
        except HeldError:
            return Outcome("gone")
        if progress.lacks(plan.routes):
            return Outcome("gone")
        return Outcome("gone", plan.file.tenant, self._report(landed, progress, plan.key))

    def _report_gone(self, landed: LandedObject) -> Outcome:
        try:
            plan = self._planner.plan(landed)
        except HeldError:
            plan = None
        progress = self._committer.find_all(landed, plan.routes if plan else (), self._planner.every_place(landed))
        if not progress.outputs:
            return Outcome("gone")
        return Outcome("gone", tenant_of(landed.key), self._report(landed, progress, plan.key if plan else None))

    def _report(self, landed: LandedObject, progress: Progress, key: KeyVersion | None) -> str:
        recipients, key_version = _sealed_to(progress, key)
        event = audit.delivered(landed, self._outputs(progress), recipients, key_version, self._clock())
        self._bus.put(event)
        return event.id

    def _outputs(self, progress: Progress) -> list[Output]:
        return [self._output(destination, stored, progress) for destination, stored in progress.outputs]

    def _output(self, destination: Destination, stored: StoredObject, progress: Progress) -> Output:
        digest = self._committer.sha256(stored, progress) if stored.is_sealed else None
        return Output(destination, stored.address.bucket, stored.address.key, stored.size, digest, stored.sealed)

    def _report_release(self, landed: LandedObject, key: KeyVersion | None) -> None:
        """Report that an unreadable file can be read now. Raise SourceUnreadableError if it still cannot."""
        with self._landing.open(landed):
            held = self._landing.held(landed)
        if held and held.reason == Reason.SOURCE_UNREADABLE:
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
        outputs: list[Output] = []
        if isinstance(held, OutputConflictError):
            outputs = self._outputs(held.progress)
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


def _sealed_to(progress: Progress, key: KeyVersion | None) -> tuple[Sequence[Recipient], str | None]:
    """Return the recipients of the outputs, and the version of the secret that has exactly these, if known.

    The recipients come from the outputs' metadata, which may be from before a rotation.
    """
    sealed = [recipient for _, stored in progress.outputs for recipient in stored.recipients]
    names = {(recipient.fingerprint, recipient.subkey): recipient for recipient in sealed}
    current = {(member.fingerprint, member.subkey): member for member in key.recipients.members} if key else {}
    recipients = [current.get(name) or recipient for name, recipient in names.items()]
    # If the outputs have other recipients than the key, the version of the secret with these is unknown.
    return recipients, key.version if key and list(names) == list(current) else None
