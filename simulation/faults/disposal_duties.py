"""The duties of dispose_recordings and reconcile_archive.

A call goes at the end of its class, whole and with a record, and not before. Holds, locks and the 3 days of a new
policy keep it.
"""

from __future__ import annotations

from collections import Counter

from callseal.calls.call_name import CallName
from callseal.core.audit import timestamp
from callseal.retention.hold import Hold
from callseal.retention.hold_table import HoldTable
from callseal.retention.scope import Scope
from simulation.fault_proxy import Seen
from simulation.faults.law_calls import LATER
from simulation.faults.law_duty import DAY, DELETES, HOUR, LawDuty
from simulation.faults.law_view import RETENTION, hash_of
from simulation.faults.model import LATE, LOST, SILENT, TWICE, UNSAID
from tests.support.stack import ARCHIVE

# S3 never reports an object that exists as missing.
BELIEVED = frozenset({("GetObject", 404), ("HeadObject", 404)})
SHORT = {"schema": 1, "rules": [], "classes": {"default": {"delete_after": "60d"}}, "default": {"class": "default"}}
LONG = {"schema": 1, "rules": [], "classes": {"default": {"delete_after": "9y"}}, "default": {"class": "default"}}


class DisposalDuty(LawDuty):
    """Calls that are disposed of, and their records."""

    believed = BELIEVED

    def judge_disposed(self, *names: str) -> None:
        """Expect that these calls are gone, each in one record that its event names."""
        for name in names:
            call = CallName(self._tenant, name).id
            if found := [each for each in self._view.cards().get(call, {}) if each in ("facts", "files", "outcome")]:
                self.complain(LATE, f"{name} is due, and its card still has {found}")
        records, events = self._view.records(), self.told("RecordingsDisposed", tenant=self._tenant)
        said = {event["law"]["object"]: event["law"]["sha256"] for event in events}
        self.must_equal(SILENT, "records", {key: hash_of(data) for key, (data, _) in records.items()}, said)
        lines = Counter(line["id"] for _, of_record in records.values() for line in of_record)
        wanted = Counter(CallName(self._tenant, name).id for name in names)
        if missing := wanted - lines:
            self.complain(UNSAID, f"{missing.total()} calls are gone, and no record has them")
        if more := lines - wanted:
            self.complain(TWICE, f"{more.total()} lines of records more than calls that are gone")
        counted = sum(item["calls"] for item in self._view.law("disposed#").values())
        self.must_equal(TWICE, "calls counted by day", counted, len(names))
        for key in records:
            if not self._view.is_locked(key):
                self.complain(LOST, "a record of a disposal has no lock")


class Dispose(DisposalDuty):
    """What is due goes, but for what is under a hold or a lock, also one of which the card knows nothing yet."""

    name = "dispose"

    def story(self) -> None:
        """Run once, while a hold is placed directly before the delete."""
        self.set_up()
        self._due = self.put("due")
        self._scoped, self._raced = self.put("scoped", ".wav"), self.put("raced")
        self._later = self.put("later", ".wav", dispose_on=LATER, ended=self._clock())
        until = self._clock() + 2 * DAY
        self._locked = self.put("locked", ".wav", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)
        self.must_stay(self._scoped, self._raced, self._later, self._locked)
        self._place("scoped", self._scoped.id)
        self._is_raced = False
        self.next_step()
        self.dispose()

    def asked(self, seen: Seen) -> None:
        """Put a call under a hold, as lock_recordings does, when the function is about to delete it."""
        if self._step and seen.operation in DELETES and seen.bucket == ARCHIVE and not self._is_raced:
            self._is_raced = True
            self._place("raced", self._raced.id)
            self.change(CallName(self._tenant, "raced"), lambda card: card.with_holds(["raced"]))
            for version in self._raced.versions:
                self._view.set_hold(version, on=True)

    def heal(self) -> None:
        """Run an hour later, and again after the lock has ended."""
        self.pass_by(HOUR)
        self.dispose()
        if left := self.left_of(self._due):
            self.complain(LATE, f"a call that is due is still there: {left}")
        self.may_go(self._locked)
        self.pass_by(3 * DAY)
        self.dispose()

    def judge(self) -> None:
        """Expect that two calls are gone and recorded, and that the others are whole."""
        self.must_be_whole(self._scoped, self._raced, self._later)
        for call in (self._due, self._locked):
            if left := self.left_of(call):
                self.complain(LATE, f"{call.name} is due, and there is left: {left}")
        self.judge_disposed("due", "locked")
        if self._view.law("run"):
            self.complain(LOST, "a run still has the tenant, after all runs have ended")

    def _place(self, name: str, call: str) -> None:
        hold = Hold(self._tenant, name, "a case", Scope(calls=(call,)), "placing", "kari", timestamp(self._clock()))
        HoldTable(self._dynamodb, RETENTION).create(hold)


