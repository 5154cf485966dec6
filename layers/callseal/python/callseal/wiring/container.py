"""Wiring: from a function's environment variables (template.yaml sets them) to the parts that it works with."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cached_property
from threading import RLock
from time import sleep
from typing import TYPE_CHECKING, Any

from boto3.session import Session

from callseal.aws.batching import Rendezvous
from callseal.aws.bus import AuditBus
from callseal.aws.calls import client
from callseal.aws.metrics import Meter
from callseal.core.log import Log
from callseal.crypto.recipients import GpgFactory, gpg_factory
from callseal.delivery.commit import Committer
from callseal.delivery.landing_bucket import LandingBucket
from callseal.delivery.output_buckets import OutputBuckets
from callseal.delivery.planning import Planner
from callseal.tenants.directory import Tenants

if TYPE_CHECKING:
    from callseal.aws.function import Function
    from callseal.aws.queue import LandedQueue
    from callseal.delivery.sweep_position import SweepMemory
    from callseal.keys.announcements import Memory
    from callseal.keys.check_folder import KeyFiles
    from callseal.keys.register_table import KeyRegister
    from callseal.keys.usage_table import KeyUses
    from callseal.sftp.audit_sftp import SftpAudit
    from callseal.sftp.authenticate_sftp import SftpLogins
    from callseal.sftp.file_table import FileRegister
    from callseal.sftp.login_settings import LoginSettings
    from callseal.sftp.notice_queue import NoticeQueue
    from callseal.trail.audit_bucket import AuditBucket
    from callseal.trail.audit_log import AuditLog
    from callseal.trail.progress_store import ReconcileProgress

PARTS_AT_ONCE = 4


class Parts:
    """What the functions are made of, on clients of one session; safe to use from several threads.

    Each part is made when it is first asked for, and raises KeyError naming an environment variable that is missing.
    What the delivery of most recordings does without is only then imported, too: it would cost each cold start.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        """Take the environment variables."""
        self._env, self._session, self._clients = env, Session(), dict[str, Any]()
        self._lock = RLock()

    def _queue(self, variable: str) -> LandedQueue:
        from callseal.aws.queue import LandedQueue

        return LandedQueue(self._client("sqs"), self._env[variable])

    def _client(self, service: str) -> Any:
        with self._lock:  # a session makes no clients in several threads at once
            if service not in self._clients:
                self._clients[service] = client(self._session, service)
            return self._clients[service]

    @cached_property
    def rendezvous(self) -> Rendezvous:
        """Where those who work on the records of a batch wait for each other."""
        return Rendezvous()

    @cached_property
    def gpg(self) -> GpgFactory:
        """What gives GnuPG."""
        return gpg_factory(self._env["GPG_BINARY"])

    @cached_property
    def landing(self) -> LandingBucket:
        """The landing bucket."""
        return LandingBucket(self._client("s3"), self._env["LANDING_BUCKET"], self.rendezvous)

    @cached_property
    def bus(self) -> AuditBus:
        """The audit bus."""
        return AuditBus(self._client("events"), self._env["AUDIT_BUS"], self.rendezvous)

    @cached_property
    def meter(self) -> Meter:
        """The meter."""
        return Meter(self._env["STACK_NAME"])

    @cached_property
    def tenants(self) -> Tenants:
        """The tenants."""
        secrets, ssm = self._client("secretsmanager"), self._client("ssm")
        return Tenants(secrets, ssm, lambda: self.register, self._env["TENANTS_PREFIX"], self.gpg, now)

    @cached_property
    def planner(self) -> Planner:
        """The planner."""
        archive, sftp = self._env["ARCHIVE_BUCKET"], self._env["SFTP_BUCKET"]
        return Planner(self.tenants, {"archive": archive, "sftp": sftp}, now)

    @cached_property
    def committer(self) -> Committer:
        """The committer."""
        outputs = OutputBuckets(self._client("s3"), ThreadPoolExecutor(PARTS_AT_ONCE, "part"))
        return Committer(self.landing, outputs, self.gpg)

    @cached_property
    def queue(self) -> LandedQueue:
        """The encrypt queue."""
        return self._queue("ENCRYPT_QUEUE_URL")

    @cached_property
    def rechecks(self) -> LandedQueue:
        """The recheck queue."""
        return self._queue("RECHECK_QUEUE_URL")

    @cached_property
    def register(self) -> KeyRegister:
        """The key register."""
        from callseal.keys.register_table import KeyRegister

        return KeyRegister(self._client("dynamodb"), self._env["KEY_REGISTER"])

    @cached_property
    def key_uses(self) -> KeyUses:
        """How often keys were used."""
        from callseal.keys.usage_table import KeyUses

        return KeyUses(self._client("dynamodb"), self._env["KEY_REGISTER"], self._env["KEY_EVENTS"])

    @cached_property
    def memory(self) -> Memory:
        """What was told of keys."""
        from callseal.keys.announcements import Memory

        return Memory(self._client("dynamodb"), self._env["KEY_EVENTS"])

    @cached_property
    def key_files(self) -> KeyFiles:
        """The tenants' key-check folders."""
        from callseal.keys.check_folder import KeyFiles

        return KeyFiles(self._client("s3"), self._env["SFTP_BUCKET"])

    @cached_property
    def files(self) -> FileRegister:
        """The register of delivered files."""
        from callseal.sftp.file_table import FileRegister

        return FileRegister(self._client("dynamodb"), self._env["FILE_REGISTER"])

    @cached_property
    def sweep_memory(self) -> SweepMemory:
        """Where the sweep goes on."""
        from callseal.delivery.sweep_position import SweepMemory

        return SweepMemory(self._client("dynamodb"), self._env["SWEEP_MEMORY"])

    @cached_property
    def key_check(self) -> Function:
        """The function that checks keys."""
        from callseal.aws.function import Function

        return Function(self._client("lambda"), self._env["CHECK_KEYS_FUNCTION"])

    @cached_property
    def audit_log(self) -> AuditLog:
        """The audit log group."""
        from callseal.trail.audit_log import AuditLog

        return AuditLog(self._client("logs"), self._env["AUDIT_LOG_GROUP"])

    @cached_property
    def audit_bucket(self) -> AuditBucket:
        """The audit bucket."""
        from callseal.trail.audit_bucket import AuditBucket

        mode, days = self._env["AUDIT_LOCK_MODE"], int(self._env["AUDIT_RETENTION_DAYS"])
        return AuditBucket(self._client("s3"), self._env["AUDIT_BUCKET"], mode, days)

    @cached_property
    def reconcile_progress(self) -> ReconcileProgress:
        """How far the audit trail's copies are compared."""
        from callseal.trail.progress_store import ReconcileProgress

        return ReconcileProgress(self._client("ssm"), self._env["RECONCILE_PROGRESS"])

    def sftp_logins(self, log: Log) -> SftpLogins:
        """What answers logins."""
        from callseal.sftp.authenticate_sftp import SftpLogins
        from callseal.sftp.session import SessionSettings
        from callseal.sftp.stored_keys import SftpKeys

        settings = SessionSettings(
            role_arn=self._env["SFTP_SESSION_ROLE_ARN"],
            bucket=self._env["SFTP_BUCKET"],
            bucket_arn=self._env["SFTP_BUCKET_ARN"],
            key_arn=self._env["STACK_KEY_ARN"],
            region=self._env["AWS_REGION"],
        )
        keys = SftpKeys(self._client("secretsmanager"), self._env["TENANTS_PREFIX"])
        return SftpLogins(keys, self.login_settings, self.notices, settings, now, sleep, log)

    def sftp_audit(self, log: Log) -> SftpAudit:
        """What audits the SFTP front."""
        from callseal.sftp.audit_sftp import SftpAudit

        bucket, server = self._env["SFTP_BUCKET"], self._env["SFTP_SERVER_ID"]
        parts = (self.bus, self.notices, self.login_settings, now, log)
        return SftpAudit(*parts, bucket=bucket, server=server)

    @cached_property
    def login_settings(self) -> LoginSettings:
        """The copies of tenants' settings for logins."""
        from callseal.sftp.login_settings import LoginSettings

        return LoginSettings(self._client("dynamodb"), self._env["LOGIN_SETTINGS"], self.tenants, now)

    @cached_property
    def notices(self) -> NoticeQueue:
        """The queue of refused logins."""
        from callseal.sftp.notice_queue import NoticeQueue

        return NoticeQueue(self._client("sqs"), self._env["LOGIN_NOTICE_QUEUE_URL"])


def now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)
