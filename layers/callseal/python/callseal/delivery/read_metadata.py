"""Read a landed metadata file, judge its call by the tenant's policy, and write both to the call's card.

    encrypt queue -> encrypt_recording -> metadata queue -> read_metadata -> card -> encrypt queue

The file goes back to the encrypt queue only after its facts are on the card, so nothing is delivered against a policy
that the metadata decides. This is the only module that imports the parser. Nothing of the file goes to log or audit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from callseal.aws.bus import AuditBus
from callseal.aws.queue import LandedQueue
from callseal.calls.call_name import CallName, call_of
from callseal.calls.call_policy import TenantPolicy, tenant_policy
from callseal.calls.card import Card
from callseal.calls.card_facts import CardFacts, blind_facts, plain_facts
from callseal.calls.card_table import CardTable
from callseal.calls.metadata_bounds import MAX_BYTES
from callseal.calls.metadata_reader import read_entries
from callseal.calls.numbers import Numbering, country_of
from callseal.calls.outcome_member import stored_outcome
from callseal.calls.policy import Policy, default_outcome, judge
from callseal.calls.profiles import facts_of, find_fields
from callseal.core import audit
from callseal.core.audit import timestamp
from callseal.core.clock import Clock
from callseal.core.errors import (
    HeldError,
    NotJudgedError,
    SourceGoneError,
    SourceUnreadableError,
    TransientError,
    UnreadableMetadataError,
)
from callseal.core.landing import LandedFile, LandedObject, parse_landing_key
from callseal.delivery.deliver import Outcome
from callseal.delivery.landing_bucket import LandingBucket
from callseal.tenants.directory import Tenants

if TYPE_CHECKING:
    from callseal.calls.blind_index import BlindIndex
    from callseal.calls.decisions import Outcome as PolicyOutcome
    from callseal.calls.facts import Facts

# A file that comes because of another version of the policy is not judged by a version that was cached for longer.
FRESH = timedelta(seconds=5)
CardChange = Callable[[Card], Card]


class MetadataReading:
    """Processes the files of the metadata queue. Safe to use from several threads."""

    def __init__(
        self,
        landing: LandingBucket,
        tenants: Tenants,
        cards: CardTable,
        blind: BlindIndex,
        queue: LandedQueue,
        bus: AuditBus,
        compliance_years: int,
        clock: Clock,
    ) -> None:
        """Take what it works with; `queue` is the encrypt queue, `compliance_years` the maximum of that lock."""
        self._landing, self._tenants, self._cards, self._blind = landing, tenants, cards, blind
        self._queue, self._bus, self._years, self._clock = queue, bus, compliance_years, clock

    def process(self, landed: LandedObject) -> Outcome:
        """Process a metadata file, or a recording whose call another version of the policy has judged.

        Raise TransientError if the file must be tried again.
        """
        try:
            file = parse_landing_key(landed.key)
            tenant = self._policy(landed, file)
            if file.is_metadata and landed.etag is None:
                landed = self._landing.refresh(landed)
            call = call_of(landed.key)
            if tenant.mode != "off" and call:
                self._write_card(landed, file, call, tenant)
            landed = replace(landed, was_indexed=True)
        except SourceUnreadableError:
            # encrypt_recording holds the file. If the file can be read by now, it comes back.
            landed = replace(landed, was_indexed=False, was_unreadable=True)
        except HeldError as held:
            if landed.receives == 1:
                raise TransientError("encrypt_recording may use cached settings. The message is retried.") from held
            # encrypt_recording holds the file for the same reason, or the cause is gone and the file comes back.
            landed = replace(landed, was_indexed=False)
        except SourceGoneError:
            return Outcome("gone")
        self._queue.put(landed)
        return Outcome("pending", landed.key.partition("/")[0])

    def _policy(self, landed: LandedObject, file: LandedFile) -> TenantPolicy:
        """Return the file's tenant with its policy.

        encrypt_recording found an index, and valid settings. Cached values that differ are read again.
        """
        started = self._clock()
        if landed.was_indexed or not file.is_metadata:
            self._tenants.forget(file.tenant, before=started - FRESH)
        try:
            tenant = tenant_policy(self._tenants, file.tenant, self._years)
        except HeldError:
            if not self._tenants.forget(file.tenant, before=started):
                raise
            return tenant_policy(self._tenants, file.tenant, self._years)
        if tenant.mode == "off" and self._tenants.forget(file.tenant, before=started):
            return tenant_policy(self._tenants, file.tenant, self._years)
        return tenant

    def _write_card(self, landed: LandedObject, file: LandedFile, call: CallName, tenant: TenantPolicy) -> None:
        judged = _Judging(call, tenant, self._blind, landed.landed_at or self._clock())
        # Metadata that is still in landing has its facts in the clear, and by the present settings.
        metadata = [landed] if file.is_metadata else self._in_landing(call, is_metadata=True)
        changes = [self._metadata_change(each, parse_landing_key(each.key), judged) for each in metadata]
        changes.append(judged.again)
        for error in self._cards.apply({call: changes}).values():
            raise error
        if file.is_metadata and tenant.waits:
            for recording in self._in_landing(call, is_metadata=False):
                self._queue.put(replace(recording, was_held=True))

    def _metadata_change(self, landed: LandedObject, file: LandedFile, judged: _Judging) -> CardChange:
        try:
            facts = _read(self._bytes(landed), file, judged.tenant)
        except UnreadableMetadataError as unreadable:
            self._bus.put(audit.metadata_unreadable(landed, str(unreadable), self._clock()))
            return lambda card: card.with_metadata(landed.key, "unreadable", None, judged.landed)
        return judged.read(landed.key, facts)

    def _bytes(self, landed: LandedObject) -> bytes:
        """Return the file's bytes, at most one more than a metadata file may have.

        Raise TransientError if some did not arrive: what arrived may be another metadata file.
        """
        with self._landing.open(landed) as body:
            data = body.read(MAX_BYTES + 1)
        if len(data) < min(body.size, MAX_BYTES + 1):
            raise TransientError("Reading the landed file failed: the connection ended early.")
        return data

    def _in_landing(self, call: CallName, *, is_metadata: bool) -> list[LandedObject]:
        """Return the call's metadata files in landing, or its recordings, which may wait for metadata."""
        files = (landed for page in self._landing.list(f"{call.tenant}/{call.name}.") for landed in page)
        of_call = (landed for landed in files if call_of(landed.key) == call)
        return [landed for landed in of_call if parse_landing_key(landed.key).is_metadata is is_metadata]


