"""A try: one recording's story with one thing going wrong, and what is seen of it from outside."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Literal

from callseal.aws.tenants import CLOCK_SKEW
from tests.faults.broken import OTHER_KEY, VARIANTS
from tests.faults.cloud import STACK, Cloud
from tests.faults.environment import DiedError, Environment
from tests.faults.ground import Ground
from tests.faults.model import Broken, Landed, Model, spoken
from tests.faults.scenarios import BY_NAME, Scenario, Step
from tests.faults.tenants import tenant
from tests.privacy.watch import WATCH
from tests.support.fault_proxy import CutBefore, Fault, Refuse, Seen
from tests.support.stack import LANDING

EVENTS = Path(__file__).resolve().parents[2] / "events"
RECEIVES = 5  # maxReceiveCount of the encrypt queue; then the message is a dead letter
INVOCATIONS = 3  # of an asynchronous invocation that fails
SWEEPS = 3
TEN_MINUTES = timedelta(minutes=10)


@dataclass(frozen=True)
class Point:
    """A request: the n-th of its kind at a bucket (or none) in a step of the story, as a run without faults has it."""

    step: int
    operation: str
    bucket: str
    occurrence: int

    def __str__(self) -> str:
        return f"step {self.step}, {self.operation} {self.bucket} #{self.occurrence}".replace("  ", " ")


@dataclass(frozen=True)
class Trouble:
    """What goes wrong: a fault `once`, until the `invocation` ends, or as long as the `step` lasts; or a kill."""

    how: Literal["once", "invocation", "step", "kill before", "kill after"]
    fault: Fault | None = None

    @property
    def is_kill(self) -> bool:
        """Whether the process is killed."""
        return self.fault is None

    def __str__(self) -> str:
        return self.how if self.is_kill else f"{self.fault} {self.how}"


@dataclass(frozen=True)
class Case:
    """What to try; without point and trouble, the story as it should be. `broken` is the number of a variant."""

    scenario: str
    point: Point | None = None
    trouble: Trouble | None = None
    broken: int | None = None


@dataclass(frozen=True)
class Result:
    """What came of it; `fired` tells whether the request came at all, `requests` are all that were made."""

    case: Case
    broken: Sequence[Broken]
    fired: bool
    requests: Sequence[Point]

    def complaints(self) -> Iterator[str]:
        """Say what broke, and where."""
        where = f"{self.case.scenario}: {self.case.point or 'undisturbed'}: {self.case.trouble or ''}"
        if self.case.point and not self.fired:
            yield f"NOT TRIED: {where}: the request never came"
        for one in self.broken:
            yield f"BROKEN promise {one.promise}: {where}: {one.seen}"


class Bench:
    """What tries share: moto, the proxy, the process to fork from. One for each process, as is that."""

    def __init__(self) -> None:
        self._trial: Trial | None = None
        self._ground = Ground(Cloud, self._decide, after=self._after)
        self.cloud = self._ground.cloud
        self._numbers = count(1)

    def run(self, case: Case) -> Result:
        """Try something."""
        self._trial = trial = Trial(self.cloud, case, f"t{os.getpid()}-{next(self._numbers)}")
        try:
            trial.run()
            trial.end_environment()
            self._drain()
            trial.look_at_end()
            trial.throw_away()
        finally:
            self._trial = None
        return Result(case, trial.model.broken, trial.fired_at is not None, trial.requests)

    def close(self) -> None:
        """End everything that was started."""
        self._ground.close()

    def _decide(self, seen: Seen) -> Fault | None:
        return self._trial.decide(seen) if self._trial else CutBefore()

    def _after(self, seen: Seen, _status: int) -> None:
        if self._trial:
            self._trial.after(seen)

    def _drain(self) -> None:
        """Let what a killed process had under way come to its end."""
        deadline = time.monotonic() + 60
        while self._ground.proxy.connections and time.monotonic() < deadline:
            time.sleep(0.001)


class Trial:
    """One try."""

    def __init__(self, cloud: Cloud, case: Case, tenant_name: str) -> None:
        self._cloud, self._case, self._tenant = cloud, case, tenant_name
        self._scenario: Scenario = BY_NAME[case.scenario]
        self._ahead = timedelta()
        cloud.forget_sweeps()
        self._step, self._invocation = 0, 0
        self._counted: Counter[tuple[int, str, str]] = Counter()
        self.fired_at: Seen | None = None
        self._fired_in = 0
        self.requests: list[Point] = []
        self._logs: list[str] = []
        self._rechecks: list[dict[str, Any]] = []
        self.environment = self._new_environment()
        self.model = Model(cloud, self._scenario, self._land())
        self._settle_tenant()

    def throw_away(self) -> None:
        """Leave the cloud as it was found, but for the tenant."""
        self._cloud.remove(self.model.left, self.model.unfinished)
        if any(point.operation == "SendMessage" for point in self.requests):
            self._lose()
            self._take_all(self._cloud.recheck_url)

    def run(self) -> None:
        """Let the story happen, then whatever heals."""
        for step in self._scenario.steps:
            self._step += 1
            self._take(step)
        self._step += 1  # from here on nothing goes wrong any more
        for _ in range(SWEEPS):
            if self.model.settled():
                break
            self._sweep("schedule")
            self._encrypt()
        self._recheck()

    def look_at_end(self) -> None:
        """Look at what it came to."""
        trouble = self._case.trouble
        if self._case.broken is None:  # a variant that leaks on purpose is the model's to catch
            WATCH.log("\n".join(self._logs))
        self.model.end("\n".join(self._logs), killed=bool(trouble and trouble.is_kill))

    # ---- the proxy's side -------------------------------------------------------------------------------------------

    def decide(self, seen: Seen) -> Fault | None:
        """Count a request, and tell what befalls it."""
        kind = self._step, seen.operation, seen.bucket
        self._counted[kind] += 1
        this = Point(*kind, self._counted[kind])
        self.requests.append(this)
        self.model.asked(seen)
        if seen.operation == "PutEvents" and self._case.broken is None:
            WATCH.put_events(seen.members["Entries"])
        return self._befalling(seen, this) or self._unreadable(seen)

    def _befalling(self, seen: Seen, this: Point) -> Fault | None:
        point, trouble = self._case.point, self._case.trouble
        if not point or not trouble:
            return None
        if this == point:
            self.fired_at, self._fired_in = seen, self._invocation
            if trouble.how == "kill before":
                self.environment.kill()
                return CutBefore()
            return trouble.fault
        return trouble.fault if self._lasts(trouble) and replace(this, occurrence=point.occurrence) == point else None

    def _unreadable(self, seen: Seen) -> Fault | None:
        """Refuse what reads the landed file, as S3 does under a KMS key that the role may not use."""
        uses_the_key = seen.operation == "GetObject" or "x-amz-checksum-mode" in seen.headers
        reads = seen.bucket == LANDING and uses_the_key
        copies = seen.operation == "CopyObject" and f"{LANDING}/" in seen.headers["x-amz-copy-source"]
        return Refuse(403, "AccessDenied") if self._step in self._scenario.unreadable and (reads or copies) else None

    def after(self, seen: Seen) -> None:
        """See what a request has changed."""
        trouble = self._case.trouble
        if seen is self.fired_at and trouble and trouble.how == "kill after":
            self.environment.kill()
        self.model.changed(seen)

    def _lasts(self, trouble: Trouble) -> bool:
        if not self.fired_at:
            return False
        return trouble.how == "step" or (trouble.how == "invocation" and self._fired_in == self._invocation)

    # ---- the story --------------------------------------------------------------------------------------------------

    def _take(self, step: Step) -> None:
        match step:
            case "encrypt":
                self._encrypt()
            case "recheck":
                self._recheck()
            case "another commits":
                self.model.another_commits()
            case "sweep":
                self._sweep("schedule")
            case "sweep tenant":
                self._sweep("settings-changed")
            case "lose":
                self._lose()
            case "put key":
                self._put_key(tenant(self._scenario.envelope).public_text)
            case "put settings":
                self._cloud.put_settings(self._tenant, {})
            case "land again":
                self._cloud.put(LANDING, self.model.landed.key, self.model.landed.data)

    def _land(self) -> Landed:
        if self._scenario.settings is not None:
            self._cloud.put_settings(self._tenant, self._scenario.settings)
        key, data = f"{self._tenant}/{self._scenario.landing_name}", spoken(self._tenant, self._scenario.size)
        return Landed(self._tenant, key, data, self._cloud.put(LANDING, key, data))

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
        self.model.key_version = self._cloud.put_key(self._tenant, text)

    def _encrypt(self) -> None:
        """Hand the queue's messages over until they are acknowledged or dead letters."""
        url = self._cloud.queue_url
        for message in self._hand_over("encrypt", url, self._cloud.messages(url)):
            self._cloud.delete_message(url, message)

    def _recheck(self) -> None:
        """Hand over what is to be rechecked; what fails comes back for a day, and so in the next step."""
        url = self._cloud.recheck_url
        self._rechecks = self._hand_over("recheck", url, [*self._rechecks, *self._cloud.messages(url)])

    def _hand_over(self, function: str, url: str, waiting: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Hand messages over until they are acknowledged; gives those that failed to the last."""
        for receive in range(1, RECEIVES + 1):
            if not waiting:
                break
            for message in waiting:
                message["attributes"]["ApproximateReceiveCount"] = str(receive)
            answer = self._invoke(function, {"Records": waiting})
            failed = [message["messageId"] for message in waiting]
            if answer is not None:
                failed = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
            for message in waiting:
                if message["messageId"] not in failed:
                    self._cloud.delete_message(url, message)
            waiting = [message for message in waiting if message["messageId"] in failed]
        return waiting

    def _sweep(self, cause: str) -> None:
        self._ahead += TEN_MINUTES
        event = event_of(cause, self._tenant)
        for _ in range(INVOCATIONS):
            if self._invoke("sweep", event) is not None:
                return

    def _invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        self._invocation += 1
        try:
            return self.environment.invoke(function, event, self._ahead)
        except DiedError as exc:
            trouble = self._case.trouble
            if str(exc) != "killed" or not (trouble and trouble.is_kill):
                self.model.broken.append(Broken(6, f"{function} ended without an answer: {exc}"))
            self.end_environment()
            self.environment = self._new_environment()
            return None

    def end_environment(self) -> None:
        """End the process; its log stays."""
        self.environment.kill()
        self._logs.append(self.environment.log())
        self.environment.close()

    def _new_environment(self) -> Environment:
        variables = self._cloud.environment | {OTHER_KEY: tenant("cms", "other").public_text}
        break_it = VARIANTS[self._case.broken - 1].break_it if self._case.broken else None
        return Environment(variables, break_it, CLOCK_SKEW if self._scenario.about_a_change else None)


def event_of(cause: str, tenant_name: str) -> dict[str, Any]:
    """Give the sample event of a cause to sweep, as this stack and a tenant of it would cause it."""
    text = _event(cause).replace("callseal-local", STACK).replace("/acme/", f"/{tenant_name}/")
    return dict(json.loads(text))


@cache
def _event(name: str) -> str:
    return (EVENTS / f"{name}.json").read_text()
