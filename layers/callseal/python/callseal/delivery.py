"""Delivery: the whole way of one landed file, from its key to its purge, or to being held.

    parse -> tenant -> route -> look -> seal and commit (archive first, SFTP last) -> audit -> purge

Each step may be repeated, by any number of workers at once, and the landed file is deleted only after the audit bus has
accepted the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from callseal import audit
from callseal.audit import Output
from callseal.aws.bus import AuditBus
from callseal.aws.landing_bucket import LandingBucket
from callseal.aws.tenants import Clock
from callseal.commit import Committer, OutputConflictError, Progress
from callseal.errors import HeldError, Reason, SourceGoneError, SourceReplacedError
from callseal.landing import LandedObject
from callseal.planning import Plan, Planner
from callseal.recipients.model import Recipient
from callseal.routing import Route


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a landed file; `event_id` finds it in the audit trail.

    `gone` is a repeat: the file was delivered and purged, or replaced by one that has its own event.
    """

    state: Literal["delivered", "held", "gone"]
    tenant: str | None = None
    event_id: str | None = None
    reason: Reason | None = None
    # When delivered: how many plain bytes were sealed, and how long it took from landing, as far as that is known.
    bytes_sealed: int = 0
    seconds: float | None = None


class Delivery:
    """Delivers landed files; safe to use from several threads."""

    def __init__(
        self, landing: LandingBucket, planner: Planner, committer: Committer, bus: AuditBus, clock: Clock
    ) -> None:
        """Take what it works with."""
        self._landing, self._planner, self._committer = landing, planner, committer
        self._bus, self._clock = bus, clock

    def deliver(self, landed: LandedObject) -> Outcome:
        """Deliver a landed file, or hold it; raises TransientError where that must be tried again."""
        try:
            if landed.etag is None or landed.size is None:
                landed = self._landing.find(landed)
            try:
                return self._deliver_as_of_now(landed)
            except HeldError as held:
                return self._hold(landed, held)
        except SourceReplacedError:
            return self._repeat_of_replaced(landed)
        except SourceGoneError:
            return Outcome("gone")

    def _repeat_of_replaced(self, landed: LandedObject) -> Outcome:
        """Tell the audit, once more perhaps, of a file that was overwritten in landing once its outputs were there.

        One that is purged has been told of; one that is overwritten may have been caught between commit and audit.
        """
        try:
            plan = self._planner.plan(landed)
            progress = self._committer.look(plan)
        except HeldError:
            return Outcome("gone")
        if not progress.stored or any(way not in progress.stored for way in plan.routes):
            return Outcome("gone")
        event = self._delivered_event(plan, progress)
        self._bus.put(event)
        return Outcome("gone", plan.file.tenant, event.id)

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
        # One small sealed output is put under a condition, which tells all that a look would.
        progress = Progress() if plan.is_one_put else self._committer.look(plan)
        missing = [way for way in plan.routes if way not in progress.stored]
        if not missing:
            self._landing.find(landed)  # purged already: a repeat, there is nothing left to do
        for way in missing:
            self._committer.commit(plan, way, progress)
        event = self._delivered_event(plan, progress)
        self._bus.put(event)
        with suppress(SourceGoneError):  # another worker was first, or a new file of this name landed meanwhile
            self._landing.purge(landed)
        return self._delivered(plan, event.id)

    def _delivered(self, plan: Plan, event_id: str) -> Outcome:
        landed = plan.landed
        sealed = landed.size or 0 if any(way.sealed for way in plan.routes) else 0
        seconds = (self._clock() - landed.landed_at).total_seconds() if landed.landed_at else None
        return Outcome("delivered", plan.file.tenant, event_id, bytes_sealed=sealed, seconds=seconds)

    def _delivered_event(self, plan: Plan, progress: Progress) -> audit.AuditEvent:
        others = [way for way in progress.stored if way not in plan.routes]
        outputs = self._outputs([*plan.routes, *others], progress)
        recipients, key_version = _sealed_to(plan, progress)
        return audit.delivered(plan.landed, outputs, recipients, key_version, self._clock())

    def _outputs(self, routes: Iterable[Route], progress: Progress) -> list[Output]:
        return [self._output(way, progress) for way in routes]

    def _output(self, way: Route, progress: Progress) -> Output:
        stored = progress.stored[way]
        digest = self._committer.sha256(stored, progress) if stored.is_sealed else None
        address = stored.address
        return Output(way.destination, address.bucket, address.key, stored.size, digest, stored.sealed)

    def _hold(self, landed: LandedObject, held: HeldError) -> Outcome:
        """Hold a file. Audit first, then tag: one that is tagged is in the audit, one that is not is swept up."""
        landed = self._landing.find(landed)
        outputs: list[Output] = []
        if isinstance(held, OutputConflictError):
            outputs = self._outputs(held.progress.stored, held.progress)
        event = audit.held(landed, held, outputs, self._clock())
        self._bus.put(event)
        self._landing.tag_held(landed, held.reason)
        return Outcome("held", event.detail["tenant"], event.id, held.reason)


def _sealed_to(plan: Plan, progress: Progress) -> tuple[Sequence[Recipient], str | None]:
    """Tell whom the outputs are sealed to: by their own metadata, which may be of before a rotation."""
    if progress.sealed is None:
        return (), None
    fingerprints = progress.sealed.recipients
    if plan.key and fingerprints == tuple(member.fingerprint for member in plan.key.recipients.members):
        return plan.key.recipients.members, plan.key.version
    kind: Literal["x509", "openpgp"] = "x509" if progress.sealed.sealed == "cms" else "openpgp"
    return [Recipient(fingerprint, kind, None) for fingerprint in fingerprints], None
