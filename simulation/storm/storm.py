"""The storm: files land, operators change keys, the sweep runs and requests fail, all at once; then the faults end."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import md5
from http import HTTPStatus
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from localcloud.event_source_mappings import QueuePump
from localcloud.gate import Gate
from simulation.fault_proxy import Fault, Seen
from simulation.faults.broken import OTHER_KEY
from simulation.faults.call_metadata import PARTY
from simulation.faults.ground import Ground
from simulation.faults.model import CALLER, FOREIGN_WORDS, SPOKEN
from simulation.faults.trial import event_of
from simulation.storm import tenant_keys
from simulation.storm.access_judge import AccessJudge
from simulation.storm.archive import Archive
from simulation.storm.audience import Audience
from simulation.storm.calls import POLICIES
from simulation.storm.cloud import StormCloud
from simulation.storm.courier import Courier
from simulation.storm.history import History
from simulation.storm.judge import Judge, Verdict
from simulation.storm.plan import Change, Key, Landing, Plan
from simulation.storm.roles import access_of, archived, known_calls
from simulation.storm.shares import Mailbox
from simulation.storm.weather import Weather
from simulation.storm.witness import Complaint, Witness, content_of
from simulation.storm.workers import ARCHIVE_COUNT, Runtime, Workers
from tests.support.stack import ARCHIVE, LANDING

# The next file lands when at most this many files in landing are undecided.
WINDOW = 60
SWEEP_SECONDS = 30.0
PUMPS = 2
DRAIN_SECONDS = 120.0
MOST_SWEEPS = 20
TELL_SECONDS = 20.0
# By how much a worker's memory may grow between half-way and the end.
GROWTH_BYTES = 16 * 1024**2
MIB = 1024**2
SECRETS = {"what was said": SPOKEN, "a private key": "PRIVATE KEY", "a caller's number": CALLER,
           "an outside party's number": PARTY,
           "words of AWS": FOREIGN_WORDS}  # fmt: skip


@dataclass
class Figures:
    """What was measured."""

    seconds: float = 0.0
    requests: int = 0
    befallen: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)
    people: Counter[str] = field(default_factory=Counter)


class Storm:
    """One storm, which runs once. `tell` receives lines on its progress."""

    def __init__(
        self, plan: Plan, seed: int, share: float, tell: Callable[[str], None], break_it: Callable[[], None] | None
    ) -> None:
        self._plan, self._seed, self._tell = plan, seed, tell
        self._history = History()
        self._witness = Witness(self._history)
        self.figures = Figures()
        self._weather = Weather(seed, share, plan.kills, lambda name: self._workers.kill(name))
        self._ground = Ground(StormCloud, self._decide, before=self._witness.asked, after=self._after)
        self._cloud = self._ground.cloud
        # The key of another tenant of the storm, for a function that is broken on purpose.
        others = tenant_keys.reader(plan.tenants[0], Key("good", "cms")).public_text
        self._archive, self._access = Archive(self._cloud), AccessJudge(known_calls(plan))
        variables = self._cloud.environment | self._archive.environment | {OTHER_KEY: others}
        self._workers = Workers(variables, break_it, seed, archive=ARCHIVE_COUNT)
        self._audience = Audience(plan, seed, self._access, self._archive, Mailbox(self._cloud.letters))
        self._courier = Courier(self._cloud, seed)
        self._gate, self._sweeps = Gate(), SimpleQueue[Any]()
        self._log: list[str] = []
        cloud = self._cloud
        urls = {"encrypt": cloud.queue_url, "read": cloud.metadata_url, "recheck": cloud.recheck_url}
        self._pump, self._metadata, self._rechecks = (
            cloud.pump(url, Runtime(self._workers, function), self._gate, self._log.append)
            for function, url in urls.items()
        )
        index = Runtime(self._workers, "index", of_archive=True)
        self._index = cloud.pump(cloud.index_url, index, self._gate, self._log.append)
        self._audit: list[dict[str, Any]] = []
        self._changes = list(plan.changes)
        self._began = self._told = time.monotonic()

    def run(self) -> Verdict:
        """Run the storm, end the faults, and judge."""
        self._make_keys()
        self._began = self._told = time.monotonic()
        for tenant, name in self._plan.policies.items():
            self._cloud.put_policy(tenant, POLICIES[name])
        self._cloud.index([*archived(self._plan).values()])
        for number, tenant in archived(self._plan).items():
            self._cloud.put_access(tenant, access_of(number))
        self._archive.serve(self._workers)
        self._change(0)
        threads = [
            *self._pump.start(PUMPS),
            *self._metadata.start(1),
            *self._rechecks.start(1),
            *self._index.start(1),
            Thread(target=self._sweep_on_schedule, daemon=True),
        ]
        threads[-1].start()
        self._audience.start()
        for number, landing in enumerate(self._plan.landings, 1):
            self._land(landing)
            self._weather.landed(number)
            self._audience.landed(number)
            self._change(number)
            self._look_at_memory(number)
            if number % 20 == 0:
                self._audit += self._cloud.audit()  # moto is slow with long queues
            self._wait_for_room(number)
        self._audience.end()
        self._tell(f"  all have landed after {self._seconds():.0f} s; faults end, keys and settings are mended")
        self._calm_down()
        began = time.monotonic()
        self._audience.act_in_calm(self._cloud.listing(ARCHIVE))
        self._tell(f"  people in the calm: {time.monotonic() - began:.0f} s")
        self._audit += self._cloud.audit()
        self._gate.close()
        self._workers.close()
        self._courier.end()
        self.figures.seconds = self._seconds()
        return self._judge()

    def close(self) -> None:
        """Stop everything that was started."""
        self._gate.close()
        self._archive.close()
        self._ground.close()

    # ---- the proxy --------------------------------------------------------------------------------------------------

    def _decide(self, seen: Seen) -> Fault | None:
        return self._weather.decide(seen)

    def _after(self, seen: Seen, status: int) -> None:
        if seen.operation == "PutEvents" and status == HTTPStatus.OK:
            self._access.accept(seen.members["Entries"])
        self._witness.changed(seen, status)
        self._weather.carried_out(seen)

    # ---- during the storm -------------------------------------------------------------------------------------------

    def _make_keys(self) -> None:
        self._tell(f"making the keys of {len(self._plan.tenants)} tenants")
        for change in self._plan.changes:
            if change.key:
                tenant_keys.text(change.tenant, change.key)

    def _land(self, landing: Landing) -> None:
        data = content_of(landing)
        etag = md5(data).hexdigest()
        self._courier.expect(landing.key, etag, landing.fate)
        # A copy of a file that is being overwritten must not mix the bytes of the two versions.
        with self._ground.proxy.key_lock(landing.key):
            self._witness.lands(landing, etag)
            self._cloud.put(LANDING, landing.key, data)

    def _change(self, number: int) -> None:
        """Make the changes that are due after this many landings."""
        while self._changes and self._changes[0].after <= number:
            self._put(self._changes.pop(0))

    def _put(self, change: Change) -> None:
        began, tenant = time.time(), change.tenant
        if change.key:
            version = self._cloud.put_key(tenant, tenant_keys.text(tenant, change.key))
            self._history.versions[version] = change.key
        else:
            self._cloud.put_settings(tenant, change.settings or {})
        self._history.note(tenant, change.key or change.settings or {}, began, time.time())
        self._sweeps.put(event_of("secret-changed" if change.key else "settings-changed", tenant))

    def _wait_for_room(self, number: int) -> None:
        while len(self._witness.pending) > WINDOW:
            time.sleep(0.02)
            self._tell_how_it_goes(number)
        self._tell_how_it_goes(number)

    def _tell_how_it_goes(self, number: int) -> None:
        if time.monotonic() - self._told > TELL_SECONDS:
            self._told = time.monotonic()
            self._tell(
                f"  {number} landed, {self._witness.counts['purges']} delivered, {len(self._witness.pending)} under "
                f"way, {self._weather.requests} requests after {self._seconds():.0f} s"
            )

    def _look_at_memory(self, number: int) -> None:
        whole = len(self._plan.landings)
        if number in (whole // 10, whole // 2):
            self.figures.memory.append(self._workers.memory())

    def _sweep_on_schedule(self) -> None:
        due = time.monotonic() + SWEEP_SECONDS
        while not self._gate.wait_closed(0):
            try:
                event = self._sweeps.get(timeout=max(0.0, due - time.monotonic()))
            except Empty:
                event, due = event_of("schedule", ""), time.monotonic() + SWEEP_SECONDS
            if not self._workers.calm:
                self._workers.sweep(event)

    # ---- after the storm --------------------------------------------------------------------------------------------

    def _calm_down(self) -> None:
        """End the faults, and sweep until nothing changes: an hour apart, so that every pending file is due."""
        self._weather.share, self._workers.calm = 0.0, True
        self.figures.requests = self._weather.requests
        for number in range(1, MOST_SWEEPS + 1):
            self._pump_dry()
            swept = self._workers.sweep(event_of("schedule", ""), ahead=number * timedelta(hours=1))
            self._tell(f"  a sweep of the calm: {dict(swept) if swept is not None else 'failed'}")
            if swept is not None and not set(swept) - {"held", "denied", "overdue"}:
                break
        self._pump_dry(self._rechecks, self._index)
        self.figures.memory.append(self._workers.memory())

    def _pump_dry(self, *more: QueuePump) -> None:
        time.sleep(0.5)  # for the courier
        deadline = time.monotonic() + DRAIN_SECONDS
        while (
            any(pump.outstanding() for pump in (self._pump, self._metadata, self._pump, *more))
            and time.monotonic() < deadline
        ):
            time.sleep(0.1)

    def _judge(self) -> Verdict:
        of_people = [event for event in self._audit if event["detail"]["archive"]]
        of_files = [event for event in self._audit if not event["detail"]["archive"]]
        verdict = Judge(self._cloud, self._history, self._witness, of_files).judge()
        self._access.judge(lambda key: self._cloud.read(ARCHIVE, key), of_people)
        verdict.complaints += self._access.complaints
        self.figures.people = self._access.counts
        counts = self.figures.counts
        counts.update(self._workers.counts)
        counts.update({f"events {fate}": count for fate, count in self._courier.counts.items()})
        counts["dead letters, all of them made up for"] = self._cloud.dead_letters()
        self.figures.befallen = self._weather.befallen
        verdict.complaints += self._told_to_nobody()
        if waiting := sum(pump.outstanding() for pump in (self._pump, self._metadata, self._rechecks, self._index)):
            verdict.complaints.append(Complaint("X", "the queues", f"{waiting} messages are left"))
        if errors := [line for line in self._log if " batch of " not in line]:
            verdict.complaints.append(Complaint("X", "the event pump", f"it failed: {errors[0]}"))
        return verdict

    def _told_to_nobody(self) -> Sequence[Complaint]:
        complaints = [
            Complaint("T", "a worker's log", f"it has {what}")
            for what, secret in SECRETS.items()
            if any(secret in log for log in self._workers.logs)
        ]
        blind = [change.tenant for change in self._plan.changes if (change.settings or {}).get("call_index") == "blind"]
        if any(PARTY in json.dumps(self._cloud.cards(tenant)) for tenant in blind):
            complaints.append(Complaint("T", "a blind card", "it has the outside party's number"))
        _, middle, end = self.figures.memory
        if end > middle + GROWTH_BYTES:
            grown = f"{middle / MIB:.0f} MiB half-way, {end / MIB:.0f} at the end"
            complaints.append(Complaint("X", "a worker's memory", grown))
        return complaints

    def _seconds(self) -> float:
        return time.monotonic() - self._began
