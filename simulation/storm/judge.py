"""The judge: checks everything after the storm and determines each file's outcome.

The expected outcome follows from what operators had put at the time (history.py). Envelopes are opened by readers that
share no code with the functions.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from simulation.faults.cloud import Cloud, Stored
from simulation.faults.model import opened_by, schema
from simulation.faults.tenants import Tenant
from simulation.storm import history
from simulation.storm.calls import AWAITED
from simulation.storm.history import NO_KEY, History, routes_asked, span
from simulation.storm.tenant_keys import reader
from simulation.storm.witness import DESTINATIONS, Complaint, Letter, Recording, Witness, landing_key
from tests.support.stack import ARCHIVE, LANDING, SFTP

Place = tuple[str, str]
Event = Mapping[str, Any]
FOREVER = float("inf")
OF_SETTINGS = ("SettingsMissing", "SettingsInvalid", "NothingToDeliver")
BUCKETS = {to: bucket for bucket, to in DESTINATIONS.items()}


@dataclass
class Verdict:
    """The outcome of all files. `reasons` counts the held ones."""

    recordings: int = 0
    delivered: int = 0
    held: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    complaints: list[Complaint] = field(default_factory=list)
    # Delivered in two forms, both announced, around a change of keys or settings: a known limit.
    notes: list[str] = field(default_factory=list)

    def count(self, letter: Letter) -> int:
        """Count the files, or places, with complaints of one kind."""
        return len({one.what for one in self.complaints if one.letter == letter})


class Judge:
    """Judges once."""

    def __init__(self, cloud: Cloud, past: History, witness: Witness, events: Iterable[Mapping[str, Any]]) -> None:
        self._cloud, self._past, self._witness = cloud, past, witness
        self.verdict = Verdict(complaints=list(witness.complaints))
        self._landing = cloud.listing(LANDING)
        self._there: dict[Place, Stored] = {}
        self._of: dict[tuple[str, str], list[Place]] = defaultdict(list)
        self._events: dict[tuple[str, str], dict[str, list[Event]]] = defaultdict(lambda: defaultdict(list))
        self._readers = [(tenant, reader(tenant, key)) for tenant, key in dict.fromkeys(past.all_keys())]
        self._gather_events(events)
        self._gather_objects()

    def judge(self) -> Verdict:
        """Judge every file that landed."""
        for recording in self._witness.recordings.values():
            self._judge(recording)
        for uploads in self._cloud.unfinished_uploads():
            self.verdict.counts[f"unfinished uploads in {uploads[0]}"] += 1
        return self.verdict

    # ---- outputs and landing ----------------------------------------------------------------------------------------

    def _gather_events(self, events: Iterable[Mapping[str, Any]]) -> None:
        for event in events:
            kind, detail = event["detail-type"], event["detail"]
            source = detail["source"]["key"], detail["source"]["etag"]
            self.verdict.counts[f"{kind} events"] += 1
            if source not in self._witness.recordings:
                self._complain("U", source[0], f"a {kind} event of what never landed")
                continue
            content = {name: value for name, value in detail.items() if name != "time"}
            if content not in self._events[source][kind]:
                self._events[source][kind].append(content)
                if errors := [error.message for error in schema().iter_errors(detail)]:
                    self._complain("S", source[0], f"a {kind} event does not follow its schema: {errors}")

    def _gather_objects(self) -> None:
        for bucket in (SFTP, ARCHIVE):
            for key in self._cloud.listing(bucket):
                stored = self._cloud.read(bucket, key)
                assert stored
                self._there[bucket, key] = stored
                source = landing_key(key)[0], stored.metadata.get("callseal-source-etag", "")
                if source in self._witness.recordings:
                    self._of[source].append((bucket, key))
                else:
                    self._complain("U", key, f"an object in {bucket} that nobody expects")

    # ---- one file ---------------------------------------------------------------------------------------------------

    def _judge(self, one: Recording) -> None:
        source = one.landing.key, one.etag
        places, events = self._of[source], self._events[source]
        for place in places:
            self._judge_object(one, place)
        self._judge_ids(one, events)
        if self._landing.get(one.landing.key) == one.etag:
            self.verdict.recordings += 1
            self._judge_held(one, events)
        elif one.purged is None and one.overwritten and not events["RecordingDelivered"]:
            self._judge_overwritten(one, places)
        else:
            self.verdict.recordings += 1
            self._judge_delivered(one, places, events["RecordingDelivered"])

    def _judge_delivered(self, one: Recording, places: Sequence[Place], events: Sequence[Event]) -> None:
        if not events:
            self._complain("S" if places else "L", one.landing.key, "not in landing, and no event says delivered")
            return
        self.verdict.delivered += 1
        if one.landing.ruling and one.landing.ruling.held:
            self._complain("A", one.landing.key, f"delivered, although the policy holds it: {one.landing.ruling.held}")
        asked, moved = self._asked(one), self._has_moved(one)
        reached = {DESTINATIONS[bucket] for bucket, _ in places}
        if reached not in [set(ways) for ways in asked] and not moved:
            self._complain("L", one.landing.key, f"delivered to {sorted(reached)}, asked for were {asked}")
        for event in events:
            self._judge_event(one, event, places)
        names = [{(output["bucket"], output["key"]) for output in event["outputs"]} for event in events]
        unnamed = set(places) - set().union(*names)
        if unnamed or (not moved and any(set(places) - some for some in names)):
            self._complain("U", one.landing.key, f"it stands at {places}, and the audit names {names}")
        elif any(set(places) - some for some in names):
            # Announced, but the answer got lost. The retry found new settings with more destinations, and the next
            # event names them.
            self.verdict.counts["told again with other outputs after a change"] += 1
        if len(reached) < len(places) and not moved:
            self._complain("U", one.landing.key, f"it stands at {places}")
        elif len(reached) < len(places):
            # Two workers processed it at once, one of them with cached settings: docs/architecture.md.
            self.verdict.notes.append(f"{one.landing.key} stands at {places}; the audit names {names}")

    def _has_moved(self, one: Recording) -> bool:
        """Return whether the requested outputs changed while the file was in landing."""
        keys = self._past.keys(one.landing.tenant, *span(one.landed, one.purged or FOREVER))
        asked = self._asked(one)
        return any(ways != asked[0] for ways in asked) or len({key.envelope for key in keys if key != NO_KEY}) > 1

    def _judge_overwritten(self, one: Recording, places: Sequence[Place]) -> None:
        """Judge a file that the platform overwrote before it was delivered.

        Its outputs, if any, conflict with its successor.
        """
        self.verdict.counts["overwritten in landing before they were delivered"] += 1
        reached = {DESTINATIONS[bucket] for bucket, _ in places}
        if places and reached in [set(ways) for ways in self._asked(one)]:
            self._complain("S", one.landing.key, "it was delivered before it was overwritten, and no event says so")

    def _judge_held(self, one: Recording, events: Mapping[str, Sequence[Event]]) -> None:
        tags = self._cloud.tags(one.landing.key)
        if tags.get("callseal-state") != "held":
            self._complain("S", one.landing.key, "neither delivered nor held")
            return
        self.verdict.held += 1
        reason = tags["callseal-reason"]
        self.verdict.reasons[reason] += 1
        true = self._reason_now(one)
        if reason != true:
            self._complain("S", one.landing.key, f"held for {reason}, and the true reason is {true}")
        if reason not in [event["reason"] for event in events["RecordingHeld"]]:
            self._complain("S", one.landing.key, f"held for {reason}, and no event says so")
        if events["RecordingDelivered"] and one.landed_times == 1:
            self._judge_delivered_and_held(one, reason)

    def _judge_delivered_and_held(self, one: Recording, reason: str) -> None:
        """Judge a delivered file that is not purged.

        That is right as long as it is unknown whether all requested outputs exist.
        """
        if self._has_moved(one) or reason in OF_SETTINGS:
            self.verdict.counts["delivered before a change, and held since"] += 1
        else:
            self._complain("U", one.landing.key, f"delivered, says an event, and still held for {reason}")

    def _reason_now(self, one: Recording) -> str | None:
        (settings,) = self._past.settings(one.landing.tenant, FOREVER, FOREVER)
        (key,) = self._past.keys(one.landing.tenant, FOREVER, FOREVER)
        if reason := history.reason(settings, key, one.landing):
            return reason
        ways = history.destinations(settings or {}, one.landing)
        suffix = {"cms": ".p7m", "openpgp": ".pgp"}[key.envelope]
        wanted = {(BUCKETS[to], one.landing.key + (suffix if seal else "")) for to, seal in ways.items()}
        of_others = wanted & set(self._there) - set(self._of[one.landing.key, one.etag])
        return "OutputConflict" if of_others else None

    # ---- one output -------------------------------------------------------------------------------------------------

    def _judge_object(self, one: Recording, place: Place) -> None:
        stored, (_, envelope) = self._there[place], landing_key(place[1])
        if envelope != stored.metadata.get("callseal-sealed"):
            self._complain("S", one.landing.key, f"{place} says that it is {stored.metadata.get('callseal-sealed')}")
        asked = [ways.get(DESTINATIONS[place[0]]) for ways in self._asked(one)]
        if (envelope != "none") not in asked:
            # A sealed output where plain was requested is not what the tenant wants, but nothing has leaked.
            self._complain("P" if envelope == "none" else "U", one.landing.key, f"{place} was never asked for")
        if envelope != "none":
            self._judge_seal(one, place, stored, envelope)
        elif stored.data != one.data:
            self._complain("L", one.landing.key, f"{len(stored.data)} bytes at {place}, not what landed")

    def _judge_seal(self, one: Recording, place: Place, stored: Stored, envelope: str) -> None:
        current = self._past.keys(one.landing.tenant, *span(one.landed, one.purged or FOREVER))
        own = [reader(one.landing.tenant, key) for key in current if key.kind == "good" and key.envelope == envelope]
        opener, opened = _open(own, stored.data)
        if opener is None:
            others = [tenant for tenant, other in self._readers if opened_by(other, stored.data) is not None]
            seen = f"{place} is for {others}" if others else f"nobody can open {place}"
            self._complain("W" if others else "L", one.landing.key, seen)
            return
        if opened != one.data:
            self._complain("L", one.landing.key, f"{len(opened or b'')} bytes in {place}, not what landed")
        named = stored.metadata.get("callseal-recipients")
        if opener.count(stored.data) != 1 or named != opener.fingerprint:
            self._complain("W", one.landing.key, f"{place} is not for its tenant alone, or names others: {named}")

    # ---- its events -------------------------------------------------------------------------------------------------

    def _judge_ids(self, one: Recording, events: Mapping[str, Sequence[Event]]) -> None:
        for kind, some in events.items():
            ids: dict[tuple[Any, ...], set[str]] = defaultdict(set)
            for event in some:
                ids[() if kind == "RecordingDelivered" else (event["reason"], event["key_version"])].add(event["id"])
                self._judge_source(one, kind, event)
                self._judge_rule(one, kind, event)
            # The same outcome gets another id only if it happened again for another cause.
            causes = 1 if kind == "RecordingDelivered" else self._causes(one)
            if any(len(several) > causes for several in ids.values()):
                self._complain("U", one.landing.key, f"its {kind} event has more ids than causes")

    def _causes(self, one: Recording) -> int:
        """Count what could hold or release a file: settings and keys since it landed, and a conflicting file."""
        since = span(one.landed, FOREVER)
        puts = [*self._past.settings(one.landing.tenant, *since), *self._past.keys(one.landing.tenant, *since)]
        # A recording that waits for its metadata is held again when the metadata turns out to be unreadable.
        unreadable = one.landing.facts is not None and one.landing.facts.unreadable
        return len(puts) - 1 + (len(self._witness.by_key[one.landing.key]) > 1) + unreadable

    def _judge_source(self, one: Recording, kind: str, event: Event) -> None:
        whose = one.landing.tenant if one.landing.key.startswith(f"{one.landing.tenant}/") else None
        truth = {"bucket": LANDING, "key": one.landing.key, "etag": one.etag, "size": len(one.data)}
        if (event["tenant"], event["source"]) != (whose, truth):
            self._complain("W", one.landing.key, f"a {kind} event of {event['tenant']}, {event['source']}")
        if kind == "RecordingHeld" and event["reason"] not in self._reasons(one):
            self._complain("S", one.landing.key, f"held for {event['reason']}, says an event, which was never so")

    def _reasons(self, one: Recording) -> set[str | None]:
        """List all reasons for which the file may have been held."""
        since = span(one.landed, FOREVER)
        reasons = {
            history.reason(settings, key, one.landing)
            for settings in self._past.settings(one.landing.tenant, *since)
            for key in self._past.keys(one.landing.tenant, *since)
        }
        # A recording of a call with a policy may wait for its metadata.
        reasons |= {AWAITED} if one.landing.ruling and not one.landing.is_metadata else set()
        return reasons | ({"OutputConflict"} if len(self._witness.by_key[one.landing.key]) > 1 else set())

    def _judge_rule(self, one: Recording, kind: str, event: Event) -> None:
        """Check that the events that a policy decides name its rule, and no others do."""
        decided = kind == "RecordingDelivered" or event["reason"] in ("RecordingDenied", "ConsentMissing")
        wanted = one.landing.ruling is not None and kind in ("RecordingDelivered", "RecordingHeld") and decided
        if (event["policy"] is not None) != wanted:
            self._complain("A", one.landing.key, f"a {kind} event names the policy {event['policy']}")

    def _judge_event(self, one: Recording, event: Event, places: Sequence[Place]) -> None:
        named = {(output["bucket"], output["key"]): output for output in event["outputs"]}
        for place, output in named.items():
            if place not in self._there:
                self._complain("L", one.landing.key, f"the audit names {place}, where nothing is")
            elif output != self._truth(place):
                self._complain("S", one.landing.key, f"the audit says {output} of what is {self._truth(place)}")
        sealed = {self._there[place].metadata.get("callseal-recipients") for place in named if place in self._there}
        sealed -= {None}
        keys = {recipient["fingerprint"] for recipient in event["recipients"] or []}
        if keys != sealed:
            self._complain("W", one.landing.key, f"sealed to {keys}, says the audit, and to {sealed} by their metadata")
        version = self._past.versions.get(event["key_version"] or "", NO_KEY)
        if event["key_version"] and reader(one.landing.tenant, version).fingerprint not in keys:
            self._complain("W", one.landing.key, "the audit names a version of the key that is none of its recipients'")

    def _truth(self, place: Place) -> dict[str, Any]:
        stored, envelope = self._there[place], landing_key(place[1])[1]
        digest = None if envelope == "none" else sha256(stored.data).hexdigest()
        return {"destination": DESTINATIONS[place[0]], "bucket": place[0], "key": place[1], "size": len(stored.data),
                "sha256": digest, "sealed": envelope, "version": stored.version}  # fmt: skip

    def _asked(self, one: Recording) -> list[dict[str, bool]]:
        settings = self._past.settings(one.landing.tenant, *span(one.landed, one.purged or FOREVER))
        return routes_asked(settings, one.landing)

    def _complain(self, letter: Letter, what: str, seen: str) -> None:
        complaint = Complaint(letter, what, seen)
        if complaint not in self.verdict.complaints:
            self.verdict.complaints.append(complaint)


def _open(readers: Iterable[Tenant], sealed: bytes) -> tuple[Tenant | None, bytes | None]:
    for one in readers:
        if (opened := opened_by(one, sealed)) is not None:
            return one, opened
    return None, None


def dump(complaints: Iterable[Complaint]) -> str:
    """Return complaints as lines."""
    return "".join(f"BROKEN {json.dumps([one.letter, one.what, one.seen], ensure_ascii=False)}\n" for one in complaints)
