"""The container of the function that erases recordings."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

from callseal.core.log import Log
from callseal.wiring.retention_container import RetentionContainer

if TYPE_CHECKING:
    from callseal.calls.card import Card
    from callseal.calls.card_facts import Kind
    from callseal.retention.carry_out_erasures import Erasures
    from callseal.retention.erasure_calls import ErasureCalls
    from callseal.retention.erasure_files import CallFiles, HoldsOf
    from callseal.retention.erasure_messages import ErasureMessages
    from callseal.retention.erasure_notices import Notices
    from callseal.retention.erasure_places import CallPlaces
    from callseal.retention.erasure_table import ErasureTable
    from callseal.tenants.directory import KeyVersion


class ErasureContainer(RetentionContainer):
    """A container that also makes what erases recordings."""

    @cached_property
    def erasure_table(self) -> ErasureTable:
        """The ledger of erasures."""
        from callseal.retention.erasure_table import ErasureTable

        return ErasureTable(self._client("dynamodb"), self._env.retention_table)

    @cached_property
    def erasure_calls(self) -> ErasureCalls:
        """The calls of requests for erasure."""
        from callseal.retention.erasure_calls import ErasureCalls

        return ErasureCalls(self.cards, self.blind_index)

    @cached_property
    def call_places(self) -> CallPlaces:
        """The places of calls' files."""
        from callseal.retention.erasure_places import CallPlaces

        env = self._env
        return CallPlaces(self._client("s3"), env.archive_bucket, env.sftp_bucket, env.landing_bucket)

    @cached_property
    def call_files(self) -> CallFiles:
        """The files of calls, as an erasure finds them."""
        from callseal.retention.erasure_files import CallFiles

        return CallFiles(self.call_places, self.files, self.holds_of)

    @property
    def holds_of(self) -> HoldsOf:
        """The holds that a call is under."""
        return self._holds_of

    def _holds_of(self, card: Card) -> list[str]:
        """Return the holds that a call is under, or will be: a scope protects its calls before its bits are set."""
        from callseal.retention.hold import holds_over

        def hashed(kind: str, text: str) -> str:
            of_kind = cast("Kind", kind)
            return self.blind_index.find(card.call.tenant, {of_kind: text}).get(of_kind, "")

        return holds_over(self.holds.active(card.call.tenant), card, hashed)

    def erasure_notices(self, log: Log) -> Notices:
        """Return the notices to recipients."""
        from callseal.retention.erasure_notices import Notices

        return Notices(
            self._client("s3"), self._env.sftp_bucket, self.tenants, self._sealing_key, self.gpg, self.clock, log
        )

    def erasures(self, log: Log) -> Erasures:
        """Return what carries out requests for erasure."""
        from callseal.aws.sign_key import SignKey
        from callseal.retention.call_traces import CallTraces
        from callseal.retention.carry_out_erasures import Erasures
        from callseal.retention.erase_call import CallErasure
        from callseal.retention.erasure_certificates import Certificates
        from callseal.retention.proof_keys import put_public_key

        env, s3, table = self._env, self._client("s3"), self.erasure_table
        key = SignKey(self._client("kms"), env.proof_key)
        traces = CallTraces(self._client("dynamodb"), env.archive_waveforms, env.archive_shares, env.file_register)
        erasure = CallErasure(table, self.call_files, self.call_places, traces, self.tenants, self.bus, self.clock)
        certificates = Certificates(
            s3, env.audit_bucket, key, table,
            lambda tenant: put_public_key(s3, env.sftp_bucket, tenant, key), self.clock,
        )  # fmt: skip
        return Erasures(
            table, self.erasure_calls, erasure, self.erasure_notices(log), certificates, self.cards, self.bus,
            self.window, self.clock, log,
        )  # fmt: skip

    def erasure_messages(self, log: Log) -> ErasureMessages:
        """Return what takes the messages of the erasure queue."""
        from callseal.retention.erasure_messages import ErasureMessages

        return ErasureMessages(self.erasure_table, self.erasures(log), self.erasure_notices(log), log)

    def _sealing_key(self, tenant: str) -> KeyVersion:
        """Return the key that a tenant's files are sealed to now. Raise HeldError with one of the Key* reasons."""
        settings = self.tenants.settings(tenant)
        return self.key_choice.key(tenant, settings) if settings.follows_rotation else self.tenants.key(tenant)
