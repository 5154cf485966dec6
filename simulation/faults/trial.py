"""A trial: one recording's story with one fault, and what is observed from outside."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from hashlib import md5
from itertools import count
from pathlib import Path
from typing import Any

from callseal.tenants.directory import CLOCK_SKEW
from simulation.fault_proxy import CutBefore, Fault, Refuse, Seen
from simulation.faults.attempt import RECEIVES, Attempt, Case, Result
from simulation.faults.cloud import STACK, Cloud
from simulation.faults.duties import DUTIES
from simulation.faults.ground import Ground
from simulation.faults.model import Landed, Model, spoken
from simulation.faults.scenario import Scenario, Step
from simulation.faults.scenarios import BY_NAME
from simulation.faults.tenants import tenant
from tests.security.privacy.watch import WATCH
from tests.support.stack import LANDING

EVENTS = Path(__file__).resolve().parents[2] / "events"
INVOCATIONS = 3  # of an asynchronous invocation that fails
SWEEPS = 3
TEN_MINUTES = timedelta(minutes=10)


class Bench:
    """What the trials of a process share: moto, the proxy, and the process to fork from."""

    def __init__(self) -> None:
        self._trial: Attempt | None = None
        self._ground = Ground(Cloud, self._decide, after=self._after)
        self.cloud = self._ground.cloud
        self._numbers = count(1)

    def run(self, case: Case) -> Result:
        """Run one case."""
        kind: type[Attempt] = DUTIES.get(case.scenario, Trial)
        self._trial = trial = kind(self.cloud, case, f"t{os.getpid()}-{next(self._numbers)}")
        try:
            trial.run()
            trial.end_environment()
            self._drain()
            trial.look_at_end()
            trial.throw_away()
        finally:
            self._trial = None
        return Result(case, trial.broken, trial.fired_at is not None, trial.requests)

    def close(self) -> None:
        """Stop everything that was started."""
        self._ground.close()

    def _decide(self, seen: Seen) -> Fault | None:
        return self._trial.decide(seen) if self._trial else CutBefore()

    def _after(self, seen: Seen, _status: int) -> None:
        if self._trial:
            self._trial.after(seen)

    def _drain(self) -> None:
        """Wait until the requests of a killed process have ended."""
        deadline = time.monotonic() + 60
        while self._ground.proxy.connections and time.monotonic() < deadline:
            time.sleep(0.001)


class Trial(Attempt):
    """One attempt at a recording's story."""

    def __init__(self, cloud: Cloud, case: Case, tenant_name: str) -> None:
        self._scenario: Scenario = BY_NAME[case.scenario]
        self.clock_skew = CLOCK_SKEW if self._scenario.about_a_change else None
        super().__init__(cloud, case, tenant_name)
        cloud.forget_sweeps()
        self._rechecks: list[dict[str, Any]] = []
        self.model = self._land()
        self.broken = self.model.broken
        self._settle_tenant()

    def throw_away(self) -> None:
        """Restore the cloud to its state before the trial, except for the tenant."""
        self._cloud.remove(self.model.left, self.model.unfinished)
        if any(point.operation == "SendMessage" for point in self.requests):
            self._lose()
            self._take_all(self._cloud.recheck_url)
            self._take_all(self._cloud.metadata_url)
        if self._scenario.metadata:
            self._cloud.forget_calls(self._tenant)

    def run(self) -> None:
        """Run the story, then what heals."""
        for step in self._scenario.steps:
            self._step += 1
            self._take(step)
        self._step += 1  # no faults from here on
        for _ in range(SWEEPS):
            if self.model.settled():
                break
            self._sweep("schedule")
            self._encrypt_and_read()
        self._recheck()

    def look_at_end(self) -> None:
        """Check the logs and the end state."""
        trouble = self._case.trouble
        if self._case.broken is None:  # the model has to detect a variant that leaks on purpose
            WATCH.log("\n".join(self._logs))
        self.model.end("\n".join(self._logs), killed=bool(trouble and trouble.is_kill))

    def asked(self, seen: Seen) -> None:
        """Pass a request to the model."""
        self.model.asked(seen)

    def changed(self, seen: Seen) -> None:
        """Pass an executed request to the model."""
        self.model.changed(seen)

    def befalling_by_story(self, seen: Seen) -> Fault | None:
        """Refuse requests that read the landed file, as S3 does if the role may not use the KMS key."""
        uses_the_key = seen.operation == "GetObject" or "x-amz-checksum-mode" in seen.headers
        reads = seen.bucket == LANDING and uses_the_key
        copies = seen.operation == "CopyObject" and f"{LANDING}/" in seen.headers["x-amz-copy-source"]
        return Refuse(403, "AccessDenied") if self._step in self._scenario.unreadable and (reads or copies) else None

    # ---- the story --------------------------------------------------------------------------------------------------

    def _take(self, step: Step) -> None:
        take: Mapping[Step, Callable[[], None]] = {
            "encrypt": self._encrypt,
            "encrypt and read": self._encrypt_and_read,
            "recheck": self._recheck,
            "another commits": self.model.another_commits,
            "sweep": lambda: self._sweep("schedule"),
            "sweep tenant": lambda: self._sweep("settings-changed"),
            "lose": self._lose,
            "put key": lambda: self._put_key(tenant(self._scenario.envelope).public_text),
            "put settings": lambda: self._cloud.put_settings(self._tenant, {}),
            "put policy": self._put_later_policy,
            "land again": lambda: self._put(self.model.landed),
            "land recording": lambda: self._put(self.model.landed),
            "land metadata": lambda: self._put(self.model.files[0].landed),
        }
        take[step]()

    def _put_later_policy(self) -> None:
        self._put_policy(self._scenario.later_policy)
        for file in self.model.files:
            file.is_allowed = True

    def _land(self) -> Model:
        """Put the tenant's settings and policy, and land the first file."""
        if self._scenario.settings is not None:
            self._cloud.put_settings(self._tenant, self._scenario.settings)
        self._put_policy(self._scenario.policy)
        story, text = self._scenario, spoken(self._tenant, self._scenario.size)
        companion = None
        if story.metadata:
            xml = self._landed(story.of_metadata, story.metadata.data(text[:200].decode()))
            companion = Model(self._cloud, story.of_metadata, xml)
        model = Model(self._cloud, story, self._landed(story, text), companion)
        self._put(model.files[0].landed if story.metadata and story.metadata.lands_first else model.landed)
        return model

    def _landed(self, scenario: Scenario, data: bytes) -> Landed:
        return Landed(self._tenant, f"{self._tenant}/{scenario.landing_name}", data, md5(data).hexdigest())

    def _put(self, landed: Landed) -> None:
        self._cloud.put(LANDING, landed.key, landed.data)

    def _put_policy(self, policy: Mapping[str, Any] | None) -> None:
        if policy:
            self._cloud.put_policy(self._tenant, policy)

    def _settle_tenant(self) -> None:
        owner = tenant(self._scenario.envelope)
        if self._scenario.key == "good":
            self._put_key(owner.public_text)
        elif self._scenario.key == "private":
            self._put_key(owner.public_text + owner.private_text)
        if self._scenario.stranger_at:
            self.model.put_stranger(self._scenario.stranger_at)

    def _lose(self) -> None:
        self._take_all(self._cloud.queue_url)

    def _take_all(self, url: str) -> None:
        for message in self._cloud.messages(url):
            self._cloud.delete_message(url, message)

    def _put_key(self, text: str) -> None:
        version = self._cloud.put_key(self._tenant, text)
        for file in self.model.files:
            file.key_version = version

    def _encrypt(self) -> None:
        """Deliver the queue's messages until they are acknowledged or dead letters."""
        url = self._cloud.queue_url
        for message in self._receive("encrypt", url, self._cloud.messages(url)):
            self._cloud.delete_message(url, message)

    def _encrypt_and_read(self) -> None:
        """Deliver the messages of both queues, in turns, until they are acknowledged or dead letters.

        Each batch is one message, so that the requests come in the same order in each attempt.
        """
        urls = {"encrypt": self._cloud.queue_url, "read": self._cloud.metadata_url}
        waiting: dict[str, list[dict[str, Any]]] = {function: [] for function in urls}
        while True:
            for function, url in urls.items():
                waiting[function] += self._cloud.messages(url)
            if not any(waiting.values()):
                return
            for function, url in urls.items():
                waiting[function] = [
                    left for message in waiting[function] for left in self._hand_over_next(function, url, message)
                ]

    def _hand_over_next(self, function: str, url: str, message: dict[str, Any]) -> list[dict[str, Any]]:
        """Deliver a message once more. Return it if it failed and may be delivered again."""
        receive = message.setdefault("received", 0) + 1
        failed = self._hand_over_once(function, [message], receive, lambda one: self._cloud.delete_message(url, one))
        message["received"] = receive
        if failed and receive == RECEIVES:
            self._cloud.delete_message(url, message)  # a dead letter
            return []
        return failed

    def _recheck(self) -> None:
        """Deliver the recheck messages. A failed one is redelivered for a day, and so in the next step."""
        url = self._cloud.recheck_url
        self._rechecks = self._receive("recheck", url, [*self._rechecks, *self._cloud.messages(url)])

    def _receive(self, function: str, url: str, waiting: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self._hand_over(function, waiting, lambda message: self._cloud.delete_message(url, message))

    def _sweep(self, cause: str) -> None:
        self._ahead += TEN_MINUTES
        event = event_of(cause, self._tenant)
        for _ in range(INVOCATIONS):
            if self._invoke("sweep", event) is not None:
                return


def event_of(cause: str, tenant_name: str) -> dict[str, Any]:
    """Return the sample event that makes the sweep run for a cause, with this stack's and tenant's names."""
    text = _event(cause).replace("callseal-local", STACK).replace("/acme/", f"/{tenant_name}/")
    return dict(json.loads(text))


@cache
def _event(name: str) -> str:
    return (EVENTS / f"{name}.json").read_text()
