"""Checking keys: each tenant's secret is validated as for sealing, at every change and once a day.

A check reports each result to the audit once, as `KeyAccepted`, `KeyRejected` or `KeyExpiring`. If a tenant's settings
require proof, it challenges a new key. Announcements are saved after their events are sent, so a check that is
interrupted repeats them with the same ids.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from callseal.aws.bus import AuditBus
from callseal.core.audit import AuditEvent, numbered, timestamp
from callseal.core.clock import Clock
from callseal.core.errors import CallsealError, HeldError, Reason, TransientError
from callseal.core.log import Log, describe
from callseal.core.metrics import Metric
from callseal.core.recipient import MAX_RECIPIENTS, Recipient, left_out_note
from callseal.crypto.recipients import GpgFactory, Recipients, judge
from callseal.crypto.recipients.inspection import inspect
from callseal.inbound.run import Run
from callseal.keys import events
from callseal.keys.announcements import Announcement, AnnouncementLog, Expiring
from callseal.keys.choice import previous_version, unproven
from callseal.keys.events import KeyVerdict
from callseal.keys.expiry import due
from callseal.keys.issue_challenge import Challenger
from callseal.keys.register import KeyRecord
from callseal.keys.register_table import KeyInventory, KeyRegister
from callseal.tenants.directory import Tenants
from callseal.tenants.settings import TenantSettings

TENANTS_AT_ONCE = 8
# Together longer than another check's claim (CLAIM in announcements.py).
CLAIM_TRIES, CLAIM_PAUSE_SECONDS = 80, 0.25
# Below the function's timeout in template.yaml.
RUN_TIME = timedelta(minutes=3)


class KeysUncheckedError(CallsealError):
    """Some keys could not be checked. Lambda invokes the check again, and it starts with other tenants."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result for one tenant: the reason if its key was rejected, and the number of KeyExpiring events."""

    state: str
    reason: Reason | None = None
    expiring: int = 0


class KeyCheck:
    """Checks tenants' keys. Make a new one for each run, so that no cached value outlives a change."""

    def __init__(
        self,
        tenants: Tenants,
        register: KeyRegister,
        announcements: AnnouncementLog,
        challenger: Challenger,
        bus: AuditBus,
        gpg: GpgFactory,
        clock: Clock,
        log: Log,
    ) -> None:
        """Take what it works with."""
        self._tenants, self._register, self._announcements = tenants, register, announcements
        self._challenger, self._bus = challenger, bus
        self._gpg, self._clock, self._log = gpg, clock, log

    def run(self, names: Iterable[str] | None) -> list[CheckResult]:
        """Check the named tenants, or all if None, while there is time. A failure does not stop the other checks."""
        run = Run(self._clock, RUN_TIME)
        wanted = run.shuffled(self._tenants.names() if names is None else names)

        def try_in_time(tenant: str) -> CheckResult:
            return self._try(tenant) if run.has_time else CheckResult("unchecked")

        with ThreadPoolExecutor(TENANTS_AT_ONCE, "tenant") as executor:
            return list(executor.map(try_in_time, wanted))

    def _try(self, tenant: str) -> CheckResult:
        try:
            return self.check(tenant)
        except Exception as exc:  # noqa: BLE001  # KeysUncheckedError reports it too, once the others are done
            self._log.warning("key not checked", extra={"tenant": tenant, **describe(exc)})
            return CheckResult("failed")

    def check(self, tenant: str) -> CheckResult:
        """Check one tenant's key, report the result to the audit, and challenge a new key if settings require it."""
        now, settings = self._clock(), self._settings(tenant)
        inventory = self._register.read(tenant)
        verdict, recipients = self._judge(tenant, now)
        if isinstance(recipients, HeldError):
            if recipients.reason is Reason.KEY_MISSING:
                return CheckResult("missing")
            self._announce(verdict, events.rejected(verdict, recipients, now), ())
            return CheckResult("rejected", recipients.reason)
        message = _message(verdict, recipients, inventory, settings, now) + left_out_note(recipients)
        expiring = self._announce(verdict, events.accepted(verdict, message, now), verdict.keys)
        self._warn_if_previous_is_gone(verdict, recipients, inventory, settings, now)
        if settings.require_key_proof:
            self._challenger.challenge(verdict, recipients, inventory, settings)
        return CheckResult("accepted", expiring=expiring)

    def _warn_if_previous_is_gone(
        self,
        verdict: KeyVerdict,
        recipients: Recipients,
        inventory: KeyInventory,
        settings: TenantSettings,
        now: datetime,
    ) -> None:
        """Log that an overlap ended early because Secrets Manager has deleted the previous version.

        It may delete a version without a staging label:
        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
        """
        days, version = settings.rotation_overlap_days, verdict.version or ""
        previous = previous_version(recipients, version, inventory.records, days, now) if days else None
        try:
            if previous:
                self._tenants.key_text(verdict.tenant, VersionId=previous)
        except HeldError:
            self._log.warning("previous key is gone", extra={"tenant": verdict.tenant, "key_version": previous})

    def _announce(self, verdict: KeyVerdict, event: AuditEvent, keys: Sequence[Recipient]) -> int:
        """Send the events that were not announced yet. Return the number of expiring keys among them.

        Concurrent checks of a tenant wait for each other.
        """
        for _ in range(CLAIM_TRIES):
            now, before = self._clock(), self._announcements.read(verdict.tenant)
            soon = list(_expiring(keys, before, now))
            announced = before.then(event.id, _expiring_announced(before, soon, now))
            if announced == before:
                return 0
            if self._announcements.claim(verdict.tenant, before, now):
                if event.id != before.verdict:
                    self._bus.put(numbered(event, announced.number))
                for key, days in soon:
                    self._bus.put(events.expiring(verdict, key, days, now))
                self._announcements.save(verdict.tenant, announced)
                return len(soon)
            time.sleep(CLAIM_PAUSE_SECONDS)
        raise TransientError("Another check of this tenant's key has not ended in time. Lambda invokes this one again.")

    def _settings(self, tenant: str) -> TenantSettings:
        """Return a tenant's settings, or defaults if they are missing or invalid: its key is checked all the same."""
        try:
            return self._tenants.settings(tenant)
        except HeldError:
            return TenantSettings()

    def _judge(self, tenant: str, now: datetime) -> tuple[KeyVerdict, Recipients | HeldError]:
        """Validate a tenant's secret. A private key is not inspected beyond the fact that it is one."""
        try:
            text = self._tenants.key_text(tenant)
        except HeldError as held:
            return KeyVerdict(tenant, held.key_version, ()), held
        try:
            recipients = judge(text.text, now, self._gpg)
        except HeldError as held:
            keys = () if held.reason is Reason.KEY_IS_PRIVATE else inspect(text.text, self._gpg)
            return KeyVerdict(tenant, text.version, keys), held
        return KeyVerdict(tenant, text.version, recipients.members), recipients


