"""The container of the functions that serve the archive to people."""

from __future__ import annotations

from functools import cached_property
from time import sleep
from typing import TYPE_CHECKING

from callseal.core.log import Log
from callseal.wiring.container import Container

if TYPE_CHECKING:
    from callseal.archive.access_settings import AccessSettings
    from callseal.archive.access_trail import AccessTrail
    from callseal.archive.archive_bucket import ArchiveBucket
    from callseal.archive.audit_routes import AuditRoutes
    from callseal.archive.issuer import Client
    from callseal.archive.open_recording import RecordingRoutes
    from callseal.archive.search_calls import CallRoutes
    from callseal.archive.serve_share import SharedRoutes
    from callseal.archive.session_table import SessionTable
    from callseal.archive.sessions import Sessions
    from callseal.archive.share_mails import ShareMails
    from callseal.archive.share_recording import ShareRoutes
    from callseal.archive.share_table import ShareTable
    from callseal.archive.sign_in import SignIn
    from callseal.archive.user_table import UserTable
    from callseal.archive.visit import CallAccess, Visits
    from callseal.aws.mac_key import MacKey


class ArchiveContainer(Container):
    """A container that also makes what the archive's routes work with."""

    @cached_property
    def session_table(self) -> SessionTable:
        """The table of sessions and accesses."""
        from callseal.archive.session_table import SessionTable

        return SessionTable(self._client("dynamodb"), self._env.archive_sessions, self.clock)

    @cached_property
    def sessions(self) -> Sessions:
        """The sessions."""
        from callseal.archive.sessions import Sessions

        return Sessions(self.session_table, self.clock)

    @cached_property
    def users(self) -> UserTable:
        """The users who have signed in."""
        from callseal.archive.user_table import UserTable

        return UserTable(self._client("dynamodb"), self._env.archive_users, self.clock)

    @cached_property
    def access_trail(self) -> AccessTrail:
        """The trail of what people do."""
        from callseal.archive.access_trail import AccessTrail

        return AccessTrail(self.bus, self._client("dynamodb"), self._env.access_trail)

    @cached_property
    def mac_key(self) -> MacKey:
        """The stack's HMAC key."""
        from callseal.aws.mac_key import MacKey

        return MacKey(self._client("kms"), self._env.call_index_key)

    @cached_property
    def call_access(self) -> CallAccess:
        """The decisions about calls."""
        from callseal.archive.visit import CallAccess

        return CallAccess(self.cards, self.blind_index, self.access_trail)

    @cached_property
    def archive_bucket(self) -> ArchiveBucket:
        """The archive bucket."""
        from callseal.archive.archive_bucket import ArchiveBucket

        return ArchiveBucket(self._client("s3"), self._env.archive_bucket)

    def access_settings(self, log: Log) -> AccessSettings:
        """Return the tenants' access."""
        from callseal.archive.access_settings import AccessSettings

        return AccessSettings(self.tenants, self._client("ssm"), self._env.tenants_prefix, self.metrics, log)

    def visits(self, log: Log) -> Visits:
        """Return who sends requests."""
        from callseal.archive.visit import Visits

        return Visits(self.sessions, self.access_settings(log), self.users, self.clock)

    def sign_in(self, log: Log) -> SignIn:
        """Return the routes of sign-in."""
        from urllib3 import PoolManager

        from callseal.archive.issuer import Issuer
        from callseal.archive.person import ClaimNames
        from callseal.archive.sign_in import SignIn

        env = self._env
        claims = ClaimNames(
            env.oidc_tenant_claim, env.oidc_groups_claim, env.oidc_agent_claim, env.archive_platform_group
        )
        return SignIn(
            self.visits(log), self.sessions, self.session_table, self.users, self.access_trail,
            Issuer(env.oidc_issuer, PoolManager(), self.clock), self._oidc_client, claims, self.clock, log,
        )  # fmt: skip

    def call_routes(self, log: Log) -> CallRoutes:
        """Return the routes that find calls."""
        from callseal.archive.search_calls import CallRoutes
        from callseal.calls.cursor import Cursors
        from callseal.calls.search import CallSearch

        search = CallSearch(self.cards, self.blind_index, Cursors(self.mac_key), self.clock)
        return CallRoutes(self.visits(log), self.call_access, search, self.blind_index, self.access_trail, self.tenants)

    def audit_routes(self, log: Log) -> AuditRoutes:
        """Return the routes that show who did what."""
        from callseal.archive.audit_routes import AuditRoutes
        from callseal.calls.cursor import Cursors

        return AuditRoutes(self.visits(log), self.call_access, self.access_trail, Cursors(self.mac_key))

    def recording_routes(self, log: Log) -> RecordingRoutes:
        """Return the routes that open recordings."""
        from callseal.archive.open_recording import RecordingRoutes

        return RecordingRoutes(
            self.visits(log), self.sessions, self.call_access, self.archive_bucket, self.access_trail
        )

    @cached_property
    def shares(self) -> ShareTable:
        """The table of shares."""
        from callseal.archive.share_table import ShareTable

        return ShareTable(self._client("dynamodb"), self._env.archive_shares)

    @cached_property
    def share_mails(self) -> ShareMails:
        """The mails of shares."""
        from callseal.archive.share_mails import ShareMails

        return ShareMails(self._client("sesv2"), self._env.share_mail_from)

    def share_routes(self, log: Log) -> ShareRoutes:
        """Return the routes that share recordings."""
        from callseal.archive.client_settings import archive_url
        from callseal.archive.new_share import NewShares
        from callseal.archive.share_recording import ShareRoutes

        new = NewShares(
            self.shares, self.archive_bucket, self.share_mails, self.access_trail,
            lambda: archive_url(self.tenants, self._client("ssm"), self._env.archive_url),
        )  # fmt: skip
        return ShareRoutes(self.visits(log), self.call_access, self.shares, new)

    def shared_routes(self, log: Log) -> SharedRoutes:
        """Return the routes of the recipients of shares."""
        from callseal.archive.serve_share import SharedRoutes

        return SharedRoutes(
            self.shares, self.cards, self.archive_bucket, self.access_settings(log), self.share_mails,
            self.access_trail, self.clock, sleep,
        )  # fmt: skip

    def _oidc_client(self) -> Client:
        from callseal.archive.client_settings import oidc_client

        return oidc_client(self.tenants, self._client("ssm"), self._client("secretsmanager"), self._env)
