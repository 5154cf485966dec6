"""The container of the function that serves holds and erasures in the archive's API."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from callseal.core.log import Log
from callseal.wiring.archive_container import ArchiveContainer
from callseal.wiring.erasure_container import ErasureContainer

if TYPE_CHECKING:
    from callseal.aws.bus import AuditBus
    from callseal.governance.erasure_routes import ErasureRoutes
    from callseal.governance.govern_calls import Governors
    from callseal.governance.hold_routes import HoldRoutes


class GovernanceContainer(ArchiveContainer, ErasureContainer):
    """A container that knows people and the law."""

    @cached_property
    def bus(self) -> AuditBus:
        """The audit bus. What it does not accept is answered with `AuditUnavailable`."""
        from callseal.governance.govern_calls import GovernanceBus

        return GovernanceBus(self._client("events"), self._env.audit_bus, self.window)

    def governors(self, log: Log) -> Governors:
        """Return who asks, and may what."""
        from callseal.governance.govern_calls import Governors

        return Governors(self.visits(log), self.call_access, self.erasure_calls.by_ids, self.tenants, self.access_trail)

    def hold_routes(self, log: Log) -> HoldRoutes:
        """Return the routes of holds."""
        from callseal.governance.hold_routes import HoldRoutes
        from callseal.retention.hold_messages import HoldQueue
        from callseal.retention.hold_scope import HoldScopes
        from callseal.retention.manage_holds import Holds

        queue = HoldQueue(self._client("sqs"), self._env.lock_queue_url)
        holds = Holds(self.holds, queue, self.bus, self.clock)
        return HoldRoutes(self.governors(log), self.holds, holds, HoldScopes(self.cards, self.blind_index))

    def erasure_routes(self, log: Log) -> ErasureRoutes:
        """Return the routes of erasures."""
        from callseal.governance.erasure_routes import ErasureRoutes
        from callseal.retention.erasure_certificates import read_certificate
        from callseal.retention.erasure_messages import ErasureQueue
        from callseal.retention.request_erasure import ErasureRequests

        requests = ErasureRequests(
            self.erasure_table, self.erasure_calls, self.call_files, self.cards, self.bus, self.clock
        )
        queue = ErasureQueue(self._client("sqs"), self._env.erasure_queue_url)
        certificate = partial(read_certificate, self._client("s3"), self._env.audit_bucket)
        return ErasureRoutes(self.governors(log), self.erasure_calls, requests, queue, certificate)
