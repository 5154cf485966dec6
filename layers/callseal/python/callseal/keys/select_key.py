"""Selecting the key that a file is sealed to: the current one, or as the settings for proof and overlap require."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from callseal.core.clock import Clock
from callseal.core.errors import HeldError, Reason
from callseal.keys.choice import both, names, previous_version, proven_versions, unproven
from callseal.keys.register import KeyRecord
from callseal.keys.register_table import KeyInventory, KeyRegister
from callseal.tenants.directory import CACHE_TIME, CLOCK_SKEW, INVENTORY, KeyVersion, Tenants
from callseal.tenants.settings import TenantSettings


class KeyChoice:
    """Selects keys for tenants that require proof or have an overlap."""

    def __init__(self, tenants: Tenants, register: KeyRegister, clock: Clock) -> None:
        """Take the tenants, whose cache also has the register's inventories, and the key register."""
        self._tenants, self._register, self._clock = tenants, register, clock

    def inventory(self, tenant: str) -> KeyInventory:
        """Return what the key register has of a tenant's keys, at most CACHE_TIME old."""
        return self._tenants.cached(INVENTORY, tenant, lambda: self._register.read(tenant))

    def key(self, tenant: str, settings: TenantSettings) -> KeyVersion:
        """Return the key that a tenant's files are sealed to now. Raise HeldError with one of the Key* reasons."""
        current = self._tenants.key(tenant)
        records = self.inventory(tenant).records
        if settings.require_key_proof and (waiting := unproven(current.recipients, records)):
            self._tenants.drop(INVENTORY, tenant)  # the tenant may return the code at any moment
            return self._last_proven(tenant, current, records) or _hold(current, waiting)
        return self._with_previous(tenant, current, records, settings)

    def choice_changed(self, tenant: str, key: KeyVersion, since: datetime) -> bool:
        """Return whether a worker may have selected another key since a moment, without the proof that exists now."""
        if key.version != self._tenants.key(tenant).version:
            return True
        mine = names(key.recipients)
        proven = [
            record.proven for record in self.inventory(tenant).records if record.fingerprint in mine and record.proven
        ]
        return any(since < datetime.fromisoformat(moment) + CACHE_TIME + CLOCK_SKEW for moment in proven)

    def _last_proven(self, tenant: str, current: KeyVersion, records: Sequence[KeyRecord]) -> KeyVersion | None:
        for version in proven_versions(records, current.version):
            key = self._usable(tenant, version, current)
            if key and not unproven(key.recipients, records):
                return key
        return None

    def _with_previous(
        self, tenant: str, current: KeyVersion, records: Sequence[KeyRecord], settings: TenantSettings
    ) -> KeyVersion:
        if not (days := settings.rotation_overlap_days):
            return current
        version = previous_version(current.recipients, current.version, records, days, self._clock())
        previous = self._usable(tenant, version, current) if version else None
        if previous is None or (settings.require_key_proof and unproven(previous.recipients, records)):
            return current
        return KeyVersion(both(current.recipients, previous.recipients), current.version)

    def _usable(self, tenant: str, version: str, current: KeyVersion) -> KeyVersion | None:
        """Return the key in an earlier version of the secret, None if it is gone or can no longer be used.

        A key that the current version revokes cannot be used.
        """
        try:
            return self._tenants.key_at(tenant, version, current)
        except HeldError:
            return None


def _hold(current: KeyVersion, waiting: Sequence[str]) -> KeyVersion:
    held = HeldError(
        Reason.KEY_UNPROVEN,
        f"The tenant has not yet proven that it can open files sealed to {', '.join(waiting)}. A challenge is in its "
        "SFTP folder key-check: ask the tenant for the code in it.",
    )
    held.key_version = current.version
    raise held
