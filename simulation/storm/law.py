"""A storm of the law: calls are kept, held, disposed of and erased, all at once, while requests fail; then faults end.

People place and release holds and ask for erasures of callers, drawn from the seed. The functions run on their
schedules and take their queues. See simulation/storm/law_judge.py for what counts as broken.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from random import Random
from threading import Event, Thread
from typing import Any, Literal

from callseal.archive.may import User
from callseal.archive.session_table import SessionTable
from callseal.archive.sessions import COOKIE, Sessions
from localcloud.gate import Gate
from simulation.fault_proxy import Fault, Seen
from simulation.faults.archive_duty import FAILED, TRIES, Gateway
from simulation.faults.cloud import STACK
from simulation.faults.ground import Ground
from simulation.faults.law_calls import DUE, LATER, CallMaker, KnownCall
from simulation.faults.law_duty import KARI, OFFICERS, OLA, POLICY, SETTINGS
from simulation.faults.model import CALLER
from simulation.storm.cloud import VISIBILITY_SECONDS, StormCloud
from simulation.storm.law_judge import LawJudge, LawVerdict
from simulation.storm.plan import Kill
from simulation.storm.weather import Weather
from simulation.storm.workers import ARCHIVE_COUNT, Runtime, Workers
from tests.support.archive import Reply, Visitor

TENANTS = ("law0", "law1")
CALLERS = (f"+{CALLER}", "+4790000001", "+4790000002", "+4790000003", "+4790000004")
BASIS = "GDPR, article 17(1)(b)"
# After so many calls there is an erasure of a caller that no hold is on.
FREE, OFTEN = CALLERS[-1], 8
# What happens after each call that lands.
HOLD, RELEASE, ERASE = 0.25, 0.06, 0.12
# A run of the disposal that was killed has its tenant for 15 minutes.
BETWEEN_DISPOSALS = timedelta(minutes=16)
PAUSE_SECONDS, DRAIN_SECONDS = 0.3, 300.0
KILLED_AT = ("TransactWriteItems", "DeleteObjects", "PutEvents", "PutObject", "DeleteObject", "PutItem", "UpdateItem",
             "PutObjectLegalHold", "Sign", "SendMessage")  # fmt: skip


@dataclass
class HoldAsked:
    """A hold that a person asked for, and how far it has come."""

    tenant: str
    name: str
    caller: str
    state: Literal["asked", "released"] = "asked"


@dataclass
class LawFigures:
    """What was done in the storm."""

    seconds: float = 0.0
    requests: int = 0
    befallen: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)


class LawStorm:
    """One storm, which runs once."""

    def __init__(
        self, calls: int, seed: int, share: float, tell: Callable[[str], None], break_it: Callable[[], None] | None
    ) -> None:
        """`calls` is how many calls land, and `share` the share of the requests that fails."""
        self._number, self._random, self._tell = calls, Random(f"{seed} law"), tell
        self.figures = LawFigures()
        self._weather = Weather(seed, share, self._kills(), lambda name: self._workers.kill(name))
        self._ground = Ground(StormCloud, self._decide, after=self._after)
        self._cloud = self._ground.cloud
        self._judge = LawJudge(self._cloud, TENANTS)
        self._workers = Workers(self._cloud.environment, break_it, seed, archive=ARCHIVE_COUNT)
        self._gate, self._over, self._log = Gate(), Event(), list[str]()
        urls = {"lock_recordings": self._cloud.lock_url, "erase_recordings": self._cloud.erasure_url}
        self._sqs = self._cloud.client("sqs")
        for url in urls.values():
            visible = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
            self._sqs.set_queue_attributes(QueueUrl=url, Attributes=visible)
        self._pumps = [
            self._cloud.pump(url, Runtime(self._workers, function, of_archive=True), self._gate, self._log.append)
            for function, url in urls.items()
        ]
        self._holds: list[HoldAsked] = []
        self._ahead = timedelta()
        self._makers = {tenant: CallMaker(self._cloud, tenant, _now) for tenant in TENANTS}

    def run(self) -> LawVerdict:
        """Run the storm, end the faults, and judge."""
        began = time.monotonic()
        for tenant in TENANTS:
            self._cloud.put_settings(tenant, dict(SETTINGS))
            self._cloud.put_policy(tenant, POLICY)
            self._cloud.put_access(tenant, OFFICERS)
        self._people = {(tenant, email): self._person(tenant, email) for tenant in TENANTS for email in (KARI, OLA)}
        schedule = Thread(target=self._run_on_schedule, daemon=True)
        schedule.start()
        for pump in self._pumps:
            pump.start(1)
        for number in range(1, self._number + 1):
            self._weather.landed(number)
            self._land(number)
            self._act()
            for tenant in TENANTS if number % OFTEN == 0 else ():
                self._erase(tenant, FREE)
            if number % 20 == 0:
                self._judge.hear()
                self._tell(
                    f"  {number} calls, {self._weather.requests} requests after {time.monotonic() - began:.0f} s"
                )
        self._weather.share, self.figures.requests = 0.0, self._weather.requests
        self._over.set()
        schedule.join()
        self._calm_down()
        self.figures.seconds, self.figures.befallen = time.monotonic() - began, self._weather.befallen
        self.figures.counts += self._workers.counts
        verdict = self._judge.judge({(hold.tenant, hold.caller) for hold in self._holds if hold.state == "asked"})
        self._gate.close()
        self._workers.close()
        if any(CALLERS[0].strip("+") in log for log in self._workers.logs):
            verdict.complain("told", "a worker's log", "it has a caller's number")
        return verdict

    def close(self) -> None:
        """Stop everything that was started."""
        self._over.set()
        self._gate.close()
        self._ground.close()

    # ---- the proxy --------------------------------------------------------------------------------------------------

    def _decide(self, seen: Seen) -> Fault | None:
        return self._weather.decide(seen)

    def _after(self, seen: Seen, _status: int) -> None:
        self._judge.changed(seen)
        self._weather.carried_out(seen)

    # ---- what happens -----------------------------------------------------------------------------------------------

    def _kills(self) -> list[Kill]:
        kills = []
        for number in range(max(3, self._number // 10)):
            after, operation = self._random.randrange(1, self._number), KILLED_AT[number % len(KILLED_AT)]
            kills.append(Kill(after, operation, self._random.choice(("before", "after")), "archive"))
        return sorted(kills, key=lambda kill: kill.after)

    def _land(self, number: int) -> None:
        """Deliver a call: due or not, some under a lock that nothing passes."""
        tenant, caller = self._random.choice(TENANTS), self._random.choice(CALLERS)
        is_due, is_locked = self._random.random() < 0.5, self._random.random() < 0.15
        lock: dict[str, Any] = {}
        if is_locked:
            lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": _now() + timedelta(days=30)}
        elif self._random.random() < 0.3 and not is_due:
            lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": _now() + timedelta(days=30)}
        endings = self._random.choice(((".wav",), (".wav", ".xml")))
        ended = {} if is_due else {"ended": _now(), "dispose_on": LATER}
        maker = self._makers[tenant]
        call, card = maker.put(f"{number}", *endings, caller=caller, fetched=self._random.random() < 0.3,
                               **{"dispose_on": DUE, **ended, **lock})  # fmt: skip
        self._judge.landed(tenant, caller, call, is_due=is_due, is_locked=is_locked)
        maker.write_cards([card])
        self._announce(maker, call)
        self.figures.counts["calls"] += 1

    def _announce(self, maker: CallMaker, call: KnownCall) -> None:
        for event in maker.delivered(call):
            self._sqs.send_message(QueueUrl=self._cloud.lock_url, MessageBody=json.dumps(event))

    def _act(self) -> None:
        """Let people do something."""
        self._judge.look_at_holds()
        tenant, caller = self._random.choice(TENANTS), self._random.choice(CALLERS)
        if self._random.random() < HOLD:
            self._place(HoldAsked(tenant, f"case-{len(self._holds)}", self._random.choice(CALLERS[:-1])))
        asked = [hold for hold in self._holds if hold.state == "asked"]
        if asked and self._random.random() < RELEASE:
            self._release(self._random.choice(asked))
        if self._random.random() < ERASE:
            self._erase(tenant, caller)

    def _place(self, hold: HoldAsked) -> None:
        self._holds.append(hold)
        self._ask_for(hold)
        self.figures.counts["holds"] += 1

    def _ask_for(self, hold: HoldAsked) -> Reply:
        asked = {"name": hold.name, "reason": "A lawsuit", "caller": hold.caller, "future": True}
        return self._ask(hold.tenant, KARI, "/api/holds", asked)

    def _release(self, hold: HoldAsked) -> None:
        """Ask for a release, and approve it, if the hold is held."""
        if self._ask(hold.tenant, KARI, f"/api/holds/{hold.name}/release", {}).status == HTTPStatus.OK:
            self._approve_release(hold)

    def _approve_release(self, hold: HoldAsked) -> None:
        hold.state = "released"
        self._judge.may_be_released(hold.tenant, hold.name)
        self._ask(hold.tenant, OLA, f"/api/holds/{hold.name}/approve", {})
        self.figures.counts["releases"] += 1

    def _erase(self, tenant: str, caller: str) -> None:
        """Start an erasure, and approve it."""
        answer = self._ask(tenant, KARI, "/api/erasures", {"basis": BASIS, "caller": caller})
        if answer.status == HTTPStatus.CREATED:
            request = answer.json["request"]
            self._judge.may_be_erased(tenant, request)
            self._ask(tenant, OLA, f"/api/erasures/{request}/approve", {})
            self.figures.counts["erasures"] += 1

    def _run_on_schedule(self) -> None:
        while not self._over.wait(PAUSE_SECONDS):
            for function in ("dispose_recordings", "erase_recordings"):
                self._run(function)

    def _run(self, function: str) -> None:
        if function == "dispose_recordings":
            self._ahead += BETWEEN_DISPOSALS
        ahead = self._ahead if function == "dispose_recordings" else timedelta()
        result = self._workers.serve_archive(function, {}, ahead)
        self.figures.counts[f"runs of {function}, {'failed' if result.error else 'ended'}"] += 1

    # ---- after the storm --------------------------------------------------------------------------------------------

    def _calm_down(self) -> None:
        """Ask once more for what was not acknowledged, and let the functions run until nothing is left to do."""
        self._workers.calm = True
        self._drain()
        for hold in self._holds:
            state = self._judge.hold_state(hold.tenant, hold.name)
            if hold.state == "asked" and state in (None, "placing"):
                self._ask_for(hold)
            elif state == "release_asked":
                self._approve_release(hold)
            elif state == "releasing":
                self._ask(hold.tenant, OLA, f"/api/holds/{hold.name}/approve", {})
        for tenant, request in self._judge.unapproved():
            self._judge.may_be_erased(tenant, request)
            self._ask(tenant, OLA, f"/api/erasures/{request}/approve", {})
        self._drain()
        for _ in range(2):
            for function in ("dispose_recordings", "erase_recordings"):
                self._run(function)
            self._drain()
        self._judge.hear()

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        while any(pump.outstanding() for pump in self._pumps) and time.monotonic() < deadline:
            time.sleep(0.1)

    # ---- people -----------------------------------------------------------------------------------------------------

    def _person(self, tenant: str, email: str) -> Visitor:
        table = SessionTable(self._cloud.client("dynamodb"), f"{STACK}-archive-sessions", _now)
        secret = Sessions(table, _now).start(tenant, User(email, frozenset({"officers"}), None), "Kari", False, None)
        return Visitor([Gateway("govern", self._answer)], {COOKIE: secret})

    def _answer(self, function: str, event: Mapping[str, Any]) -> Any:
        return self._workers.serve_archive(function, event).payload or FAILED

    def _ask(self, tenant: str, email: str, path: str, body: Mapping[str, Any]) -> Reply:
        """Send a request until it is answered, as people do."""
        for _ in range(TRIES):
            reply = self._people[tenant, email].post(path, body)
            if reply.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
        return reply


def _now() -> datetime:
    return datetime.now(UTC)
