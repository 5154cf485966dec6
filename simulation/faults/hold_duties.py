"""The duties of holds: govern_calls, by which people ask for them, and lock_recordings, which carries them out.

From the acknowledgement of a hold to the approval of its release nothing of its calls goes, and S3 knows it.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from callseal.calls.call_name import CallName
from simulation.fault_proxy import Seen
from simulation.faults.law_calls import KnownCall
from simulation.faults.law_duty import CALLER, HOUR, KARI, OLA, OTHER, LawDuty
from simulation.faults.model import EARLY, LATE, LEAKED, LOST, SILENT, UNSAID
from tests.support.archive import Reply
from tests.support.stack import ARCHIVE

CASE = {"name": "case-1", "reason": "A complaint", "caller": CALLER, "future": True}


class HoldDuty(LawDuty):
    """Two calls of a caller, of which one is due, and a call of another caller."""

    # A version that is gone was disposed of or erased.
    believed = frozenset({("PutObjectLegalHold", 404), ("HeadObject", 404)})

    def set_up(self) -> None:
        """Put the calls and the people."""
        super().set_up()
        self._first, self._second = self.put("1", caller=CALLER), self.put("2", ".wav", caller=CALLER, dispose_on=None)
        self._other = self.put("other", ".wav", caller=OTHER)
        self._asks, self._approves = self.officer(KARI), self.officer(OLA)

    def create(self) -> Reply:
        """Ask for the hold, until it is acknowledged. From then on its calls stay."""
        reply = self.persist(lambda: self._asks.post("/api/holds", CASE))
        if reply.status == HTTPStatus.ACCEPTED:
            self.must_stay(self._first, self._second)
        return reply

    def work_on_holds(self) -> None:
        """Let lock_recordings take its messages."""
        self.work("lock_recordings", self._cloud.lock_url)

    def hold(self, name: str = CASE["name"]) -> dict[str, Any]:
        """Return a hold's item."""
        return self._view.law("hold#").get(name, {})

    def must_have_bits(self, held: bool, *calls: KnownCall) -> None:
        """Complain unless S3 has the legal hold on all files of these calls, or on none."""
        there = self._view.versions()
        for version in [version for call in calls for version in call.versions if version in there]:
            if self._view.has_hold(version) != held:
                self.complain(EARLY if held else LATE, f"the legal hold on {version.key} is not {held}")

    def judge_cards(self, **holds: list[str]) -> None:
        """Compare the holds of the calls, by their names, with their cards and with the lists of the holds."""
        cards = self._view.cards()
        ids = {name: CallName(self._tenant, name).id for name in holds}
        found = {name: json.loads(cards.get(call, {}).get("holds", "[]")) for name, call in ids.items()}
        self.must_equal(UNSAID, "holds of cards", found, holds)
        listed = {f"{each}#{ids[name]}" for name, of in holds.items() for each in of}
        self.must_equal(UNSAID, "calls of holds", set(self._view.law("held#")), listed)


