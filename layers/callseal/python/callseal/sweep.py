"""The sweep: whatever is still owed goes back to the queue. Lost events, dead letters and crashes heal by it.

A file that is not held goes back once it has been in landing for a while; a held one when its cause is gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from callseal import audit
from callseal.aws.bus import AuditBus
from callseal.aws.landing_bucket import LandingBucket, ListedObject
from callseal.aws.queue import EncryptQueue
from callseal.aws.tenants import Clock
from callseal.commit import Committer
from callseal.errors import CallsealError, HeldError, SourceGoneError
from callseal.landing import LandedObject, tenant_of
from callseal.log import Log, describe
from callseal.planning import Planner

# Longer than a delivery takes as a rule; a repeat does no harm where one takes longer.
OVERDUE = timedelta(minutes=1)


class SweepIncompleteError(CallsealError):
    """Some files could not be swept; Lambda invokes the sweep again, and the next one looks at them anyway."""


def prefix_of_change(event: Mapping[str, Any], tenants_prefix: str) -> str:
    """Tell the landing prefix of the tenant whose secret or parameter changed; all of landing for any other event."""
    detail = event.get("detail")
    name = detail.get("name") if isinstance(detail, dict) else None
    if not isinstance(name, str):
        return ""
    tenant = tenant_of(name.lstrip("/").removeprefix(f"{tenants_prefix}/"))
    return f"{tenant}/" if tenant else ""


class Sweep:
    """Sweeps the landing bucket, or one tenant's part of it."""

    def __init__(
        self,
        landing: LandingBucket,
        planner: Planner,
        committer: Committer,
        queue: EncryptQueue,
        bus: AuditBus,
        clock: Clock,
        log: Log,
    ) -> None:
        """Take what it works with."""
        self._landing, self._planner, self._committer = landing, planner, committer
        self._queue, self._bus, self._clock, self._log = queue, bus, clock, log

    def run(self, prefix: str = "") -> Counter[str]:
        """Sweep what lies under a prefix; counts what was `released`, `put_back`, `held` still, `young`, `failed`."""
        return Counter(self._try(listed) for listed in self._landing.list(prefix))

    def _try(self, listed: ListedObject) -> str:
        """Sweep one file; its trouble, a tenant's key that cannot be fetched for one, is not the others'."""
        try:
            return self._sweep(listed)
        except SourceGoneError:
            return "gone"
        except Exception as exc:  # noqa: BLE001  # told by SweepIncompleteError too, once the others are done
            self._log.warning("file not swept", extra={"tenant": tenant_of(listed.landed.key), **describe(exc)})
            return "failed"

    def _sweep(self, listed: ListedObject) -> str:
        reason = self._landing.held_reason(listed.landed)
        if reason is not None:
            return self._release(listed.landed, reason)
        if self._clock() - listed.landed_at < OVERDUE:
            return "young"
        self._queue.put_back(listed.landed)
        return "put_back"

    def _release(self, landed: LandedObject, reason: str) -> str:
        """Put a held file back if it would not be held now. Its tags stay until it is delivered, for a crash's sake."""
        try:
            plan = self._planner.plan(landed)
            self._committer.look(plan)
        except HeldError:
            return "held"
        self._bus.put(audit.released(landed, reason, plan.key.version if plan.key else None, self._clock()))
        self._queue.put_back(landed)
        return "released"
