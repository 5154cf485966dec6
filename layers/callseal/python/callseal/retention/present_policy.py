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
    from callseal.inbound.run import Run
    from callseal.retention.follow_policy import PolicyFollowing
    from callseal.tenants.directory import Tenants


class PresentPolicy:
    """Reads tenants' policies. A tenant whose settings are gone has none, and its calls keep the dates they have."""

    def __init__(self, tenants: Tenants, following: PolicyFollowing, hash_of: HashOf, clock: Clock) -> None:
        """Take the collaborators."""
        self._tenants, self._following, self._hash_of, self._clock = tenants, following, hash_of, clock

    def follow(self, tenant: str, run: Run) -> int:
        """Judge the tenant's calls again, if they follow a new version now. Return how many were judged.

        Raise HeldError if the settings or the policy cannot be read.
        """
        policy = self._policy(tenant)
        return self._following.follow(tenant, policy, run) if policy else 0

    def keeps(self, tenant: str) -> Covers:
        """Return a function that returns whether the present policy keeps a call longer than its card says.

        A version that keeps calls longer stops their disposal at once. One that keeps them shorter waits for 3 days.
        Raise HeldError if the settings or the policy cannot be read.
        """
        policy, now = self._policy(tenant), timestamp(self._clock())

        def keeps(card: Card) -> bool:
            outcome = judged_again(card, policy, self._hash_of) if policy else None
            return outcome is not None and (outcome["dispose_on"] is None or outcome["dispose_on"] > now)

        return keeps

    def _policy(self, tenant: str) -> TenantPolicy | None:
        try:
            return tenant_policy(self._tenants, tenant)
        except HeldError as held:
            if held.reason != Reason.SETTINGS_MISSING:
                raise
            return None
