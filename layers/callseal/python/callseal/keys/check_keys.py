"""Checking keys: each tenant's secret is judged as sealing would judge it, at every change and once a day.

What is found is told to the audit once: `KeyAccepted`, `KeyRejected`, `KeyExpiring`. Where a tenant's settings ask for
proof, a new key is challenged. The audit comes first and what was told is remembered after it, so a check that breaks
off tells the same again, under the same ids.
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
# Together longer than another check's claim lasts (announcements.py).
CLAIM_TRIES, CLAIM_PAUSE_SECONDS = 80, 0.25
# Below the function's timeout in template.yaml.
RUN_TIME = timedelta(minutes=3)


class KeysUncheckedError(CallsealError):
    """Some tenants' keys could not be checked; Lambda invokes the check again, and the next one begins elsewhere."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check of one tenant came to; `reason` where its key was rejected, `expiring` is how many were told of."""

    state: str
    reason: Reason | None = None
    expiring: int = 0


class KeyCheck:
    """Checks tenants' keys; made anew for each run, so that nothing that was remembered outlives a change."""

    def __init__(
        self,
        tenants: Tenants,
        register: KeyRegister,
        memory: AnnouncementLog,
        challenger: Challenger,
        bus: AuditBus,
        gpg: GpgFactory,
        clock: Clock,
        log: Log,
    ) -> None:
        """Take what it works with."""
        self._tenants, self._register, self._memory = tenants, register, memory
        self._challenger, self._bus = challenger, bus
        self._gpg, self._clock, self._log = gpg, clock, log

    def run(self, names: Iterable[str] | None) -> list[CheckResult]:
        """Check some tenants, or all for None, while there is time. A failure does not stop the other checks."""
        run = Run(self._clock, RUN_TIME)
        wanted = run.shuffled(self._tenants.names() if names is None else names)

        def try_in_time(tenant: str) -> CheckResult:
            return self._try(tenant) if run.has_time else CheckResult("unchecked")

        with ThreadPoolExecutor(TENANTS_AT_ONCE, "tenant") as executor:
            return list(executor.map(try_in_time, wanted))

    def _try(self, tenant: str) -> CheckResult:
        try:
            return self.check(tenant)
        except Exception as exc:  # noqa: BLE001  # told by KeysUncheckedError too, once the others are done
            self._log.warning("key not checked", extra={"tenant": tenant, **describe(exc)})
            return CheckResult("failed")

    def check(self, tenant: str) -> CheckResult:
        """Check one tenant's key."""
        now, settings = self._clock(), self._settings(tenant)
        known = self._register.known(tenant)
        judged, recipients = self._judge(tenant, now)
        if isinstance(recipients, HeldError):
            if recipients.reason is Reason.KEY_MISSING:
                return CheckResult("missing")
            self._tell(judged, events.rejected(judged, recipients, now), ())
            return CheckResult("rejected", recipients.reason)
        message = _message(judged, recipients, known, settings, now) + left_out_note(recipients)
        expiring = self._tell(judged, events.accepted(judged, message, now), judged.keys)
        self._look_for_previous(judged, recipients, known, settings, now)
        if settings.require_key_proof:
            self._challenger.challenge(judged, recipients, known, settings)
        return CheckResult("accepted", expiring=expiring)

    def _look_for_previous(
        self, judged: KeyVerdict, recipients: Recipients, known: KeyInventory, settings: TenantSettings, now: datetime
    ) -> None:
        """Log that an overlap ended early because its version is gone: Secrets Manager may delete one without a label.

        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
        """
        days, version = settings.rotation_overlap_days, judged.version or ""
        previous = previous_version(recipients, version, known.rows, days, now) if days else None
        try:
            if previous:
                self._tenants.key_text(judged.tenant, VersionId=previous)
        except HeldError:
            self._log.warning("previous key is gone", extra={"tenant": judged.tenant, "key_version": previous})

    def _tell(self, judged: KeyVerdict, verdict: AuditEvent, keys: Sequence[Recipient]) -> int:
        """Tell what has not been told yet; gives how many ends were. Checks at once do it one after the other."""
        for _ in range(CLAIM_TRIES):
            now, before = self._clock(), self._memory.told(judged.tenant)
            soon = list(_expiring(keys, before, now))
            told = before.then(verdict.id, _expiring_told(before, soon, now))
            if told == before:
                return 0
            if self._memory.claim(judged.tenant, before, now):
                if verdict.id != before.verdict:
                    self._bus.put(numbered(verdict, told.number))
                for key, days in soon:
                    self._bus.put(events.expiring(judged, key, days, now))
                self._memory.keep(judged.tenant, told)
                return len(soon)
            time.sleep(CLAIM_PAUSE_SECONDS)
        raise TransientError("Another check of this tenant's key is under way and does not end.")

    def _settings(self, tenant: str) -> TenantSettings:
        """Give a tenant's settings; where they are missing or wrong, its recordings are held, and its key is judged."""
        try:
            return self._tenants.settings(tenant)
        except HeldError:
            return TenantSettings()

    def _judge(self, tenant: str, now: datetime) -> tuple[KeyVerdict, Recipients | HeldError]:
        """Judge what stands in a tenant's secret; of a private key nothing is looked at but that it is one."""
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
    """Give the metrics of a run. A key that stays bad counts at every check: its alarm goes on."""
    counts = Counter(one.state for one in checked)
    yield Metric("KeysChecked", counts["accepted"] + counts["rejected"])
    yield Metric("KeysAccepted", counts["accepted"])
    yield Metric("KeysExpiring", sum(one.expiring for one in checked))
    yield from (Metric("KeysRejected", 1, one.reason) for one in checked if one.reason)


