"""The container of the functions that look after the audit trail's copies."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from callseal.wiring.container import Container

if TYPE_CHECKING:
    from callseal.trail.audit_bucket import AuditBucket
    from callseal.trail.audit_log import AuditLog
    from callseal.trail.progress_store import ReconcileProgress


class TrailContainer(Container):
    """A container that also makes the audit trail's copies."""

    @cached_property
    def audit_log(self) -> AuditLog:
        """The audit log group."""
        from callseal.trail.audit_log import AuditLog

        return AuditLog(self._client("logs"), self._env.audit_log_group)

    @cached_property
    def audit_bucket(self) -> AuditBucket:
        """The audit bucket."""
        from callseal.trail.audit_bucket import AuditBucket

        mode, days = self._env.audit_lock_mode, self._env.audit_retention_days
        return AuditBucket(self._client("s3"), self._env.audit_bucket, mode, days)

    @cached_property
    def reconcile_progress(self) -> ReconcileProgress:
        """The progress of the comparison of the audit trail's copies."""
        from callseal.trail.progress_store import ReconcileProgress

        return ReconcileProgress(self._client("ssm"), self._env.reconcile_progress)
