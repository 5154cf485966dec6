"""Choosing the key that a file is sealed to: the current one, or what the settings say of proof and overlap."""

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
    """Chooses keys if the settings follow a rotation."""

    def __init__(self, tenants: Tenants, register: KeyRegister, clock: Clock) -> None:
        """Take the tenants, whose cache also holds what the register says, and the key register."""
        self._tenants, self._register, self._clock = tenants, register, clock

    def inventory(self, tenant: str) -> KeyInventory:
        """Return what the key register holds of a tenant's keys, at most CACHE_TIME old."""
        return self._tenants.cached(INVENTORY, tenant, lambda: self._register.known(tenant))

    def key(self, tenant: str, settings: TenantSettings) -> KeyVersion:
        """Give the key that a tenant's files are sealed to now; raises HeldError with one of the Key* reasons."""
        current = self._tenants.key(tenant)
        rows = self.inventory(tenant).rows
        if settings.require_key_proof and (waiting := unproven(current.recipients, rows)):
            self._tenants.drop(INVENTORY, tenant)  # its code may come back at any moment
            return self._last_proven(tenant, current, rows) or _hold(current, waiting)
        return self._with_previous(tenant, current, rows, settings)

    def choice_changed(self, tenant: str, key: KeyVersion, since: datetime) -> bool:
        """Tell whether, since a moment, somebody may have chosen another key, for a proof that was not there yet."""
        if key.version != self._tenants.key(tenant).version:
            return True
        mine = names(key.recipients)
        proven = [row.proven for row in self.inventory(tenant).rows if row.fingerprint in mine and row.proven]
        return any(since < datetime.fromisoformat(each) + CACHE_TIME + CLOCK_SKEW for each in proven)

    def _last_proven(self, tenant: str, current: KeyVersion, rows: Sequence[KeyRecord]) -> KeyVersion | None:
        for version in proven_versions(rows, current.version):
            key = self._usable(tenant, version, current)
            if key and not unproven(key.recipients, rows):
                return key
        return None

    def _with_previous(
        self, tenant: str, current: KeyVersion, rows: Sequence[KeyRecord], settings: TenantSettings
    ) -> KeyVersion:
        if not (days := settings.rotation_overlap_days):
            return current
        version = previous_version(current.recipients, current.version, rows, days, self._clock())
        previous = self._usable(tenant, version, current) if version else None
        if previous is None or (settings.require_key_proof and unproven(previous.recipients, rows)):
            return current
        return KeyVersion(both(current.recipients, previous.recipients), current.version)

    def _usable(self, tenant: str, version: str, current: KeyVersion) -> KeyVersion | None:
        """Return the key in an earlier version of the secret, None if it is gone or can no longer be used.

        What the current version revokes cannot.
        """
        try:
            return self._tenants.key_at(tenant, version, current)
        except HeldError:
            return None


def _hold(current: KeyVersion, waiting: Sequence[str]) -> KeyVersion:
    held = HeldError(
        Reason.KEY_UNPROVEN,
        f"The tenant has not proven yet that it can open what is sealed to {', '.join(waiting)}. A challenge is in its "
        "SFTP folder key-check: ask the tenant for the code in it.",
    )
    held.key_version = current.version
    raise held