class PlaceHold(HoldDuty):
    """A hold stops the disposal from its acknowledgement on, and is `held` only when S3 has all of it."""

    name = "place a hold"
    disturbed = (1, 3, 4)

    def story(self) -> None:
        """Place it, dispose of what is due, carry it out, and deliver a call of its scope."""
        self.set_up()
        self.next_step()
        self.create()
        self.next_step()
        if not self.hold():
            self.create()
        self._must_be_asked()
        self.dispose()
        self.next_step()
        self.work_on_holds()
        self.next_step()
        self._future = self.put("3", ".wav", caller=CALLER, dispose_on=None)
        self.write_cards()
        self.hand_over_bodies("lock_recordings", self._maker.delivered(self._future))

    def heal(self) -> None:
        """Ask once more for what was not acknowledged, and carry it out."""
        if self.hold().get("state") != "held":
            self.create()
            self.work_on_holds()
        self.must_stay(self._future)
        self.pass_by(HOUR)
        self.dispose()

    def changed(self, seen: Seen) -> None:
        """Expect that S3 has all of a hold before it is `held`."""
        super().changed(seen)
        if self.hold_is_written(seen, "held"):
            self.must_have_bits(True, self._first, self._second)

    def judge(self) -> None:
        """Expect one hold on three calls, one event, and that nothing else is held."""
        self.must_equal(LOST, "state of the hold", self.hold().get("state"), "held")
        self.must_have_bits(True, self._first, self._second, self._future)
        self.judge_cards(**{"1": ["case-1"], "2": ["case-1"], "3": ["case-1"]})
        self.must_be_whole(self._first, self._second, self._future)
        if left := self.left_of(self._other):
            self.complain(LATE, f"a call that is due, and under no hold, is still there: {left}")
        self.must_be_told(1, "HoldPlaced", tenant=self._tenant)
        counts = [event["law"]["counts"]["gone"] for event in self.told("HoldPlaced")]
        self.must_equal(UNSAID, "calls that were gone before the hold", counts, [0])

    def _must_be_asked(self) -> None:
        if not self.hold():
            self.complain(LOST, "a hold is asked for without faults, and it is not stored")
        self.must_stay(self._first, self._second)


class ReleaseHold(HoldDuty):
    """A hold is released by two people, and sets free what no other hold is on."""

    name = "release a hold"
    disturbed = (1, 3, 4)

    def story(self) -> None:
        """Place two holds, of which one call is under both. Release one, which the person who asks may not approve."""
        self.set_up()
        self.write_cards()
        self.create()
        self._asks.post("/api/holds", {"name": "case-2", "reason": "A lawsuit", "calls": [self._second.id]})
        self.work_on_holds()
        self.next_step()
        self._ask()
        self.next_step()
        if (reply := self._asks.post("/api/holds/case-1/approve", {})).status < HTTPStatus.BAD_REQUEST:
            self.complain(LEAKED, f"the person who asked for a release approves it: {reply.status}")
        self.next_step()
        self._approve()
        self.next_step()
        self.work_on_holds()

    def heal(self) -> None:
        """Ask, approve and carry out once more, and dispose of what is free."""
        if self.hold().get("state") == "held":
            self._ask()
        if self.hold().get("state") in ("release_asked", "releasing"):
            self._approve()
        self.work_on_holds()
        self.may_go(self._first)
        self.pass_by(HOUR)
        self.dispose()

    def changed(self, seen: Seen) -> None:
        """Expect that S3 sets nothing free before the approval and its event, or that another hold keeps."""
        super().changed(seen)
        if seen.operation == "PutObjectLegalHold" and seen.bucket == ARCHIVE and b"OFF" in seen.body and self._step:
            self.must_have_bits(True, self._second)
            if not self.accepted("HoldReleased") or self.hold().get("approved_by") != OLA:
                self.complain(EARLY, "a call is free before the approval of a second person and its event")

    def judge(self) -> None:
        """Expect that the first call is free and gone, and the second one still held."""
        self.must_equal(LATE, "state of the hold", self.hold().get("state"), "released")
        self.must_have_bits(True, self._second)
        self.judge_cards(**{"1": [], "2": ["case-2"], "other": []})
        self.must_be_whole(self._second)
        if left := self.left_of(self._first):
            self.complain(LATE, f"a call is free and due, and there is left: {left}")
        self.must_be_told(1, "HoldReleaseAsked", tenant=self._tenant)
        self.must_be_told(1, "HoldReleased", tenant=self._tenant)

    def _ask(self) -> None:
        self.persist(lambda: self._asks.post("/api/holds/case-1/release", {}))

    def _approve(self) -> None:
        reply = self.persist(lambda: self._approves.post("/api/holds/case-1/approve", {}))
        if reply.status == HTTPStatus.ACCEPTED and self.hold().get("asked_by") != KARI:
            self.complain(SILENT, "a release is approved for which nobody has asked")
