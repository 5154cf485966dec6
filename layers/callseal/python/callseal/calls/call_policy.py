"""What a tenant's policy decides about a landed file, before the file may be delivered.

Only read_metadata parses metadata. It judges the call by the policy and writes the outcome to the card. This module
reads the card, if the policy's rules or the settings need the metadata.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from callseal.calls.call_name import call_of
from callseal.calls.classes import Class, Duration, keep_until
from callseal.calls.decisions import Outcome
from callseal.calls.held_calls import erased_call, held_by_policy, refuse_number
from callseal.calls.index_mode import IndexMode, index_mode
from callseal.calls.outcome_member import lock_of, object_lock, outcome_of, stored_outcome
from callseal.core.clock import Clock
from callseal.core.errors import HeldError, MetadataNotYetError, NotIndexedError, OutdatedOutcomeError, Reason
from callseal.core.landing import LandedFile, LandedObject
from callseal.core.stored import ObjectLock
from callseal.tenants.directory import Tenants
from callseal.tenants.settings import TenantSettings

if TYPE_CHECKING:
    from callseal.calls.card import Card
    from callseal.calls.card_table import CardTable
    from callseal.calls.policy import Policy

# The settings by which read_metadata finds the facts of a call.
FACT_SETTINGS = ("metadata_profile", "metadata_paths", "time_zone", "default_region", "own_numbers")
# A recording without metadata is held at its third delivery by the queue, 25 seconds after the first.
LAST_TRY = 3
# A worker parses a tenant's policy once. It holds the texts of so many tenants, each of 8 kB at most.
MAX_PARSED = 256


@dataclass(frozen=True, slots=True)
class Ruling:
    """A policy's outcome for a landed file, and the version of the policy that decided it.

    `kept` is the retention of the call's class, None if the class has no lock.
    """

    version: str
    outcome: Outcome
    kept: ObjectLock | None = None

    def lock(self, now: datetime) -> ObjectLock | None:
        """Return the retention of an object that is written now. S3 takes only an end in the future."""
        return self.kept if self.kept and self.kept.until > now else None

    def member(self) -> dict[str, Any]:
        """Return the ruling as the member `policy` of an audit event."""
        return {
            "version": self.version,
            "rule": self.outcome.rule,
            "class": self.outcome.class_,
            "denied": self.outcome.denied,
        }


@dataclass(frozen=True, slots=True)
class TenantPolicy:
    """How a tenant's calls are indexed and judged. `policy` is None if the tenant has none."""

    settings: TenantSettings
    policy: Policy | None

    @property
    def mode(self) -> IndexMode:
        """How calls are indexed."""
        return index_mode(self.settings, self.policy is not None)

    @property
    def waits(self) -> bool:
        """Whether a recording waits for its metadata."""
        return self.settings.metadata_required or (self.policy is not None and self.policy.waits)

    @property
    def judged_by(self) -> str | None:
        """What decides the outcome of a call: the policy, and the settings by which facts are found.

        None if the tenant has no policy.
        """
        if self.policy is None:
            return None
        settings = {name: getattr(self.settings, name) for name in FACT_SETTINGS}
        return sha256(json.dumps([self.policy.version, settings]).encode()).hexdigest()

    def default(self, landed: datetime) -> Ruling | None:
        """Return the ruling for a call without metadata. Its retention begins when the file landed."""
        if self.policy is None:
            return None
        from callseal.calls.policy import default_outcome

        outcome = default_outcome(self.policy)
        class_ = self.policy.classes[outcome.class_]
        return Ruling(self.policy.version, outcome, object_lock(class_.lock, keep_until(class_, landed)))

    def default_outcome(self, landed: datetime) -> dict[str, Any] | None:
        """Return the outcome that a card without metadata stores, or None if the tenant has no policy."""
        ruling, policy = self.default(landed), self.policy
        if policy is None or ruling is None:
            return None
        class_ = policy.classes[ruling.outcome.class_]
        return stored_outcome(ruling.outcome, policy.version, str(self.judged_by), class_, landed)


def tenant_policy(tenants: Tenants, tenant: str, compliance_years: int) -> TenantPolicy:
    """Return a tenant's policy with its settings. Raise HeldError `Settings*` or `PolicyInvalid`.

    `compliance_years` is the stack's maximum of the lock `compliance`.
    """
    settings, text = tenants.settings(tenant), tenants.policy_text(tenant)
    policy = _parsed(text) if text is not None else None
    found = TenantPolicy(settings, policy)
    if policy:
        policy.check_against(settings)
        policy.check_locks(compliance_years)
    if found.waits and found.mode == "off":
        from callseal.calls.policy import invalid

        why = "its rules need the metadata" if policy and policy.waits else "the setting metadata_required needs it"
        raise invalid(f"the setting call_index is off, so no metadata is read, but {why}")
    return found


