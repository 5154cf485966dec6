"""A duty of the law: calls of one tenant, and the promise that nothing goes before its time.

After each delete the judge looks whether everything is there that must be there. What that is, the story says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from callseal.calls.call_file import Delivery
from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_facts import plain_facts
from callseal.calls.card_table import CardTable
from callseal.calls.facts import Facts
from callseal.calls.waveform_place import place_of
from callseal.core.audit import timestamp
from simulation.fault_proxy import Seen
from simulation.faults.archive_duty import ArchiveDuty
from simulation.faults.cloud import CALLS, STACK
from simulation.faults.law_view import RETENTION, WAVEFORMS, LawView, Version, hash_of
from simulation.faults.model import EARLY, UNSAID
from tests.security.privacy.watch import CALLERS
from tests.support.archive import Visitor
from tests.support.disposal import ENDED, LANDED, VERSION
from tests.support.stack import ARCHIVE, LANDING, SFTP

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTINGS = {"deliver_to_archive": True, "call_index": "plain", "encrypt": False}
POLICY = {"schema": 1, "rules": [], "classes": {"default": {"delete_after": "30d"}}, "default": {"class": "default"}}
OFFICERS = {
    "grants": [{"group": "officers", "may": ["search", "hold", "erase"], "restricted": True, "sensitive": True}]
}
KARI, OLA = "kari@acme.example", "ola@acme.example"
CALLER, OTHER = f"+{CALLERS[0]}", "+4733445566"
# 30 days after the end of the call, at the next midnight.
DUE, LATER = "2025-12-02T00:00:00.000Z", "2099-01-01T00:00:00.000Z"
DELETES = ("DeleteObject", "DeleteObjects")


@dataclass
class KnownCall:
    """A call that a story has put: its versions in the archive, and its copies in the SFTP area."""

    name: str
    id: str
    key: str
    versions: set[Version] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)
    hashes: dict[str, str] = field(default_factory=dict)  # by version


class LawDuty(ArchiveDuty):
    """One attempt at a duty of the law."""

    settings: Mapping[str, Any] = SETTINGS

    def set_up(self) -> None:
        """Put the tenant, which is the only one, so that each attempt makes the same requests."""
        self._view = LawView(self._cloud, self._tenant)
        self._looking = Lock()
        self._stay: set[Version] = set()
        self._put_cards: list[Card] = []
        self._copies_stay: set[str] = set()
        self._clients = {name: self._cloud.client(name) for name in ("s3", "dynamodb", "sqs")}
        self.forget_tenants()
        self._cloud.put_settings(self._tenant, dict(self.settings))
        self._cloud.put_policy(self._tenant, POLICY)
        self._cloud.put_access(self._tenant, OFFICERS)

    def throw_away(self) -> None:
        """Delete what is locked, too."""
        self._view.forget()
        self._cloud.put_clock_ahead(timedelta())
        for url in (self._cloud.lock_url, self._cloud.erasure_url, self._cloud.queue_url):
            self._cloud.take_all(url)
        self.forget_tenants()
        super().throw_away()

    def forget_tenants(self) -> None:
        """Delete all tenants' parameters, and what others have left in the archive."""
        ssm = self._cloud.client("ssm")
        pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=f"/{STACK}/tenants", Recursive=True)
        for name in [each["Name"] for page in pages for each in page["Parameters"]]:
            ssm.delete_parameter(Name=name)

    # ---- the story --------------------------------------------------------------------------------------------------

    def put(
        self, name: str, *endings: str, dispose_on: str | None = DUE, caller: str | None = None, sealed: str = "none",
        copied: bool = True, fetched: bool = False, has_card: bool = True, ended: datetime = ENDED, **lock: Any,
    ) -> KnownCall:  # fmt: skip
        """Deliver a call long ago: its files to both buckets, its card, and its waveform."""
        call = CallName(self._tenant, name)
        known = KnownCall(name, call.id, f"{self._tenant}/{name}")
        facts = plain_facts(Facts(ended=ended, caller=caller), lambda _: False)
        card = Card(call).with_metadata(f"{known.key}.xml", "read", facts, LANDED)
        for ending in endings or (".wav", ".xml"):
            key, data = f"{known.key}{ending}", f"said in {name}{ending}".encode()
            delivery = self._written(known, key, data, sealed, **lock)
            card = card.with_delivery(("archive", ARCHIVE, key), delivery)
            if copied:
                self._cloud.put(SFTP, key, data)
                known.copies.add(key)
                copy = Delivery(delivery.id, LANDED, len(data), delivery.sha256, sealed)
                card = card.with_delivery(("sftp", SFTP, key), copy)
                card = card.with_fetch(("sftp", SFTP, key), timestamp(self._clock())) if fetched else card
        if has_card:
            outcome = {"class": "default", "rule": "default", "version": VERSION, "keep_until": None, "held": None}
            self._put_cards.append(card.with_outcome(outcome | {"dispose_on": dispose_on}))
        return known

    def next_step(self) -> None:
        """Write the cards of the calls that were put, and begin the next step."""
        self.write_cards()
        super().next_step()

    def write_cards(self) -> None:
        """Write the cards of the calls that were put, in one request."""
        cards, self._put_cards = self._put_cards, []
        self._write({card.call: lambda _, card=card: card for card in cards})

    def delivered(self, call: KnownCall) -> dict[str, Any]:
        """Return the audit event of a call's delivery to the archive, as lock_recordings gets it."""
        outputs = [
            {"destination": "archive", "bucket": ARCHIVE, "key": version.key, "size": 4, "sha256": None,
             "sealed": "none", "version": version.id}
            for version in call.versions
        ]  # fmt: skip
        detail = {"id": f"delivery of {call.name}", "time": timestamp(self._clock()), "tenant": self._tenant,
                  "source": None, "law": None, "outputs": outputs}  # fmt: skip
        return {"detail-type": "RecordingDelivered", "detail": detail}

    def accepted(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of a type that the bus has accepted until now."""
        with self._looking:  # requests of several threads come here
            for event in self._cloud.audit():
                self._look_at_event(event["detail-type"], event["detail"])
            return self.told(kind, tenant=self._tenant)

    def hold_is_written(self, seen: Seen, state: str) -> bool:
        """Return whether a request has written a hold in a state."""
        if seen.operation != "PutItem" or seen.members.get("TableName") != RETENTION:
            return False
        return bool(seen.members["Item"].get("state", {}).get("S") == state)

    def _written(self, known: KnownCall, key: str, data: bytes, sealed: str, **lock: Any) -> Delivery:
        """Write a version into the archive, and the waveform of a plain recording."""
        checksum = {"ChecksumAlgorithm": "SHA256"} if lock else {}
        answer = self._clients["s3"].put_object(Bucket=ARCHIVE, Key=key, Body=data, **lock, **checksum)
        version, is_xml = Version(key, answer["VersionId"]), key.endswith(".xml")
        known.versions.add(version)
        known.hashes[version.id] = hash_of(data)
        if not is_xml and sealed == "none":
            place = {"tenant": {"S": self._tenant}, "place": {"S": place_of(known.id, 0, version.id)}}
            self._clients["dynamodb"].put_item(TableName=WAVEFORMS, Item={**place, "rows": {"S": "[]"}})
        return Delivery(
            version.id, LANDED, len(data), None if is_xml and sealed == "none" else hash_of(data), sealed,
            version=version.id,
        )  # fmt: skip

    def change(self, call: CallName, change: Any) -> None:
        """Change a card."""
        self._write({call: change})

    def _write(self, changes: Mapping[CallName, Any]) -> None:
        table = CardTable(self._clients["dynamodb"], CALLS, self._clock)
        if failed := table.apply({call: [change] for call, change in changes.items()}):
            raise RuntimeError(f"the cards cannot be written: {failed}")

    def pass_by(self, time: timedelta) -> None:
        """Let time pass for the functions and for S3."""
        self._ahead += time
        self._cloud.put_clock_ahead(self._ahead)

    def dispose(self) -> None:
        """Run the hourly disposal."""
        self._invoke("dispose_recordings", {})

    def work(self, function: str, url: str) -> None:
        """Let a function take the messages of its queue, until there are none."""
        while messages := self._cloud.messages(url):
            for message in messages:
                self._cloud.delete_message(url, message)
            self.hand_over_messages(function, messages)

    def officer(self, email: str) -> Visitor:
        """Return the browser of a person who may place holds and erase."""
        return self.person("officers", email=email)

    # ---- the judge --------------------------------------------------------------------------------------------------

    def must_stay(self, *calls: KnownCall) -> None:
        """Expect from now on that every file of these calls stays."""
        self._stay = self._stay.union(*(call.versions for call in calls))
        self._copies_stay = self._copies_stay.union(*(call.copies for call in calls))

    def may_go(self, *calls: KnownCall) -> None:
        """Expect nothing of these calls any more."""
        self._stay = self._stay.difference(*(call.versions for call in calls))
        self._copies_stay = self._copies_stay.difference(*(call.copies for call in calls))

    def changed(self, seen: Seen) -> None:
        """Look whether a delete took what must stay."""
        if seen.operation in DELETES and seen.bucket in (ARCHIVE, SFTP, LANDING):
            self.look_for_what_stays()

    def look_for_what_stays(self) -> None:
        """Complain of what must be there, and is not. A delete marker hides a recording, so it counts, too."""
        stay, copies = self._stay, self._copies_stay
        if gone := stay - self._view.versions():
            self.complain(EARLY, f"deleted, and it must stay: {sorted(each.key for each in gone)}")
        if hidden := {each.key for each in self._view.markers()} & {each.key for each in stay}:
            self.complain(EARLY, f"hidden by a marker, and it must stay: {sorted(hidden)}")
        if gone_copies := copies - self._view.copies():
            self.complain(EARLY, f"a copy is deleted, and it must stay: {sorted(gone_copies)}")

    def left_of(self, call: KnownCall) -> list[str]:
        """Return what is left of a call anywhere: files, copies, landed files, waveforms, and the card's facts."""
        versions = self._view.versions() | self._view.markers()
        left = [f"archive {each.key}" for each in versions if each.key.startswith(f"{call.key}.")]
        left += [f"sftp {key}" for key in self._view.copies() if key.startswith(f"{call.key}.")]
        left += [f"landing {key}" for key in self._view.landed() if key.startswith(f"{call.key}.")]
        left += ["waveform"] if call.id in self._view.waveforms() else []
        card = self._view.cards().get(call.id, {})
        left += [f"card {name}" for name in ("facts", "files", "party", "outcome") if name in card]
        return sorted(left)

    def ending(self, call: KnownCall) -> str | None:
        """Return how a call ended by its card."""
        found = self._view.cards().get(call.id, {}).get("gone")
        return str(found) if found else None

    def must_be_whole(self, *calls: KnownCall) -> None:
        """Complain unless these calls have a card that has not ended, with all their files."""
        self.must_stay(*calls)
        self.look_for_what_stays()
        for call in calls:
            card = self._view.cards().get(call.id, {})
            named = {file["key"] for file in json.loads(card.get("files", "[]"))}
            if not {each.key for each in call.versions} <= named or "gone" in card:
                self.complain(UNSAID, f"{call.name} is in the archive, and its card does not name it")