def _expiring(keys: Sequence[Recipient], told: Announcement, now: datetime) -> Iterator[tuple[Recipient, int]]:
    """Give the keys that are to be told of now, each with the threshold in days."""
    before = {(fingerprint, ends): days for fingerprint, ends, days in told.expiring}
    for key in keys:
        ends = timestamp(key.not_after) if key.not_after else ""
        if days := due(key.not_after, now, before.get((key.encrypts_with, ends))):
            yield key, days


def _expiring_told(told: Announcement, soon: Sequence[tuple[Recipient, int]], now: datetime) -> tuple[Expiring, ...]:
    """Give what is to be remembered: of each key and end the last threshold, until that end has passed."""
    last = {(fingerprint, ends): days for fingerprint, ends, days in told.expiring if ends > timestamp(now)}
    last |= {(key.encrypts_with, timestamp(key.not_after)): days for key, days in soon if key.not_after}
    return tuple((*name, days) for name, days in sorted(last.items()))


def _message(
    judged: KeyVerdict, recipients: Recipients, known: KeyInventory, settings: TenantSettings, now: datetime
) -> str:
    """Say what becomes of an accepted key, for the operator who has pasted it."""
    if settings.require_key_proof and unproven(recipients, known.rows):
        return (
            "The key is good. Recordings are sealed to it once the tenant has proven that it can open them: it finds a "
            "challenge in its SFTP folder key-check. Until then the last proven key is used, or recordings are held."
        )
    days, version = settings.rotation_overlap_days, judged.version or ""
    previous = previous_version(recipients, version, known.rows, days, now) if days else None
    if not previous:
        return "The key is good. Recordings are sealed to it within 60 seconds."
    if why := _why_alone(judged, [row for row in known.rows if row.secret_version_id == previous]):
        return f"The key is good. Recordings are sealed to it within 60 seconds, and to it alone: {why}."
    return (
        f"The key is good. Recordings are sealed to it within 60 seconds, and for {days} day{'s' if days > 1 else ''} "
        "to the previous key as well, as long as that is good."
    )


def _why_alone(judged: KeyVerdict, previous: Sequence[KeyRecord]) -> str | None:
    """Say why one message cannot be sealed to a new key and the previous one, as `keys.choice.both` decides it."""
    if {row.kind for row in previous} != {judged.keys[0].kind}:
        return "the previous key is of the other kind, and one message cannot have both"
    if len({*judged.names, *(row.fingerprint for row in previous)}) > MAX_RECIPIENTS:
        return f"with the previous one there would be more than {MAX_RECIPIENTS} recipients"
    return None