class _Judging:
    """Judges a call by its tenant's policy, for changes of the call's card."""

    def __init__(self, call: CallName, tenant: TenantPolicy, blind: BlindIndex, landed: datetime) -> None:
        self.tenant, self.landed = tenant, timestamp(landed)
        self._call, self._blind, self._landed = call, blind, landed

    def read(self, source: str, facts: Facts) -> CardChange:
        """Return the change of a card by facts that were read from a metadata file."""
        known = self._known(facts)

        def change(card: Card) -> Card:
            after = card.with_metadata(source, "read", known, self.landed)
            policy = self.tenant.policy
            # Another metadata file of the call may have been read before: its facts stay.
            if policy is None or after.known != known:
                return after
            return after.with_outcome(self._stored(policy, facts, hashed=None))

        return change

    def again(self, card: Card) -> Card:
        """Return a card as the present policy judges it, from the facts on the card."""
        policy, known = self.tenant.policy, card.known
        if policy is None or known is None or (card.outcome or {}).get("judged_by") == self.tenant.judged_by:
            return card
        try:
            hashed = self._hashed if known.is_blind else None
            return card.with_outcome(self._stored(policy, known.with_hashes, hashed))
        except NotJudgedError:
            kept = card.outcome or self._dated(policy, default_outcome(policy))
            return card.with_outcome({**kept, "judged_by": self.tenant.judged_by})

    def _known(self, facts: Facts) -> CardFacts:
        is_own = _numbering(self.tenant).is_own
        if self.tenant.mode == "blind":
            return blind_facts(facts, is_own, self._hashed)
        return plain_facts(facts, is_own)

    def _stored(self, policy: Policy, facts: Facts, hashed: Callable[[Any, str], str] | None) -> dict[str, Any]:
        return self._dated(policy, judge(policy, facts, country_of, hashed), facts.ended)

    def _dated(self, policy: Policy, outcome: PolicyOutcome, ended: datetime | None = None) -> dict[str, Any]:
        judged_by, class_ = str(self.tenant.judged_by), policy.classes[outcome.class_]
        return stored_outcome(outcome, policy.version, judged_by, class_, ended or self._landed)

    def _hashed(self, kind: Any, text: str) -> str:
        return self._blind.hashed(self._call.tenant, kind, text)


def _read(data: bytes, file: LandedFile, tenant: TenantPolicy) -> Facts:
    settings = tenant.settings
    entries = read_entries(data, file.format)
    zone = ZoneInfo(settings.time_zone)
    fields = find_fields(entries, settings.metadata_profile, settings.metadata_paths, zone)
    return facts_of(fields, _numbering(tenant))


def _numbering(tenant: TenantPolicy) -> Numbering:
    return Numbering(tenant.settings.default_region, tenant.settings.own_numbers)