@lru_cache(maxsize=MAX_PARSED)
def _parsed(text: str) -> Policy:
    # Most tenants have no policy, and each import lengthens a cold start.
    from callseal.calls.policy import parse_policy

    return parse_policy(text)


class CallPolicies:
    """Applies tenants' policies to landed files. Safe to use from several threads."""

    def __init__(self, tenants: Tenants, cards: Callable[[], CardTable], compliance_years: int, clock: Clock) -> None:
        """Take the tenants, a function that returns the cards (most tenants need none), and the clock.

        `compliance_years` is the stack's maximum of the lock `compliance`.
        """
        self._tenants, self._cards, self._clock = tenants, cards, clock
        self._years = compliance_years

    def ruling(self, landed: LandedObject, file: LandedFile) -> Ruling | None:
        """Return the ruling for a file that may be delivered, or None if the tenant has no policy.

        Raise HeldError if the file must be held, NotIndexedError if read_metadata must process the file first, and
        MetadataNotYetError if the file shall be tried again soon.
        """
        settings = self._tenants.settings(file.tenant)
        if settings.refuse_numbers_in_names:
            refuse_number(landed.key, settings)
        tenant = tenant_policy(self._tenants, file.tenant, self._years)
        # A tenant without an index has no cards, and no request is made for one.
        card = self._card(landed) if tenant.mode != "off" else None
        if file.is_metadata and tenant.mode != "off" and not landed.was_indexed:
            raise NotIndexedError("The metadata has not been read yet.")
        ruling = self._ruling_of_call(landed, file, tenant, card) if tenant.waits else self._default(landed, tenant)
        if ruling and ruling.outcome.held:
            raise held_by_policy(ruling.outcome, ruling.version, ruling.member())
        if ruling and ruling.kept:
            self._check_lock(ruling.kept)
        return ruling

    def _check_lock(self, lock: ObjectLock) -> None:
        """Raise HeldError for a lock that the archive bucket's policy denies, because a call ended in the future."""
        latest = keep_until(Class(keep=Duration(self._years, "y")), self._clock())
        if lock.mode == "COMPLIANCE" and latest and lock.until > latest:
            from callseal.calls.policy import invalid

            raise invalid("the metadata gives the call an end in the future, and lock compliance would last too long")

    def _card(self, landed: LandedObject) -> Card | None:
        """Return the card of a file's call. Raise HeldError `Erased` if the call was erased or waits for its erasure.

        The read is consistent and never cached: what a person had erased must not come back for a minute either.
        """
        call = call_of(landed.key)
        card = self._cards().get(call) if call else None
        if card and (card.gone == "erased" or card.erasure_pending):
            raise erased_call()
        return card

    def _ruling_of_call(
        self, landed: LandedObject, file: LandedFile, tenant: TenantPolicy, card: Card | None
    ) -> Ruling | None:
        if card is None or card.metadata != "read":
            return self._ruling_without_metadata(landed, file, tenant, card)
        if tenant.policy is None:
            return None
        stored = card.outcome or {}
        if stored.get("judged_by") != tenant.judged_by:
            raise OutdatedOutcomeError("The call was judged by another policy or other settings.")
        return Ruling(stored["version"], outcome_of(stored), lock_of(stored, tenant.policy.classes))

    def _default(self, landed: LandedObject, tenant: TenantPolicy) -> Ruling | None:
        return tenant.default(landed.landed_at or self._clock())

    def _ruling_without_metadata(
        self, landed: LandedObject, file: LandedFile, tenant: TenantPolicy, card: Card | None
    ) -> Ruling | None:
        """Return the ruling for unreadable metadata, or for a recording that need not wait any longer."""
        is_unreadable = card is not None and card.metadata == "unreadable"
        if file.is_metadata and not is_unreadable:
            raise NotIndexedError("The metadata is not on its call's card.")
        if file.is_metadata:
            return self._default(landed, tenant)
        wait = timedelta(minutes=tenant.settings.metadata_wait_minutes)
        is_late = landed.landed_at is not None and self._clock() - landed.landed_at >= wait
        if tenant.settings.metadata_missing == "deliver" and (is_unreadable or is_late):
            return self._default(landed, tenant)
        if not is_unreadable and landed.receives < LAST_TRY:
            raise MetadataNotYetError("The recording's metadata has not landed yet.")
        why = "cannot be read" if is_unreadable else "has not landed"
        awaited = HeldError(
            Reason.METADATA_AWAITED,
            f"The recording needs its metadata, which {why}. Land <the same name>.xml or .json in a form that "
            "`callseal profile try` can read; the recording is then released.",
        )
        awaited.cause = "unreadable" if is_unreadable else None
        awaited.is_overdue = is_late
        raise awaited
