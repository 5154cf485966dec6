"""A duty of the law: calls of one tenant, and the promise that nothing goes before its time.

After each delete the judge looks whether everything is there that must be there. What that is, the story says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from threading import Lock
from typing import Any

from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from simulation.fault_proxy import Seen
from simulation.faults.archive_duty import ArchiveDuty
from simulation.faults.cloud import STACK
from simulation.faults.law_calls import CallMaker, KnownCall
from simulation.faults.law_view import RETENTION, LawView, Version
from simulation.faults.model import EARLY, UNSAID
from tests.security.privacy.watch import CALLERS
from tests.support.archive import Visitor
from tests.support.stack import ARCHIVE, LANDING, SFTP

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTINGS = {"deliver_to_archive": True, "call_index": "plain", "encrypt": False}
POLICY = {"schema": 1, "rules": [], "classes": {"default": {"delete_after": "30d"}}, "default": {"class": "default"}}
OFFICERS = {
    "grants": [{"group": "officers", "may": ["search", "hold", "erase"], "restricted": True, "sensitive": True}]
}
KARI, OLA = "kari@acme.example", "ola@acme.example"
CALLER, OTHER = f"+{CALLERS[0]}", "+4733445566"
DELETES = ("DeleteObject", "DeleteObjects")


class LawDuty(ArchiveDuty):
    """One attempt at a duty of the law."""

    settings: Mapping[str, Any] = SETTINGS

    def set_up(self) -> None:
        """Put the tenant, which is the only one, so that each attempt makes the same requests."""
        self._view, self._maker = LawView(self._cloud, self._tenant), CallMaker(self._cloud, self._tenant, self._clock)
        self._looking = Lock()
        self._stay: set[Version] = set()
        self._put_cards: list[Card] = []
        self._copies_stay: set[str] = set()
        self._dynamodb = self._cloud.client("dynamodb")
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

    def put(self, name: str, *endings: str, has_card: bool = True, **facts: Any) -> KnownCall:
        """Deliver a call long ago. Its card is written before the next step."""
        known, card = self._maker.put(name, *endings, **facts)
        self._put_cards += [card] if has_card else []
        return known

    def next_step(self) -> None:
        """Write the cards of the calls that were put, and begin the next step."""
        self.write_cards()
        super().next_step()

    def write_cards(self) -> None:
        """Write the cards of the calls that were put, in one request."""
        cards, self._put_cards = self._put_cards, []
        self._maker.write_cards(cards)

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

    def change(self, call: CallName, change: Callable[[Card], Card]) -> None:
        """Change a card."""
        self._maker.write({call: change})

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
        """Return what is left of a call anywhere."""
        return self._view.left_of(call.id, call.key)

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
