"""What people do with holds: place one, ask for its release, and approve that. Shared by the command and the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from callseal.aws.bus import AuditBus
from callseal.aws.items import ChangedMeanwhileError
from callseal.core.clock import Clock
from callseal.retention.hold import PLACING, RELEASING, Hold, HoldRefusedError, Refusal, is_same_person, new_hold
from callseal.retention.hold_events import release_asked
from callseal.retention.hold_messages import HoldMessage, HoldQueue
from callseal.retention.hold_table import HoldTable
from callseal.retention.scope import Scope

TRIES = 3


class Holds:
    """Starts the steps of holds. lock_recordings carries them out."""

    def __init__(self, table: HoldTable, queue: HoldQueue, bus: AuditBus, clock: Clock) -> None:
        """Take the collaborators."""
        self._table, self._queue, self._bus, self._clock = table, queue, bus, clock

    def create(self, tenant: str, name: str, reason: str, scope: Scope, person: str) -> Hold:
        """Store a hold, whose scope stops disposal and erasure from now on, and have its calls put under it.

        The same hold of the same person may be asked for again while it is being placed, in case its message was lost.
        Raise HoldInvalidError or HoldRefusedError.
        """
        hold = new_hold(tenant, name, reason, scope, person, self._clock())
        try:
            self._table.create(hold)
        except HoldRefusedError:
            found = self._table.find(tenant, name)
            if found is None or found.state != PLACING or not _is_repeat(hold, found):
                raise
            hold = found
        self._queue.put(HoldMessage(tenant, name))
        return hold

    def ask_release(self, tenant: str, name: str, person: str) -> Hold:
        """Ask for the release of a hold, which another person must approve. Raise HoldRefusedError."""

        def ask(hold: Hold, now: datetime) -> Hold:
            asked = hold.release_asked(person, now)
            self._bus.put(release_asked(asked, now))
            return asked

        return self._change(tenant, name, ask)

    def approve_release(self, tenant: str, name: str, person: str) -> Hold:
        """Approve the release of a hold, and have its calls set free. Raise HoldRefusedError.

        The person who approved may repeat it until all are free, in case the message was lost.
        """
        hold = self.find(tenant, name)
        if hold.state != RELEASING or not is_same_person(person, hold.approved_by or ""):
            hold = self._change(tenant, name, lambda hold, now: hold.approved(person, now))
        self._queue.put(HoldMessage(tenant, name))
        return hold

    def find(self, tenant: str, name: str) -> Hold:
        """Return a hold. Raise HoldRefusedError if there is none of this name."""
        hold = self._table.find(tenant, name)
        if hold is None:
            raise HoldRefusedError(Refusal.NO_SUCH_HOLD, f"{tenant} has no hold {name}.")
        return hold

    def _change(self, tenant: str, name: str, step: Callable[[Hold, datetime], Hold]) -> Hold:
        """Take a hold to its next state. If it has changed meanwhile, try again from what it is now."""
        for attempt in range(1, TRIES + 1):
            before = self.find(tenant, name)
            after = step(before, self._clock())
            try:
                self._table.change(before, after)
            except ChangedMeanwhileError:
                if attempt == TRIES:
                    raise
            else:
                break
        return after


def _is_repeat(hold: Hold, found: Hold) -> bool:
    is_same = (hold.reason, hold.scope) == (found.reason, found.scope)
    return is_same and is_same_person(hold.placed_by, found.placed_by)
