"""Planning: decide what to write where, from a landed object's key and its tenant's settings and key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from callseal.aws.upload import PART_BYTES
from callseal.calls.call_policy import CallPolicies, Ruling
from callseal.core.clock import Clock
from callseal.core.errors import HeldError, OutdatedOutcomeError
from callseal.core.formats import ENVELOPES
from callseal.core.landing import LandedFile, LandedObject, parse_landing_key, tenant_of
from callseal.core.recipient import OpenPgpRecipients
from callseal.core.stored import PLAIN, Address, ObjectLock, OutputHeaders, StoredObject, sealed_headers
from callseal.delivery.routing import Destination, Route, find_routes, output_key
from callseal.tenants.directory import KeyVersion, Tenants
from callseal.tenants.settings import TenantSettings

if TYPE_CHECKING:
    from callseal.keys.select_key import KeyChoice

Place = tuple[Destination, Address]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a file: its routes in order, and the key if an output is to be sealed.

    `config_changed` is true if the tenant's key or settings changed at about the time the file landed, or later. Then
    an earlier attempt may have left outputs that they no longer ask for. `revoked` returns the fingerprints of the
    subkeys that the tenant's earlier key texts revoked. Few files need it, so it is read on demand. `lock` is the
    retention of the archive's output.
    """

    landed: LandedObject
    file: LandedFile
    settings: TenantSettings
    routes: tuple[Route, ...]
    key: KeyVersion | None
    buckets: Mapping[Destination, str]
    ruling: Ruling | None = None
    config_changed: bool = False
    revoked: Callable[[], frozenset[str]] = frozenset
    lock: ObjectLock | None = None

    @property
    def is_one_put(self) -> bool:
        """Whether the only thing to write is one sealed output that is small enough for a single request."""
        return (
            not self.config_changed
            and len(self.routes) == 1
            and self.routes[0].sealed
            and (self.landed.size or 0) <= PART_BYTES // 2
        )

    def address(self, route: Route) -> Address:
        """Return the address of a route's output."""
        envelope = self.key.recipients.envelope if route.sealed and self.key else None
        return Address(self.buckets[route.destination], output_key(self.landed.key, envelope))

    def other_addresses(self) -> list[Place]:
        """Return the addresses that other settings or another key could have led to, without this plan's own."""
        asked = {self.address(route) for route in self.routes}
        return [place for place in _every_place(self.buckets, self.landed) if place[1] not in asked]

    def headers(self, route: Route) -> OutputHeaders:
        """Return the headers of a route's output."""
        etag = self.landed.etag or ""
        if not route.sealed or not self.key:
            return self.placed(OutputHeaders(self.file.content_type, etag, PLAIN), route)
        return self.placed(sealed_headers(self.key.recipients.envelope, etag, self.key.recipients.members), route)

    def placed(self, headers: OutputHeaders, route: Route) -> OutputHeaders:
        """Return headers with what ends an output: a lock in the archive, or a tag for the lifecycle by SFTP."""
        if route.destination == "archive":
            return replace(headers, lock=self.lock)
        return replace(headers, expires="files")

    def may_copy(self, sealed: StoredObject) -> bool:
        """Return whether a sealed output may be copied to a second destination, although the key changed meanwhile.

        It may not if one of its recipients was revoked. The second output is then sealed again.
        """
        recipients = {recipient.encrypts_with for recipient in sealed.recipients}
        if self.key is None or recipients == {member.encrypts_with for member in self.key.recipients.members}:
            return True
        # A revocation certificate in the key's text may revoke any earlier key.
        may_revoke = isinstance(self.key.recipients, OpenPgpRecipients) and self.key.recipients.sent.revocations
        by_text = {subkey for member in self.key.recipients.members for subkey in member.revoked_subkeys}
        return not (may_revoke or recipients & by_text or recipients & self.revoked())


