"""Delivery: the whole way of one landed file, from its key to its purge, or to being held.

    parse -> tenant -> route -> look -> seal and commit (archive first, SFTP last) -> audit -> purge

Each step may be repeated, by any number of workers at once, and the landed file is deleted only after the audit bus has
accepted the event. Where workers may differ in what they go by, about a change of a tenant's key or settings, a message
to the recheck queue goes before the first commit: once no worker can be left that had the file before it was purged,
the audit is told what stands of it.
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
    """What became of a landed file; `event_id` finds it in the audit trail.

    `gone` is a repeat: the file was delivered and purged, or replaced by one that has its own event. `owed` is still in
    landing, and there is nothing new to report: of a recheck, or of a file that is held already and still unreadable.
    """

    state: Literal["delivered", "held", "gone", "owed"]
    tenant: str | None = None
    event_id: str | None = None
    reason: Reason | None = None
    # When delivered: how many plain bytes were sealed, and how long it took from landing, as far as that is known.
    bytes_sealed: int = 0
    seconds: float | None = None


class Delivery:
    """Delivers landed files; safe to use from several threads."""

    def __init__(
        self,
        landing: LandingBucket,
        planner: Planner,
        committer: Committer,
        bus: AuditBus,
        rechecks: Callable[[], LandedQueue],
        clock: Clock,
    ) -> None:
        """Take what it works with; most files need no recheck, and so no client for it."""
        self._landing, self._planner, self._committer = landing, planner, committer
        self._bus, self._rechecks, self._clock = bus, rechecks, clock

    def deliver(self, landed: LandedObject) -> Outcome:
        """Deliver a landed file, or hold it; raises TransientError where that must be tried again."""
        try:
            try:
                if landed.etag is None or landed.size is None:
                    landed = self._landing.find(landed)
                return self._deliver_as_of_now(landed)
            except HeldError as held:
                return self._finish_or_hold(landed, held)
        except SourceReplacedError:
            return self._tell_of_replaced(landed)
        except SourceGoneError:
            return Outcome("gone")

    def recheck(self, landed: LandedObject) -> Outcome:
        """Tell the audit what stands of a purged file, when no worker can be left that had it before.

        Whoever purged it has told what stood there then. Another, by other settings or another key, can have committed
        its own output after that, and have failed or died before its event; nobody else comes back for that.
        """
        try:
            self._landing.require(landed)
        except SourceReplacedError:
            return self._tell_of_replaced(landed)
        except SourceGoneError:
            return self._tell_of_gone(landed)
        return Outcome("owed", tenant_of(landed.key))  # who delivers it looks for everything, and has it rechecked

    def _deliver_as_of_now(self, landed: LandedObject) -> Outcome:
        """Deliver; a conflict where remembered settings, or a remembered key, led to is not the last word."""
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
            self._tell_released(landed, plan.key)
        # One small sealed output is put under a condition, which tells all that a look would.
        progress = Progress() if plan.is_one_put else self._committer.find_existing(plan)
        missing = progress.lacks(plan.routes)
        if not missing:
            self._landing.find(landed)  # purged already: a repeat, there is nothing left to do
        if plan.config_changed:
            self._rechecks().put(landed)
        for route in missing:
            self._committer.commit(plan, route, progress)
        if plan.config_changed:  # another worker may have had it meanwhile, and gone by what was asked for before
            self._committer.look_for_earlier(plan, progress)
        return self._tell_and_purge(landed, progress, plan.key)

    def _finish_or_hold(self, landed: LandedObject, held: HeldError) -> Outcome:
        try:
            return self._finish(landed, held) or self._hold(landed, held)
        except SourceUnreadableError as unreadable:
            return self._hold(landed, unreadable)

    def _finish(self, landed: LandedObject, held: HeldError) -> Outcome | None:
        """Finish a file whose outputs are all there but whose key is no good by now: nothing needs it any more."""
        if not held.reason.is_of_key:
            return None
        landed = self._landing.find(landed)
        routes = self._planner.routes(landed)
        progress = self._committer.find(landed, routes, self._planner.all_places(landed))
        if progress.lacks(routes):
            return None
        self._rechecks().put(landed)
        return self._tell_and_purge(landed, progress, None)

    def _tell_and_purge(self, landed: LandedObject, progress: Progress, key: KeyVersion | None) -> Outcome:
        event_id = self._tell(landed, progress, key)
        with suppress(SourceGoneError):  # another worker was first, or a new file of this name landed meanwhile
            self._landing.purge(landed)
        sealed = landed.size or 0 if progress.sealed else 0
        seconds = (self._clock() - landed.landed_at).total_seconds() if landed.landed_at else None
        return Outcome("delivered", tenant_of(landed.key), event_id, bytes_sealed=sealed, seconds=seconds)

    def _tell_of_replaced(self, landed: LandedObject) -> Outcome:
        """Tell the audit, once more perhaps, of a file that was overwritten in landing once its outputs were there.

        One that is purged has been told of; one that is overwritten may have been caught between commit and audit.
        """
        try:
            plan = self._planner.plan(landed)
            progress = self._committer.find_existing(plan)
        except HeldError:
            return Outcome("gone")
        if progress.lacks(plan.routes):
            return Outcome("gone")
        return Outcome("gone", plan.file.tenant, self._tell(landed, progress, plan.key))

    def _tell_of_gone(self, landed: LandedObject) -> Outcome:
        try:
            plan = self._planner.plan(landed)
        except HeldError:
            plan = None
        progress = self._committer.find(landed, plan.routes if plan else (), self._planner.all_places(landed))
        if not progress.outputs:
            return Outcome("gone")
        return Outcome("gone", tenant_of(landed.key), self._tell(landed, progress, plan.key if plan else None))

    def _tell(self, landed: LandedObject, progress: Progress, key: KeyVersion | None) -> str:
        recipients, key_version = _sealed_to(progress, key)
        event = audit.delivered(landed, self._outputs(progress), recipients, key_version, self._clock())
        self._bus.put(event)
        return event.id

    def _outputs(self, progress: Progress) -> list[Output]:
        return [self._output(destination, stored, progress) for destination, stored in progress.outputs]

    def _output(self, destination: Destination, stored: StoredObject, progress: Progress) -> Output:
        digest = self._committer.sha256(stored, progress) if stored.is_sealed else None
        return Output(destination, stored.address.bucket, stored.address.key, stored.size, digest, stored.sealed)

    def _tell_released(self, landed: LandedObject, key: KeyVersion | None) -> None:
        """Report that an unreadable file can be read now; raise SourceUnreadableError if it still cannot."""
        with self._landing.open(landed):
            held = self._landing.held(landed)
        if held and held.reason == Reason.SOURCE_UNREADABLE:
            released = audit.released(landed, held.reason, key.version if key else None, self._clock())
            self._bus.put(audit.numbered(released, held.number))
            self._landing.tag_released(landed, held)

    def _hold(self, landed: LandedObject, held: HeldError) -> Outcome:
        """Hold a file. Audit first, then tag: one that is tagged is in the audit, one that is not is swept up."""
        landed, held = self._look_before_holding(landed, held)
        if isinstance(held, SourceUnreadableError) and self._is_held_as_unreadable(landed):
            return Outcome("owed", tenant_of(landed.key))
        outputs: list[Output] = []
        if isinstance(held, OutputConflictError):
            outputs = self._outputs(held.progress)
        before = self._landing.held(landed)
        number = before.number_of(held) if before else 0
        event = audit.numbered(audit.held(landed, held, outputs, self._clock()), number)
        self._bus.put(event)
        self._landing.tag_held(landed, held, number)
        return Outcome("held", event.detail["tenant"], event.id, held.reason)

    def _look_before_holding(self, landed: LandedObject, held: HeldError) -> tuple[LandedObject, HeldError]:
        """Look whether the file is there, and whether it can be read: if not, that is the reason before most others."""
        if not isinstance(held, SourceUnreadableError):
            try:
                return self._landing.find(landed, readable=True), held
            except SourceUnreadableError as unreadable:
                held = min(held, unreadable, key=lambda one: one.reason.rank)
        return self._landing.listed(landed), held

    def _is_held_as_unreadable(self, landed: LandedObject) -> bool:
        held = self._landing.held(landed)
        return held is not None and held.reason == Reason.SOURCE_UNREADABLE and not held.released


def _sealed_to(progress: Progress, key: KeyVersion | None) -> tuple[Sequence[Recipient], str | None]:
    """Tell whom the outputs are sealed to: by their own metadata, which may be of before a rotation."""
    names = {(one.fingerprint, one.subkey): one for _, stored in progress.outputs for one in stored.recipients}
    known = {(one.fingerprint, one.subkey): one for one in key.recipients.members} if key else {}
    recipients = [known.get(name) or one for name, one in names.items()]
    # If they are sealed to others than the key's, it is not known which version of the secret had these.
    return recipients, key.version if key and list(names) == list(known) else None
