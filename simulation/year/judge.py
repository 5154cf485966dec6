"""The judge: compares all versions in the buckets, the tables and the audit with the model, after each night."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from simulation.year import buckets
from simulation.year.buckets import Version
from simulation.year.dates import DAY
from simulation.year.erasure_judge import ErasureJudge
from simulation.year.findings import BRAKE, EARLY, HOLD, LATE, LOCK, OTHER, UNSAID, Findings
from simulation.year.model import Call, Model
from simulation.year.world import World
from tests.support.stack import ARCHIVE, AUDIT, LANDING, SFTP, STACK


class Judge:
    """Looks at the whole world. `counts` and `latest` are figures, `latest` the longest time a call stayed too long."""

    def __init__(self, world: World, model: Model) -> None:
        self._world, self._model = world, model
        self.findings = Findings()
        self._erasures = ErasureJudge(world, self.findings)
        self.counts = Counter[str]()
        self.latest = timedelta()
        self._recorded: dict[str, dict[str, Any]] = {}
        self._records = set[str]()
        self._waiting = set[str]()
        self._landed_again = set[str]()

    @property
    def erasure_states(self) -> Counter[str]:
        """How many files of finished requests are certified with which state."""
        return Counter({f"files certified as {state}": count for state, count in self._erasures.states.items()})

    def take_delivery(self, call: Call, files: int) -> None:
        """Learn which versions the delivery of a call has made. There must be one for each of its files."""
        begin = f"{call.tenant}/{call.name}."
        call.versions = {id_: each.key for id_, each in buckets.versions(ARCHIVE).items() if each.key.startswith(begin)}
        if len(call.versions) != files:
            self._find(OTHER, f"{call.tenant} {call.name}: {len(call.versions)} versions of {files} files")

    def take_again(self, key: str) -> None:
        """Learn that a file of an erased call landed again: it must stay in landing, held."""
        self._landed_again.add(key)
        if key not in buckets.keys(LANDING) or buckets.tags(LANDING, key).get("callseal-reason") != "Erased":
            self._find(OTHER, f"{key} landed again after its erasure, and is not held")

    def look(self, stopped: Mapping[str, int], answer: Mapping[str, int] | None) -> None:
        """Judge everything. `stopped` has the calls of tenants whose disposal the brake must have stopped.

        `answer` is what the run of dispose_recordings counted.
        """
        at, stored = self._world.clock(), buckets.versions(ARCHIVE)
        sftp = buckets.keys(SFTP)
        self._read_records()
        if (answer or {}).get("braked", 0) != len(stopped):
            self._find(BRAKE, f"the brake must stop {sorted(stopped)}, and the run counted {answer}")
        for call in [call for call in self._model.calls.values() if call.gone is None]:
            self.counts["looks at a call"] += 1
            self._look_at(call, at, stored, sftp, is_stopped=call.tenant in stopped)
        self._look_for_unknown(stored)
        for request in self._model.requests:
            self._erasures.look(request, self._model, at, stored, sftp)
        for key in sorted(self._landed_again - buckets.keys(LANDING)):
            self._find(EARLY, f"{key} landed again, was held, and is gone")
        for line in self._world.failed:
            self._find(OTHER, line)

    def compare(self, answer: Mapping[str, int] | None) -> None:
        """Judge an answer of reconcile_archive: it must find nothing but calls that the brake keeps too long."""
        findings = ("FileWithoutCard", "CardWithoutFile", "LockedTooLong")
        wrong = any((answer or {}).get(name, 1) for name in findings)
        braked = any(brake.confirmed is None for brake in self._model.brakes.values())
        if wrong or ((answer or {}).get("KeptTooLong") and not braked):
            self._find(OTHER, f"reconcile_archive found {answer}\n{self._world.log.getvalue()[-1000:]}")
        self.counts["comparisons"] += 1

    def _look_at(
        self, call: Call, at: datetime, stored: Mapping[str, Version], sftp: set[str], *, is_stopped: bool
    ) -> None:
        there = [stored[id_] for id_ in call.versions if id_ in stored]
        since, name = self._model.may_go_since(call, at), f"{call.tenant} {call.name}"
        holds = self._model.holds_of(call, at)
        if since is None and len(there) < len(call.versions):
            why = f"held by {[hold.name for hold in holds]}" if holds else f"{call.term} until {call.lock}"
            self._find(HOLD if holds else EARLY, f"{name}: {len(there)} of {len(call.versions)} versions, {why}")
        elif there and len(there) < len(call.versions):
            self._find(UNSAID, f"{name}: {len(there)} of {len(call.versions)} versions are left")
        if since:
            self._time(call, since, at, is_there=bool(there), is_stopped=is_stopped and not call.request)
        if not there:
            self._take_end(call, at, sftp)
            return
        self._look_at_grace(call, at)
        for version in there:
            self._look_at_lock(call, version, at, is_held=bool(holds))

    def _time(self, call: Call, since: datetime, at: datetime, *, is_there: bool, is_stopped: bool) -> None:
        """Find a call that should be gone for more than a day, and note how long one stayed that is gone now."""
        freed = None if call.request else self._model.freed_since(call.tenant)
        late = at - max(since, freed or since)
        if is_stopped:
            self.counts["days of calls behind the brake"] += 1
        elif is_there and late > DAY:
            self._find(LATE, f"{call.tenant} {call.name}: since {since:%Y-%m-%d %H:%M}")
        else:
            self.latest = max(self.latest, late)

    def _look_at_grace(self, call: Call, at: datetime) -> None:
        """Count a call that the present policy makes deletable, and the grace keeps."""
        if self._model.is_in_grace(call, at):
            self._waiting.add(call.id)
        self.counts["calls that waited for the grace"] = len(self._waiting)

    def _look_at_lock(self, call: Call, version: Version, at: datetime, *, is_held: bool) -> None:
        name = f"{call.tenant} {version.key} {version.id[:8]}"
        if version.is_held != is_held:
            self._find(HOLD, f"{name}: the legal hold is {version.is_held}, and must be {is_held}")
        wanted = (call.lock.mode, call.lock.until) if call.lock and call.lock.until > at else None
        found = (version.mode, version.until) if version.until and version.until > at else None
        if wanted != found:
            self._find(LOCK, f"{name}: {found}, and must be {wanted}")

    def _take_end(self, call: Call, at: datetime, sftp: set[str]) -> None:
        """Judge the end of a call: no copy is left, the card has ended, and the disposal has one record of it."""
        call.gone = at
        begin, name = f"{call.tenant}/{call.name}.", f"{call.tenant} {call.name}"
        if call.request:
            self.counts["calls erased"] += 1
            return
        self.counts["calls disposed of"] += 1
        self.counts["of these when the grace ended"] += call.id in self._waiting
        self._model.disposed[call.tenant][at.date()] += 1
        if any(key.startswith(begin) for key in sftp):
            self._find(UNSAID, f"{name} is disposed of, and its copy is in the SFTP bucket")
        card = next(each for each in buckets.items(f"{STACK}-calls") if each["id"] == call.id)
        if card.get("gone") != "disposed" or "facts" in card:
            self._find(OTHER, f"{name} is disposed of, and its card has not ended")
        line = self._recorded.get(call.id)
        if line is None or {file["version"] for file in line["files"]} != set(call.versions):
            self._find(UNSAID, f"{name} is disposed of, and its record is {line}")

    def _read_records(self) -> None:
        """Read the new records of disposals. Each has an event with its hash, and a call is in one of them."""
        told = {detail["law"]["object"]: detail["law"]["sha256"] for kind, detail in self._world.events
                if kind == "RecordingsDisposed"}  # fmt: skip
        for key in buckets.keys(AUDIT) - self._records:
            if not key.startswith("disposals/"):
                continue
            self._records.add(key)
            data = buckets.data(AUDIT, key)
            if told.get(key) != sha256(data).hexdigest():
                self._find(UNSAID, f"{key} has no event with its hash")
            for line in map(json.loads, gzip.decompress(data).splitlines()):
                if line["id"] in self._recorded:
                    self._find(OTHER, f"{line['id']} is in two records")
                self._recorded[line["id"]] = line
        self.counts["records of disposals"] = len(self._records)

    def _look_for_unknown(self, stored: Mapping[str, Version]) -> None:
        known = {id_ for call in self._model.calls.values() if call.gone is None for id_ in call.versions}
        for id_ in stored.keys() - known:
            self._find(OTHER, f"{stored[id_].key} {id_[:8]} is in the archive, and belongs to no call that is there")

    def _find(self, kind: str, sentence: str) -> None:
        self.findings.add(kind, self._world.clock(), sentence)