def is_made_of(landed: LandedObject, stored: StoredObject) -> bool:
    """Return whether the stored object was made of this landed file.

    An object that is older than the landed file was made of an earlier file with the same bytes.
    """
    landed_at, modified = landed.landed_at, stored.modified
    is_older = landed_at is not None and modified is not None and modified < landed_at.replace(microsecond=0)
    return landed.etag is not None and stored.source_etag == landed.etag and not is_older


class Planner:
    """Plans landed files. Safe to use from several threads."""

    def __init__(
        self,
        tenants: Tenants,
        choice: Callable[[], KeyChoice],
        policies: CallPolicies,
        buckets: Mapping[Destination, str],
        clock: Clock,
    ) -> None:
        """Take the tenants with their policies, a function that returns the choice of keys, and the buckets.

        The function is called only if settings need the choice, because its import lengthens each cold start.
        """
        self._tenants, self._choice, self._policies = tenants, choice, policies
        self._buckets, self._clock = buckets, clock

    def plan(self, landed: LandedObject, since: datetime | None = None) -> Plan:
        """Return a file's plan. Raise HeldError if it must be held, NotIndexedError if its metadata must be read first.

        The error is never based on a value that was cached before `since` (default: now). Such values are dropped, and
        the file is planned again.
        """
        file, started = parse_landing_key(landed.key), since or self._clock()
        try:
            return self._plan(landed, file)
        except (HeldError, OutdatedOutcomeError):
            if not self._tenants.forget(file.tenant, before=started):
                raise
            return self._plan(landed, file)

    def routes(self, landed: LandedObject) -> tuple[Ruling | None, tuple[Route, ...]]:
        """Return the policy's ruling for a file, and the file's routes, which do not need the key.

        Raise HeldError if it has none, or if the policy holds it.
        """
        return self._find_routes(landed, parse_landing_key(landed.key))

    def every_place(self, landed: LandedObject) -> list[Place]:
        """Return the address of every output that any settings or key could have led to."""
        return _every_place(self._buckets, landed)

    def forget(self, landed: LandedObject, before: datetime) -> bool:
        """Drop what was cached of a file's tenant before a moment. Return whether there was anything."""
        tenant = tenant_of(landed.key)
        return tenant is not None and self._tenants.forget(tenant, before=before)

    def _plan(self, landed: LandedObject, file: LandedFile) -> Plan:
        settings = self._tenants.settings(file.tenant)
        ruling, routes = self._find_routes(landed, file)
        key = self._key(file.tenant, settings) if any(route.sealed for route in routes) else None
        # S3 always sends the time. A notification without one was written by hand.
        config_changed = landed.landed_at is not None and self._config_changed(
            file.tenant, settings, key, landed.landed_at
        )
        revoked = partial(self._revoked, file.tenant)
        lock = ruling.lock(self._clock()) if ruling else None
        return Plan(landed, file, settings, routes, key, self._buckets, ruling, config_changed, revoked, lock)

    def _find_routes(self, landed: LandedObject, file: LandedFile) -> tuple[Ruling | None, tuple[Route, ...]]:
        ruling = self._policies.ruling(landed, file)
        return ruling, find_routes(self._tenants.settings(file.tenant), file, ruling.outcome if ruling else None)

    def _revoked(self, tenant: str) -> frozenset[str]:
        return frozenset(record.fingerprint for record in self._choice().inventory(tenant).records if record.revoked)

    def _config_changed(self, tenant: str, settings: TenantSettings, key: KeyVersion | None, since: datetime) -> bool:
        if self._tenants.config_changed(tenant, since, by_key=key is not None):
            return True
        return key is not None and settings.require_key_proof and self._choice().choice_changed(tenant, key, since)

    def _key(self, tenant: str, settings: TenantSettings) -> KeyVersion:
        if not settings.follows_rotation:
            return self._tenants.key(tenant)
        return self._choice().key(tenant, settings)


def _every_place(buckets: Mapping[Destination, str], landed: LandedObject) -> list[Place]:
    return [
        (destination, Address(bucket, output_key(landed.key, envelope)))
        for destination, bucket in buckets.items()
        for envelope in (None, *ENVELOPES)
    ]
