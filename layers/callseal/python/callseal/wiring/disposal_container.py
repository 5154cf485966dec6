"""The container of the functions that dispose of calls, and compare the archive with the cards."""

from __future__ import annotations

from functools import cached_property
from time import sleep
from typing import TYPE_CHECKING, Any

from callseal.core.log import Log
from callseal.retention.verdict import Rules
from callseal.wiring.retention_container import RetentionContainer
from callseal.wiring.trail_container import TrailContainer

if TYPE_CHECKING:
    from callseal.calls.due_cards import DueCards
    from callseal.retention.active_holds import ActiveHolds
    from callseal.retention.disposal_table import DisposalTable
    from callseal.retention.dispose_recordings import Disposal
    from callseal.retention.follow_policy import PolicyFollowing
    from callseal.retention.present_policy import PresentPolicy
    from callseal.retention.reconcile_archive import ArchiveReconcile
    from callseal.retention.version_store import VersionStore


class DisposalContainer(RetentionContainer, TrailContainer):
    """A container that also makes what disposals work with."""

    @cached_property
    def due_cards(self) -> DueCards:
        """The index of calls that are due."""
        from callseal.calls.due_cards import DueCards

        return DueCards(self._client("dynamodb"), self._env.calls_table)

    @cached_property
    def disposal_table(self) -> DisposalTable:
        """The state of the tenants' disposals."""
        from callseal.retention.disposal_table import DisposalTable

        return DisposalTable(self._client("dynamodb"), self._env.retention_table)

    @cached_property
    def version_store(self) -> VersionStore:
        """The versions in the archive."""
        from callseal.retention.version_store import VersionStore

        return VersionStore(self._client("s3"), self._env.archive_bucket, self._env.sftp_bucket)

    @cached_property
    def active_holds(self) -> ActiveHolds:
        """The holds that are in force."""
        from callseal.retention.active_holds import ActiveHolds

        return ActiveHolds(self.holds, self._hash_of)

    @cached_property
    def present_policy(self) -> PresentPolicy:
        """What the tenants' present policies say."""
        from callseal.retention.present_policy import PresentPolicy

        return PresentPolicy(self.tenants, self._env.maximum_compliance_years, self._hash_of, self.clock)

    def tenant_names(self) -> set[str]:
        """Return the tenants that have settings, or files in the archive."""
        from callseal.tenants.parameter_names import tenants_with_settings

        return tenants_with_settings(self._client("ssm"), self._env.tenants_prefix) | self.version_store.tenants()

    def disposal(self, log: Log) -> Disposal:
        """Return the disposal of calls."""
        from callseal.retention.disposal_records import DisposalRecords
        from callseal.retention.dispose_calls import CallDisposal
        from callseal.retention.dispose_recordings import Disposal
        from callseal.retention.due_calls import DueCalls
        from callseal.retention.landed_files import LandedFiles
        from callseal.retention.waveform_items import WaveformItems

        table, covers = self.disposal_table, self.active_holds.covers
        landed = LandedFiles(self._client("s3"), self._env.landing_bucket)
        waveforms = WaveformItems(self._client("dynamodb"), self._env.archive_waveforms)
        return Disposal(
            DueCalls(self.cards, self.due_cards, table, self._rules),
            CallDisposal(self.version_store, landed, waveforms, covers, self.blind_index.salt, self.clock, log),
            DisposalRecords(table, self.audit_bucket, self.bus, self.cards, self.clock),
            table, self.present_policy, self._following(), self.clock, log,
        )  # fmt: skip

    def archive_reconcile(self, log: Log) -> ArchiveReconcile:
        """Return the comparison of the archive with the cards."""
        from callseal.retention.reconcile_archive import ArchiveReconcile
        from callseal.retention.reconcile_findings import Findings
        from callseal.retention.reconcile_progress import ReconcilePasses

        passes = ReconcilePasses(self._client("dynamodb"), self._env.retention_table)
        findings = Findings(self.version_store, self.cards, self.clock, log, sleep)
        return ArchiveReconcile(
            self.version_store, self.cards, findings, self._rules, self.present_policy.has_index, passes, self.bus,
            self.clock,
        )  # fmt: skip

    def _following(self) -> PolicyFollowing:
        from callseal.retention.follow_policy import PolicyFollowing, VersionTable
        from callseal.retention.lock_requests import LockRequests

        versions = VersionTable(self._client("dynamodb"), self._env.retention_table)
        locks = LockRequests(self._client("sqs"), self._env.lock_queue_url)
        return PolicyFollowing(self.present_policy, versions, self.cards, self._hash_of, locks.put, self.clock)

    def _rules(self, tenant: str) -> Rules:
        return Rules(self.active_holds.covers(tenant), self.present_policy.keeps(tenant))

    def _hash_of(self, tenant: str, kind: Any, text: str) -> str:
        """Return the hash of a tenant's value. Without a salt no card has hashes that could be compared."""
        return self.blind_index.find(tenant, {kind: text}).get(kind, "")
