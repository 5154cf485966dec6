"""Requests for key checks: the sweep requests the check of a tenant whose key was never checked.

Secrets Manager documents its event for a label that moves to another version. If it sends none when a secret is
created, only the daily check would find a tenant's first key.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from callseal.aws.function import Function
from callseal.core.errors import HeldError, Reason
from callseal.core.landing import TENANT
from callseal.core.log import Log, describe
from callseal.keys.announcements import AnnouncementLog
from callseal.tenants.directory import Tenants

TENANTS_AT_ONCE = 16


class KeyRequests:
    """Invokes check_keys."""

    def __init__(self, tenants: Tenants, announcements: AnnouncementLog, key_check: Function, log: Log) -> None:
        """Take what it works with; `announcements` shows which keys were checked."""
        self._tenants, self._announcements, self._key_check, self._log = tenants, announcements, key_check, log

    def put(self, names: Iterable[str]) -> None:
        """Request a check of each tenant that has a key and was never checked. The next sweep repeats what fails."""
        with ThreadPoolExecutor(TENANTS_AT_ONCE, "tenant") as executor:
            list(executor.map(self._try, filter(TENANT.fullmatch, names)))

    def _try(self, tenant: str) -> None:
        try:
            # Each check of a key saves its verdict, whatever it is, so the next sweep does not request another.
            if not self._announcements.read(tenant).verdict and self._has_key(tenant):
                self._key_check.invoke({"tenant": tenant})
                self._log.info("key check requested", extra={"tenant": tenant})
        except Exception as exc:  # noqa: BLE001  # a request that fails must not stop the others
            self._log.warning("key check not requested", extra={"tenant": tenant, **describe(exc)})

    def _has_key(self, tenant: str) -> bool:
        try:
            self._tenants.key(tenant)
        except HeldError as held:
            return held.reason is not Reason.KEY_MISSING
        return True