class Shorten(DisposalDuty):
    """A class that became shorter deletes nothing for 3 days, and then what is over."""

    name = "dispose, shorter class"
    disturbed = (2, 3)

    def story(self) -> None:
        """Make the class shorter after a first run, and run again then, and 3 days later."""
        self.set_up()
        self._cloud.put_policy(self._tenant, LONG)
        self._old = self.put("old", dispose_on=LATER)
        self.must_stay(self._old)
        self.next_step()
        self.dispose()
        self._cloud.put_policy(self._tenant, SHORT)
        self.pass_by(HOUR)
        self.next_step()
        self.dispose()
        self.pass_by(3 * DAY - HOUR)
        self._invoke("dispose_recordings", {})
        self.look_for_what_stays()
        self.may_go(self._old)
        self.pass_by(2 * HOUR)
        self.next_step()
        self.dispose()

    def heal(self) -> None:
        """Run on. A version that no run could note before is noted now, and followed 3 days later."""
        for time in (HOUR, 3 * DAY + HOUR):
            self.pass_by(time)
            self.dispose()

    def judge(self) -> None:
        """Expect that the call is gone and recorded."""
        if left := self.left_of(self._old):
            self.complain(LATE, f"the class is shorter for days, and there is left: {left}")
        self.judge_disposed("old")


class Reconcile(LawDuty):
    """The comparison reports each finding of an archive, and verifies one that has none."""

    name = "reconcile archive"
    believed = BELIEVED
    is_right = True

    def story(self) -> None:
        """Compare."""
        self.set_up()
        self._calls = [self.put("1", dispose_on=LATER), self.put("2", ".wav", dispose_on=None)]
        if not self.is_right:
            self._calls += [self.put("lost", ".wav", has_card=False), self.put("kept", ".wav")]
        self.must_stay(*self._calls)
        self._counts: dict[str, int] = {}
        self.pass_by(4 * HOUR)
        self.next_step()
        self._compare()

    def heal(self) -> None:
        """Compare until all is compared."""
        self.pass_by(HOUR)
        self._compare()

    def judge(self) -> None:
        """Expect the findings, and the event only if there is none."""
        found = {name: self._counts.get(name) for name in ("FileWithoutCard", "CardWithoutFile", "KeptTooLong", "left")}
        wrong = int(not self.is_right)
        wanted = {"FileWithoutCard": wrong, "CardWithoutFile": 0, "KeptTooLong": wrong, "left": 0}
        self.must_equal(SILENT, "findings", found, wanted)
        events = self.told("RetentionVerified", tenant=self._tenant)
        if bool(events) != self.is_right:
            self.complain(SILENT, f"{len(events)} RetentionVerified events, and {wrong} findings of each kind")
        self.look_for_what_stays()

    def _compare(self) -> None:
        answer = self._invoke("reconcile_archive", {"detail-type": "Scheduled Event"})
        self._counts = answer or self._counts


class ReconcileFindings(Reconcile):
    """A file without a card and a call that is kept too long are found, whatever fails."""

    name = "reconcile archive, findings"
    is_right = False
