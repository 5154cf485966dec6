"""The container of the functions that keep, hold and end recordings by law."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from callseal.wiring.container import Container

if TYPE_CHECKING:
    from callseal.core.log import Log
    from callseal.retention.archive_versions import ArchiveVersions
    from callseal.retention.lock_recordings import RecordingLocks


class RetentionContainer(Container):
    """A container that also makes what the law needs."""

    @cached_property
    def archive_versions(self) -> ArchiveVersions:
        """The versions in the archive bucket."""
        from callseal.retention.archive_versions import ArchiveVersions

        return ArchiveVersions(self._client("s3"), self._env.archive_bucket)

    def recording_locks(self, log: Log) -> RecordingLocks:
        """Return the handler of the lock queue."""
        from callseal.retention.lock_recordings import RecordingLocks

        years = self._env.maximum_compliance_years
        return RecordingLocks(self.cards, self.tenants, self.archive_versions, years, self.clock, log)
