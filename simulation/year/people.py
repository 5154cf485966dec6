"""What people do in the year: policies, holds, erasures, answers and confirmations. The model learns what they did.

The product's own functions carry it out, as the command and the API do. Now and then a person tries to approve what the
same person asked for, which must be refused.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from random import Random

from callseal.core.errors import CallsealError
from callseal.retention.disposal_table import DisposalTable
from callseal.retention.erasure import NothingFoundError
from callseal.retention.hold_scope import AskedScope, HoldScopes
from callseal.retention.manage_holds import Holds
from callseal.tenants.settings import TenantSettings
from simulation.year.dates import DAY
from simulation.year.model import Call, Hold, Model, Request
from simulation.year.plan import BY_NAME, CALLERS, TENANTS, changed_policy, first_policy
from simulation.year.world import World
from tests.support.erasures import KARI, OLA, RETENTION, Desk
from tests.support.holds import HoldScene
from tests.support.stack import SFTP, sqs_event

# How often each thing happens on a day, in a run of some weeks and in one of a year.
OFTEN = {"policy": (0.3, 0.12), "hold": (0.3, 0.15), "erasure": (0.35, 0.15), "release": (0.1, 0.03)}
APPROVED, ANSWERED, CONFIRMED, TRIED_ALONE, ANONYMISED = 0.5, 0.3, 0.6, 0.2, 0.2


class People:
    """Acts once a day."""

    def __init__(self, world: World, model: Model, random: Random, days: int) -> None:
        self._world, self._model, self._random, self._days = world, model, random, days
        self._is_long = int(days >= 100)
        self.counts = Counter[str]()
        self.wrong: list[str] = []
        self._cases = 0

    def begin(self) -> None:
        """Give each tenant its first policy."""
        for tenant in TENANTS:
            self._put_policy(tenant.name, first_policy(tenant, self._random, self._days))

    def act(self) -> None:
        """Do what people do on a day, each thing some minutes after the one before."""
        acts = {"policy": self._change_policy, "hold": self._place_hold, "erasure": self._start_erasure}
        for name, act in acts.items():
            if self._random.random() < OFTEN[name][self._is_long]:
                self._later()
                act()
        for step in (self._release_holds, self._approve_erasures, self._answer_notices, self._confirm):
            self._later()
            step()

    def _later(self) -> None:
        self._world.clock.pass_by(minutes=7)

    def _put_policy(self, tenant: str, policy: dict) -> None:
        self._world.put_policy(tenant, policy)
        self._model.put_policy(tenant, self._world.clock(), policy)

    def _change_policy(self) -> None:
        tenant = self._random.choice(TENANTS).name
        before = self._model.editions[tenant][-1].policy
        self._put_policy(tenant, changed_policy(before, self._random, self._days))
        self.counts["policies changed"] += 1

    def _place_hold(self) -> None:
        tenant = self._random.choice(TENANTS)
        hold = self._scope(tenant.name)
        if hold is None:
            return
        scene = HoldScene(self._world.cloud, self._world.clock, tenant.name)
        since = hold.since.isoformat() if hold.since else None
        ids = tuple(call.id for call in self._model.alive(tenant.name) if call.name in hold.calls)
        asked = AskedScope(ids, hold.caller, hold.queue, None, since, None, hold.future)
        settings = TenantSettings(deliver_to_archive=True, default_region="NO")
        scope = HoldScopes(scene.cards, scene.blind).scope(
            tenant.name, asked, settings, "blind" if tenant.is_blind else "plain"
        )
        scene.people.create(tenant.name, hold.name, "A claim", scope, KARI)
        self._model.holds.append(hold)
        self._world.settle()
        self.counts["holds placed"] += 1

    def _scope(self, tenant: str) -> Hold | None:
        """Return a new hold: of named calls, of a caller, of a queue, or of all calls of some days."""
        self._cases += 1
        name, now, future = f"case {self._cases}", self._world.clock(), self._random.random() < 0.5
        alive = self._model.alive(tenant)
        queues = [queue for queue in BY_NAME[tenant].queues if queue]
        kind = self._random.choice(("calls", "caller", "queue", "days")) if queues else "calls"
        if kind == "calls":
            some = self._random.sample(alive, min(len(alive), 3))
            return Hold(tenant, name, now, frozenset(call.name for call in some)) if some else None
        if kind == "caller":
            return Hold(tenant, name, now, caller=self._caller(), future=future)
        if kind == "queue":
            return Hold(tenant, name, now, queue=self._random.choice(queues), future=future)
        return Hold(tenant, name, now, caller=self._caller(), since=now - 10 * DAY, future=future)

    def _caller(self) -> str:
        return f"+47900000{self._random.randrange(CALLERS):02}"

    def _release_holds(self) -> None:
        for hold in self._model.holds:
            if hold.freed is None and hold.asked and self._random.random() < APPROVED:
                people = self._people_of(hold)
                if self._random.random() < TRIED_ALONE:
                    self._must_be_refused(lambda: people.approve_release(hold.tenant, hold.name, KARI))  # noqa: B023
                people.approve_release(hold.tenant, hold.name, OLA)
                self._world.settle()
                hold.freed = self._world.clock()
                self.counts["holds released"] += 1
            elif hold.asked is None and self._random.random() < OFTEN["release"][self._is_long]:
                self._people_of(hold).ask_release(hold.tenant, hold.name, KARI)
                hold.asked = self._world.clock()

    def _people_of(self, hold: Hold) -> Holds:
        return HoldScene(self._world.cloud, self._world.clock, hold.tenant).people

    def _start_erasure(self) -> None:
        tenant = self._random.choice(TENANTS)
        alive = [call for call in self._model.alive(tenant.name) if call.request is None]
        if not alive:
            return
        call = self._random.choice(alive)
        is_of_caller = call.caller is not None and self._random.random() < 0.7
        subject = {"caller": call.caller} if is_of_caller else {"call": call.id}
        anonymise = self._random.random() < ANONYMISED
        try:
            found = self._desk().start(tenant.name, **subject, anonymise=anonymise)
        except NothingFoundError:
            self.wrong.append(f"erasure: nothing found of {tenant.name} {call.name}")
            return
        if any(each.id == found["request"] for each in self._model.requests):
            return
        self._model.requests.append(Request(tenant.name, found["request"], self._calls_of(call, is_of_caller)))
        self.counts["erasures asked for"] += 1

    def _calls_of(self, call: Call, is_of_caller: bool) -> list[Call]:
        if not is_of_caller:
            return [call]
        return [each for each in self._model.alive(call.tenant) if each.caller == call.caller]

    def _approve_erasures(self) -> None:
        for request in self._model.requests:
            if request.approved or self._random.random() >= APPROVED:
                continue
            if self._random.random() < TRIED_ALONE:
                alone = self._desk().requests
                self._must_be_refused(lambda: alone.approve(request.tenant, request.id, KARI))  # noqa: B023
            self._desk().approve(request.id, request.tenant)
            self._model.approve(request, self._world.clock())
            self.counts["erasures approved"] += 1

    def _answer_notices(self) -> None:
        """Put the answer of the tenant to a notice, and hand over the notification of its landing."""
        keys = {key for key in self._world.keys(SFTP) if "/notices/" in key}
        for request in self._model.requests:
            begin = f"{request.tenant}/notices/erasure-{request.id}."
            has_notice = any(key.startswith(begin) for key in keys)
            if request.answered or not has_notice or self._random.random() >= ANSWERED:
                continue
            key = f"{begin}done"
            self._world.cloud.s3.put_object(Bucket=SFTP, Key=key, Body=b"")
            record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": SFTP}, "object": {"key": key}}}
            self._world.run("erase_recordings", sqs_event({"Records": [record]}))
            request.answered = True
            self.counts["notices answered"] += 1

    def _confirm(self) -> None:
        for tenant, brake in self._model.brakes.items():
            if brake.confirmed is None and self._random.random() < CONFIRMED:
                now = self._world.clock()
                if not DisposalTable(self._world.cloud.dynamodb, RETENTION).confirm(tenant, now, OLA):
                    self.wrong.append(f"brake: {tenant} has none to confirm")
                brake.confirmed = now + timedelta(seconds=1)
                self.counts["brakes confirmed"] += 1

    def _must_be_refused(self, act) -> None:
        self.counts["approvals by the same person refused"] += 1
        with suppress(CallsealError):
            act()
            self.wrong.append("a person approved what the same person asked for")

    def _desk(self) -> Desk:
        return Desk(self._world.cloud, self._world.function("erase_recordings"), self._world.clock)
