"""The year: the days, one after the other, with a night's run of the functions and a look of the judge in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from simulation.year import buckets
from simulation.year.broken import broken
from simulation.year.dates import DAY
from simulation.year.erasure_judge import STRAY
from simulation.year.findings import OTHER, Findings
from simulation.year.judge import Judge
from simulation.year.model import Call, Model
from simulation.year.people import People
from simulation.year.plan import BRAKE_CALLS, SHORT_RUN, START, TENANTS, VOLUME, PlannedCall, calls_of, metadata_of
from simulation.year.world import World, world
from tests.support.stack import LANDING, SFTP, STACK

# The SFTP bucket's lifecycle, which moto does not run.
SFTP_DAYS = 7 * DAY
PEOPLE_AT, LANDING_AT = timedelta(hours=10), timedelta(hours=20)
A_DAY, VOLUME_EVERY, VOLUME_ON = (1.0, 2.0), (40, 60), (8, 3)
COMPARED_EVERY = (14, 14)
LANDS_AGAIN = 0.3
# How many findings of a month are printed.
MOST_SAID = 20


@dataclass(frozen=True)
class Verdict:
    """The figures of a year, and what is broken."""

    figures: Counter[str]
    latest: timedelta
    findings: Findings


class Year:
    """Days that pass."""

    def __init__(self, world: World, seed: int, days: int, say: Callable[[str], None], *, is_broken: bool) -> None:
        self._world, self._days, self._say, self._is_broken = world, days, say, is_broken
        self._random, self._is_long = Random(seed), int(days >= SHORT_RUN)
        self._model = Model(BRAKE_CALLS[self._is_long])
        self._judge = Judge(world, self._model)
        self._people = People(world, self._model, self._random, days)
        self._figures = Counter[str]()
        self._said = 0

    def run(self) -> Verdict:
        """Let the days pass, and return the verdict."""
        self._world.clock.put_to(START)
        self._people.begin()
        for number in range(self._days):
            day = START + number * DAY
            # Later on each day, so that three days of grace are never over a moment too early.
            self._night(day + timedelta(minutes=5 + number % 50), number)
            self._world.clock.put_to(day + PEOPLE_AT)
            self._people.act()
            self._evening(day, number)
            for line in self._people.wrong:
                self._judge.findings.add(OTHER, self._world.clock(), line)
            is_over = number == self._days - 1 or (self._is_broken and bool(self._judge.findings.lines))
            if (day + DAY).day == 1 or is_over:
                self._report(day)
            if is_over:
                break
        return Verdict(self._counted(), self._judge.latest, self._judge.findings)

    def _night(self, at: datetime, number: int) -> None:
        """Run the functions as their schedules do, and judge what they left."""
        self._world.clock.put_to(at)
        self._expire_copies()
        now = self._world.clock()
        self._model.follow(now)
        names = [tenant.name for tenant in TENANTS]
        stopped = {name: self._model.brakes[name].calls for name in names if self._model.stopped(name, now)}
        self._figures["runs that the brake stopped"] += len(stopped)
        answer = self._world.run("dispose_recordings")
        self._world.settle()
        self._world.run("erase_recordings")
        self._world.settle()
        self._judge.look(stopped, answer)
        for name in names:
            if name not in stopped:
                self._model.ran(name)
        if number % COMPARED_EVERY[self._is_long] == COMPARED_EVERY[self._is_long] - 1:
            self._judge.compare(self._world.run("reconcile_archive"))
            self._world.settle()

    def _evening(self, day: datetime, number: int) -> None:
        """Let the day's calls land, all of them at once, and now and then a file of an erased call."""
        self._world.clock.put_to(day + LANDING_AT)
        every = VOLUME_EVERY[self._is_long]
        volume = VOLUME[self._is_long] if number % every == VOLUME_ON[self._is_long] else None
        planned = calls_of(day, self._random, A_DAY[self._is_long], volume)
        landed = [(each, self._land(each)) for each in planned]
        self._world.land([file for each in planned for file in _files(each)])
        for each, call in landed:
            self._judge.take_delivery(call, len(_files(each)))
        self._take_copies(landed)
        self._figures["calls landed"] += len(planned)
        erased = [call for call in self._model.calls.values() if call.gone and call.request]
        if erased and self._random.random() < LANDS_AGAIN:
            call = self._random.choice(erased)
            key = f"{call.tenant}/{call.name}.wav"
            self._world.land([(key, b"again")])
            self._judge.take_again(key)
            self._figures["files of erased calls that landed again"] += 1

    def _land(self, planned: PlannedCall) -> Call:
        now = self._world.clock()
        is_known = planned.queue is not None
        call = Call(
            planned.tenant, planned.name, planned.queue, planned.caller if is_known else None,
            planned.started if is_known else now, planned.ended if is_known else now, now,
            self._model.editions[planned.tenant][-1],
        )  # fmt: skip
        self._model.land(call)
        return call

    def _take_copies(self, landed: list[tuple[PlannedCall, Call]]) -> None:
        """Leave stray files and waveforms behind, and let recipients fetch recordings."""
        fetched = {f"{call.tenant}/{call.name}" for planned, call in landed if planned.is_fetched}
        for planned, call in landed:
            if planned.has_stray:
                self._world.cloud.land(f"{call.tenant}/{call.name}{STRAY}", b"stray")
                place = {"tenant": {"S": call.tenant}, "place": {"S": f"{call.id}#0#etag"}}
                self._world.cloud.dynamodb.put_item(TableName=f"{STACK}-archive-waveforms", Item=place)
        keys = sorted(buckets.keys(SFTP))
        self._world.fetch([key for key in keys if key.partition(".")[0] in fetched and ".wav" in key])

    def _expire_copies(self) -> None:
        """Do what the SFTP bucket's lifecycle does."""
        limit = self._world.clock() - SFTP_DAYS
        old = {f"{call.tenant}/{call.name}" for call in self._model.calls.values()
               if limit - 2 * DAY < call.landed < limit}  # fmt: skip
        for key in buckets.keys(SFTP):
            if key.partition(".")[0] in old:
                self._world.cloud.s3.delete_object(Bucket=SFTP, Key=key)

    def _counted(self) -> Counter[str]:
        waiting = sum(call.gone is None for call in self._model.calls.values())
        more = {"calls still there": waiting, "audit events": len(self._world.events),
                "files in landing": len(buckets.keys(LANDING))}  # fmt: skip
        return self._figures + self._judge.counts + self._judge.erasure_states + self._people.counts + Counter(more)

    def _report(self, day: datetime) -> None:
        figures, lines = self._counted(), self._judge.findings.lines
        for line in lines[self._said : self._said + MOST_SAID]:
            self._say(f"BROKEN {line}")
        if len(lines) > self._said + MOST_SAID:
            self._say(f"and {len(lines) - self._said - MOST_SAID} more")
        self._said = len(lines)
        wrong = self._judge.findings.counts.total()
        self._say(
            f"{day:%Y-%m-%d}: {figures['calls landed']} landed, {figures['calls disposed of']} disposed of, "
            f"{figures['calls erased']} erased, {figures['calls still there']} there, {wrong} findings"
        )


def _files(call: PlannedCall) -> list[tuple[str, bytes]]:
    files = [(f"{call.tenant}/{call.name}.wav", b"said " + call.name.encode())]
    if call.queue is not None:
        files.append((f"{call.tenant}/{call.name}.xml", metadata_of(call)))
    return files[::-1] if call.is_metadata_first else files


def simulate(seed: int, days: int, say: Callable[[str], None], variant: str | None = None) -> Verdict:
    """Run a year in a world of its own. With the product broken as a variant says, it ends at the first finding."""
    with broken(variant), world(BRAKE_CALLS[int(days >= SHORT_RUN)]) as made:
        return Year(made, seed, days, say, is_broken=variant is not None).run()
