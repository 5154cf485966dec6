"""The container of the functions that keep, hold and end recordings by law."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from callseal.wiring.container import Container

if TYPE_CHECKING:
    from callseal.core.log import Log
    from callseal.retention.archive_versions import ArchiveVersions
    from callseal.retention.hold_table import HoldTable
    from callseal.retention.lock_recordings import RecordingLocks
    from callseal.retention.place_holds import HoldPlacing


class RetentionContainer(Container):
    """A container that also makes what the law needs."""

    @cached_property
    def archive_versions(self) -> ArchiveVersions:
        """The versions in the archive bucket."""
        from callseal.retention.archive_versions import ArchiveVersions

        return ArchiveVersions(self._client("s3"), self._env.archive_bucket)

    @cached_property
    def holds(self) -> HoldTable:
        """The holds of tenants."""
        from callseal.retention.hold_table import HoldTable

        return HoldTable(self._client("dynamodb"), self._env.retention_table)

    @cached_property
    def hold_placing(self) -> HoldPlacing:
        """The work on holds."""
        from callseal.retention.hold_messages import HoldQueue
        from callseal.retention.legal_holds import LegalHolds
        from callseal.retention.place_holds import HoldPlacing

        queue = HoldQueue(self._client("sqs"), self._env.lock_queue_url)
        legal_holds = LegalHolds(self._client("s3"))
        return HoldPlacing(self.holds, self.cards, self.blind_index, legal_holds, queue, self.bus, self.clock)

    def recording_locks(self, log: Log) -> RecordingLocks:
        """Return the handler of the lock queue."""
        from callseal.retention.lock_recordings import RecordingLocks

        years = self._env.maximum_compliance_years
        return RecordingLocks(
            self.cards, self.tenants, self.archive_versions, years, self.hold_placing, self.clock, log
        )
