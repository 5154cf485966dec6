"""The container: makes the objects that the functions work with, from settings and with clients of one session."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from threading import RLock
from time import sleep
from typing import TYPE_CHECKING, Any

from boto3.session import Session

from callseal.aws.batching import BatchWindow
from callseal.aws.bus import AuditBus
from callseal.aws.calls import client
from callseal.aws.metrics import MetricsEmitter
from callseal.calls.call_policy import CallPolicies
from callseal.core.clock import Clock, now
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
    from callseal.calls.blind_index import BlindIndex
    from callseal.calls.card_table import CardTable
    from callseal.delivery.routing import Destination
    from callseal.delivery.sweep_position import SweepPosition
    from callseal.keys.announcements import AnnouncementLog
    from callseal.keys.check_folder import CheckFolder
    from callseal.keys.register_table import KeyRegister
    from callseal.keys.select_key import KeyChoice
    from callseal.keys.usage_table import UsageTable
    from callseal.sftp.audit_sftp import SftpAudit
    from callseal.sftp.authenticate_sftp import SftpLogins
    from callseal.sftp.file_table import FileRegister
    from callseal.sftp.login_settings import LoginSettings
    from callseal.sftp.notice_queue import NoticeQueue

PARTS_AT_ONCE = 4


class Container:
    """Makes each object at its first use. Safe to use from several threads.

    Modules that few recordings need are imported only then, because each import lengthens a cold start. An object may
    use only settings that the function's class declares.
    """

    def __init__(self, env: Any) -> None:
        """Take the function's settings, as `read_env` returns them."""
        self._env, self._session, self._clients = env, Session(), dict[str, Any]()
        self._lock = RLock()

    def _queue(self, url: str) -> LandedQueue:
        from callseal.aws.queue import LandedQueue

        return LandedQueue(self._client("sqs"), url)

    def _client(self, service: str) -> Any:
        with self._lock:  # a session is not safe to make clients from several threads
            if service not in self._clients:
                self._clients[service] = client(self._session, service)
            return self._clients[service]

    @property
    def clock(self) -> Clock:
        """The clock, in UTC."""
        return now

    @cached_property
    def window(self) -> BatchWindow:
        """The window in which threads that work on one batch share requests."""
        return BatchWindow()

    @cached_property
    def gpg(self) -> GpgFactory:
        """The factory for GnuPG."""
        return gpg_factory(self._env.gpg_binary)

    @cached_property
    def landing(self) -> LandingBucket:
        """The landing bucket."""
        return LandingBucket(self._client("s3"), self._env.landing_bucket, self.window)

    @cached_property
    def bus(self) -> AuditBus:
        """The audit bus."""
        return AuditBus(self._client("events"), self._env.audit_bus, self.window)

    @cached_property
    def metrics(self) -> MetricsEmitter:
        """The emitter of metrics."""
        return MetricsEmitter(self._env.stack_name)

    @cached_property
    def tenants(self) -> Tenants:
        """The look-ups of tenants' settings and keys, cached."""
        secrets, ssm = self._client("secretsmanager"), self._client("ssm")
        return Tenants(secrets, ssm, self._env.tenants_prefix, self.gpg, now)

    @cached_property
    def key_choice(self) -> KeyChoice:
        """The choice of keys for tenants that require proof or have an overlap."""
        from callseal.keys.select_key import KeyChoice

        return KeyChoice(self.tenants, self.register, now)

    @cached_property
    def call_policies(self) -> CallPolicies:
        """What tenants' policies decide about landed files."""
        return CallPolicies(self.tenants, lambda: self.cards, self._env.maximum_compliance_years, now)

    @cached_property
    def planner(self) -> Planner:
        """The planner."""
        buckets: dict[Destination, str] = {"archive": self._env.archive_bucket, "sftp": self._env.sftp_bucket}
        return Planner(self.tenants, lambda: self.key_choice, self.call_policies, buckets, now)

    @cached_property
    def committer(self) -> Committer:
        """The committer."""
        outputs = OutputBuckets(self._client("s3"), ThreadPoolExecutor(PARTS_AT_ONCE, "part"))
        return Committer(self.landing, outputs, self.gpg)

    @cached_property
    def queue(self) -> LandedQueue:
        """The encrypt queue."""
        return self._queue(self._env.encrypt_queue_url)

    @cached_property
    def metadata_queue(self) -> LandedQueue:
        """The metadata queue."""
        return self._queue(self._env.metadata_queue_url)

    @cached_property
    def rechecks(self) -> LandedQueue:
        """The recheck queue."""
        return self._queue(self._env.recheck_queue_url)

    @cached_property
    def register(self) -> KeyRegister:
        """The key register."""
        from callseal.keys.register_table import KeyRegister

        return KeyRegister(self._client("dynamodb"), self._env.key_register)

    @cached_property
    def key_usage(self) -> UsageTable:
        """The counts of keys' uses."""
        from callseal.keys.usage_table import UsageTable

        return UsageTable(self._client("dynamodb"), self._env.key_register, self._env.key_events)

    @cached_property
    def announcements(self) -> AnnouncementLog:
        """What the key checks have announced."""
        from callseal.keys.announcements import AnnouncementLog

        return AnnouncementLog(self._client("dynamodb"), self._env.key_events)

    @cached_property
    def check_folder(self) -> CheckFolder:
        """The tenants' key-check folders."""
        from callseal.keys.check_folder import CheckFolder

        return CheckFolder(self._client("s3"), self._env.sftp_bucket)

    @cached_property
    def files(self) -> FileRegister:
        """The register of delivered files."""
        from callseal.sftp.file_table import FileRegister

        return FileRegister(self._client("dynamodb"), self._env.file_register)

    @cached_property
    def cards(self) -> CardTable:
        """The cards of calls."""
        from callseal.calls.card_table import CardTable

        return CardTable(self._client("dynamodb"), self._env.calls_table, now)

    @cached_property
    def blind_index(self) -> BlindIndex:
        """The hashes of numbers, agents and queues."""
        from callseal.aws.mac_key import MacKey
        from callseal.calls.blind_index import BlindIndex

        key = MacKey(self._client("kms"), self._env.call_index_key)
        return BlindIndex(self._client("dynamodb"), self._env.calls_table, key, now)

    @cached_property
    def sweep_position(self) -> SweepPosition:
        """Where the next sweep continues."""
        from callseal.delivery.sweep_position import SweepPosition

        return SweepPosition(self._client("dynamodb"), self._env.sweep_memory)

    @cached_property
    def key_check(self) -> Function:
        """The function that checks keys."""
        from callseal.aws.function import Function

        return Function(self._client("lambda"), self._env.check_keys_function)

    def sftp_logins(self, log: Log) -> SftpLogins:
        """Return the handler of SFTP logins."""
        from callseal.sftp.authenticate_sftp import SftpLogins
        from callseal.sftp.session import SessionSettings
        from callseal.sftp.stored_keys import SftpKeys

        settings = SessionSettings(
            role_arn=self._env.sftp_session_role_arn,
            bucket=self._env.sftp_bucket,
            bucket_arn=self._env.sftp_bucket_arn,
            key_arn=self._env.stack_key_arn,
            region=self._env.aws_region,
        )
        keys = SftpKeys(self._client("secretsmanager"), self._env.tenants_prefix)
        return SftpLogins(keys, self.login_settings, self.notices, settings, now, sleep, log)

    def sftp_audit(self, log: Log) -> SftpAudit:
        """Return the handler of the SFTP server's events."""
        from callseal.sftp.audit_sftp import SftpAudit

        bucket, server = self._env.sftp_bucket, self._env.sftp_server_id
        parts = (self.bus, self.notices, self.login_settings, now, log)
        return SftpAudit(*parts, bucket=bucket, server=server)

    @cached_property
    def login_settings(self) -> LoginSettings:
        """The copies of tenants' settings that logins read."""
        from callseal.sftp.login_settings import LoginSettings

        return LoginSettings(self._client("dynamodb"), self._env.login_settings, self.tenants, now)

    @cached_property
    def notices(self) -> NoticeQueue:
        """The queue of notices about refused logins."""
        from callseal.sftp.notice_queue import NoticeQueue

        return NoticeQueue(self._client("sqs"), self._env.login_notice_queue_url)
