"""Erase held files that their tenant's policy says must not be kept, some time after they landed.

    old enough -> tags: held for a policy's reason -> present ruling: the same reason -> audit -> delete

The audit event comes before the delete. If a run stops between the two, the file stays in landing, and the next run
puts the event again under the same id. The delete names the file's etag, so a file that landed again meanwhile stays.

Nothing is erased because of a cached value: settings and policy are read again for each batch of files, and the call's
card for each file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from callseal.aws.batching import BatchWindow
from callseal.aws.bus import AuditBus
from callseal.calls.call_name import call_of
from callseal.calls.call_policy import LAST_TRY, CallPolicies
from callseal.calls.card import Card
from callseal.calls.card_table import CardTable
from callseal.calls.classes import parse_duration
from callseal.core import audit
from callseal.core.clock import Clock
from callseal.core.errors import (
    ERASED_FOR,
    CallsealError,
    HeldError,
    NotIndexedError,
    SourceGoneError,
    TransientError,
)
from callseal.core.landing import LandedFile, LandedObject, parse_landing_key, tenant_of
from callseal.core.log import Log, describe
from callseal.core.metrics import Metric
from callseal.delivery.landing_bucket import LandingBucket
from callseal.inbound.run import Run
from callseal.tenants.directory import Tenants

# Below the function's timeout in template.yaml, by more than a batch of files takes.
RUN_TIME = timedelta(minutes=3)
FILES_AT_ONCE = 16
# The files for which settings and policy are read once. SSM allows 40 calls a second for the whole stack.
FILES_IN_A_BATCH = 100
RECORDING = "wav"


class ErasureIncompleteError(CallsealError):
    """Some files could not be erased. Lambda does not retry: the next run, in an hour, looks at them again."""


class Erasure:
    """Erases files of the landing bucket. Make a new one for each run."""

    def __init__(
        self,
        landing: LandingBucket,
        tenants: Tenants,
        policies: CallPolicies,
        cards: CardTable,
        holds_of: Callable[[Card], Sequence[str]],
        bus: AuditBus,
        window: BatchWindow,
        clock: Clock,
        log: Log,
    ) -> None:
        """Take what it works with; `policies` reads the same tenants and cards.

        `holds_of` returns the legal holds that a call is under, or will be.
        """
        self._landing, self._tenants, self._policies, self._cards = landing, tenants, policies, cards
        self._holds_of = holds_of
        self._bus, self._window, self._clock, self._log = bus, window, clock, log
        self._counts = Counter[str]()

    def run(self) -> Counter[str]:
        """Erase what is due until RUN_TIME is over. Return counts of the files that are old enough, by outcome.

        The outcomes are `erased`, `kept`, `gone` and `failed`. `cut_short` is 1 if the time was over.
        """
        run = Run(self._clock, RUN_TIME)
        tenants = [tenant for name in self._landing.names() if (tenant := tenant_of(name))]
        with ThreadPoolExecutor(FILES_AT_ONCE, "file") as executor:
            for batch in (batch for tenant in run.shuffled(tenants) for batch in self._batches(tenant)):
                if not run.has_time:
                    self._counts["cut_short"] = 1
                    break
                self._counts.update(executor.map(self._try, batch))
        return self._counts

    def _batches(self, tenant: str) -> Iterator[Sequence[LandedObject]]:
        """Yield a tenant's files that are old enough, in batches, and an empty batch for each listed page."""
        try:
            if self._tenants.policy_text(tenant) is None:
                return
            for page in self._landing.list(f"{tenant}/"):
                yield []
                due = self._due(tenant, page)
                for first in range(0, len(due), FILES_IN_A_BATCH):
                    self._tenants.forget(tenant, before=self._clock())
                    yield self._due(tenant, due[first : first + FILES_IN_A_BATCH])
        except HeldError:
            return  # without proper settings nothing is erased; the sweep and encrypt_recording report the cause
        except TransientError as exc:
            self._counts["failed"] += 1
            self._log.warning("tenant not looked at", extra={"tenant": tenant, **describe(exc)})

    def _due(self, tenant: str, files: Sequence[LandedObject]) -> list[LandedObject]:
        after = parse_duration(self._tenants.settings(tenant).denied_erase_after).after
        return [landed for landed in files if landed.landed_at and after(landed.landed_at) <= self._clock()]

    def _try(self, landed: LandedObject) -> str:
        try:
            with self._window.at_work():
                return self._erase(landed)
        except SourceGoneError:
            return "gone"
        except Exception as exc:  # noqa: BLE001  # counted, and raised as ErasureIncompleteError after the others
            self._log.warning("file not erased", extra={"tenant": tenant_of(landed.key), **describe(exc)})
            return "failed"

    def _erase(self, landed: LandedObject) -> str:
        held = self._landing.held(landed)
        if held is None or held.released or held.reason not in ERASED_FOR:
            return "kept"
        present = self._present_hold(landed)
        if present is None or present.reason != held.reason or self._is_under_legal_hold(landed):
            return "kept"
        self._bus.put(audit.erased(landed, present, self._clock()))
        self._landing.purge(landed)
        return "erased"

    def _present_hold(self, landed: LandedObject) -> HeldError | None:
        """Return the error that the file would be held for now, or None if it would be delivered or judged again.

        A metadata file is judged as its call's recording. If it cannot be read, the recording waits, and both stay.
        """
        try:
            recording = LandedFile(parse_landing_key(landed.key).tenant, RECORDING)
            self._policies.ruling(replace(landed, receives=LAST_TRY), recording)
        except HeldError as held:
            return held
        except NotIndexedError:
            return None
        return None

    def _is_under_legal_hold(self, landed: LandedObject) -> bool:
        call = call_of(landed.key)
        card = self._cards.get(call) if call else None
        return card is not None and bool(self._holds_of(card))


def metrics_of(counts: Mapping[str, int]) -> Iterator[Metric]:
    """Return the metrics of a run. They are 0 if nothing was erased."""
    yield Metric("RecordingsErased", counts.get("erased", 0))
