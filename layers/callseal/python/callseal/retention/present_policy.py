"""What a tenant's present policy says about calls that an earlier version has judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callseal.calls.call_policy import TenantPolicy, tenant_policy
from callseal.core.audit import timestamp
from callseal.core.errors import HeldError, Reason
from callseal.retention.judge_again import HashOf, judged_again
from callseal.retention.verdict import Covers

if TYPE_CHECKING:
    from callseal.calls.card import Card
    from callseal.core.clock import Clock
    from callseal.tenants.directory import Tenants


class PresentPolicy:
    """Reads tenants' policies. A tenant whose settings are gone has none, and its calls keep the dates they have."""

    def __init__(self, tenants: Tenants, compliance_years: int, hash_of: HashOf, clock: Clock) -> None:
        """Take the collaborators. `compliance_years` is the stack's maximum of the lock `compliance`."""
        self._tenants, self._years, self._hash_of, self._clock = tenants, compliance_years, hash_of, clock

    def keeps(self, tenant: str) -> Covers:
        """Return a function that returns whether the present policy keeps a call longer than its card says.

        A version that keeps calls longer stops their disposal at once. One that keeps them shorter waits for 3 days.
        Raise HeldError if the settings or the policy cannot be read.
        """
        policy, now = self.of(tenant), timestamp(self._clock())

        def keeps(card: Card) -> bool:
            outcome = judged_again(card, policy, self._hash_of) if policy else None
            return outcome is not None and (outcome["dispose_on"] is None or outcome["dispose_on"] > now)

        return keeps

    def has_index(self, tenant: str) -> bool:
        """Return whether a tenant's calls are indexed. Cards of a tenant that is gone, or is set wrongly, stay."""
        try:
            policy = self.of(tenant)
        except HeldError:
            return True
        return policy is None or policy.mode != "off"

    def of(self, tenant: str) -> TenantPolicy | None:
        """Return a tenant's policy with its settings, or None if the tenant has no settings. Raise HeldError."""
        try:
            return tenant_policy(self._tenants, tenant, self._years)
        except HeldError as held:
            if held.reason != Reason.SETTINGS_MISSING:
                raise
            return None