def metrics_of(checked: Sequence[CheckResult]) -> Iterator[Metric]:
    """Return the metrics of a run. A rejected key counts at every check, so its alarm stays on."""
    counts = Counter(result.state for result in checked)
    yield Metric("KeysChecked", counts["accepted"] + counts["rejected"])
    yield Metric("KeysAccepted", counts["accepted"])
    yield Metric("KeysExpiring", sum(result.expiring for result in checked))
    yield from (Metric("KeysRejected", 1, result.reason) for result in checked if result.reason)


def _expiring(keys: Sequence[Recipient], announced: Announcement, now: datetime) -> Iterator[tuple[Recipient, int]]:
    """Return the keys whose expiry is to be announced now, each with the threshold in days."""
    before = {(fingerprint, ends): days for fingerprint, ends, days in announced.expiring}
    for key in keys:
        ends = timestamp(key.not_after) if key.not_after else ""
        if days := due(key.not_after, now, before.get((key.encrypts_with, ends))):
            yield key, days


def _expiring_announced(
    announced: Announcement, soon: Sequence[tuple[Recipient, int]], now: datetime
) -> tuple[Expiring, ...]:
    """Return the expiries to save: the last threshold of each key and expiry that is still to come."""
    last = {(fingerprint, ends): days for fingerprint, ends, days in announced.expiring if ends > timestamp(now)}
    last |= {(key.encrypts_with, timestamp(key.not_after)): days for key, days in soon if key.not_after}
    return tuple((*name, days) for name, days in sorted(last.items()))


def _message(
    verdict: KeyVerdict, recipients: Recipients, inventory: KeyInventory, settings: TenantSettings, now: datetime
) -> str:
    """Return the message of an accepted key, for the operator who has pasted it."""
    if settings.require_key_proof and unproven(recipients, inventory.records):
        return (
            "The key is good. Recordings are sealed to it once the tenant has proven that it can open them: it finds a "
            "challenge in its SFTP folder key-check. Until then the last proven key is used, or recordings are held."
        )
    days, version = settings.rotation_overlap_days, verdict.version or ""
    previous = previous_version(recipients, version, inventory.records, days, now) if days else None
    if not previous:
        return "The key is good. Recordings are sealed to it within 60 seconds."
    if why := _why_alone(verdict, [record for record in inventory.records if record.secret_version_id == previous]):
        return f"The key is good. Recordings are sealed to it within 60 seconds, and to it alone: {why}."
    return (
        f"The key is good. Recordings are sealed to it within 60 seconds, and for {days} day{'s' if days > 1 else ''} "
        "to the previous key as well, as long as that is good."
    )


def _why_alone(verdict: KeyVerdict, previous: Sequence[KeyRecord]) -> str | None:
    """Return why one message cannot be sealed to a new key and the previous one, as `keys.choice.both` decides it."""
    if {record.kind for record in previous} != {verdict.keys[0].kind}:
        return "the previous key is of the other kind, and one message cannot have both"
    if len({*verdict.names, *(record.fingerprint for record in previous)}) > MAX_RECIPIENTS:
        return f"with the previous one there would be more than {MAX_RECIPIENTS} recipients"
    return None
