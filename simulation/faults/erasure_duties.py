"""The duties of erasures: govern_calls, by which two people ask for one, and erase_recordings, which carries it out.

An erasure says what it has done: in the ledger before each delete, in the audit, in the notice and in the certificate.
What stays is listed there with its reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from callseal.calls.call_name import CallName
from callseal.core.audit import timestamp
from callseal.retention.hold import Hold
from callseal.retention.hold_table import HoldTable
from callseal.retention.scope import Scope
from simulation.fault_proxy import Seen
from simulation.faults.cloud import STACK
from simulation.faults.duty import notification_of
from simulation.faults.law_calls import KnownCall
from simulation.faults.law_duty import CALLER, DAY, HOUR, KARI, OLA, OTHER, SETTINGS, LawDuty
from simulation.faults.law_view import RETENTION, Certificate, hash_of
from simulation.faults.model import LATE, LEAKED, LOST, SILENT, TWICE, UNSAID
from simulation.faults.tenants import tenant
from tests.support.archive import Reply
from tests.support.stack import ARCHIVE, AUDIT, LANDING, SFTP

ASKED = {"basis": "GDPR, article 17(1)(b)", "caller": CALLER}
# S3 never reports an object that exists as missing.
BELIEVED = frozenset({("HeadObject", 404), ("DeleteObject", 404), ("DeleteObject", 412)})


class ErasureDuty(LawDuty):
    """The calls of a caller, and a call of another one."""

    believed = BELIEVED
    settings: Mapping[str, Any] = MappingProxyType({**SETTINGS, "encrypt": True})
    request = ""

    def set_up(self) -> None:
        """Put the tenant with a key, and who erases."""
        super().set_up()
        self._cloud.put_key(self._tenant, tenant("cms").public_text)
        self._asks, self._approves = self.officer(KARI), self.officer(OLA)
        self._other = self.put("other", ".wav", caller=OTHER, dispose_on=None)
        self.must_stay(self._other)

    def start(self) -> Reply:
        """Start the erasure. It is acknowledged after its event, and with its ledger."""
        reply = self.persist(lambda: self._asks.post("/api/erasures", ASKED))
        if reply.status == HTTPStatus.CREATED:
            self.request = reply.json["request"]
            if not self._said("requested"):
                self.complain(SILENT, "an erasure is started, and the bus has accepted no event of it")
            if not self._view.ledger(self.request):
                self.complain(UNSAID, "an erasure is started, and its ledger is empty")
        return reply

    def approve(self) -> Reply:
        """Approve the erasure. It is acknowledged after its event."""
        reply = self.persist(lambda: self._approves.post(f"/api/erasures/{self.request}/approve", {}))
        if reply.status == HTTPStatus.ACCEPTED and not self._said("running"):
            self.complain(SILENT, "an erasure is approved, and the bus has accepted no event of it")
        return reply

    def erase(self) -> None:
        """Run the hourly erasure."""
        self._invoke("erase_recordings", {})

    def judge_truth(
        self, files: Iterable[Mapping[str, Any]], where: str, *calls: KnownCall, is_over: bool = True
    ) -> None:
        """Complain of each file whose state, in the ledger or in a certificate, is not the truth."""
        of_calls = {call.id: (call.versions, call.copies) for call in calls}
        for untrue in self._view.untruths(list(files), of_calls, is_over=is_over):
            self.complain(UNSAID, f"{where} {untrue}")

    def _said(self, state: str) -> bool:
        laws = [event["law"] for event in self.accepted("ErasureRequested")]
        return any((law["request"], law["state"]) == (self.request, state) for law in laws)


class RequestErasure(ErasureDuty):
    """An erasure needs two people, is recorded before it is acknowledged, and deletes nothing until then."""

    name = "request an erasure"
    disturbed = (1, 2)

    def story(self) -> None:
        """Start an erasure, and approve it."""
        self.set_up()
        self._call = self.put("a", caller=CALLER, dispose_on=None)
        self.must_stay(self._call)
        self.next_step()
        self.start()
        self.next_step()
        if not self.request:
            self.start()
        self.approve()

    def heal(self) -> None:
        """Ask for the same again, let the wrong person approve, and let it be carried out."""
        before = self.request
        self.start()
        self.must_equal(TWICE, "request", self.request, before or self.request)
        reply = self._asks.post(f"/api/erasures/{self.request}/approve", {})
        if reply.status < HTTPStatus.BAD_REQUEST:
            self.complain(LEAKED, f"the person who started an erasure approves it: {reply.status}")
        self.look_for_what_stays()
        self.approve()
        self.may_go(self._call)
        self.work("erase_recordings", self._cloud.erasure_url)

    def judge(self) -> None:
        """Expect two events, one request that is done, and nothing left."""
        self.must_be_told(2, "ErasureRequested", tenant=self._tenant)
        self.must_equal(LATE, "states", [each["state"] for each in self._view.requests().values()], ["done"])
        if left := self.left_of(self._call):
            self.complain(LATE, f"an erasure is done, and there is left: {left}")
        self.judge_truth(self._view.ledger(self.request), "the ledger", self._call)
        self.must_be_whole(self._other)


class CarryOut(ErasureDuty):
    """Each file goes after its ledger and its event. What a hold or a lock keeps is listed, and goes when that ends."""

    name = "erase on request"
    disturbed = (1, 3, 4)
    # Each of the three calls makes the same requests.
    most_alike = 3

    def story(self) -> None:
        """Carry an erasure out, let the recipient answer, and take up what was left."""
        self.set_up()
        until = self._clock() + 10 * DAY
        self._free = self.put("free", caller=CALLER, dispose_on=None, fetched=True,
                              ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)  # fmt: skip
        self._held = self.put("held", ".wav", caller=CALLER, dispose_on=None)
        self._locked = self.put("locked", ".wav", caller=CALLER, dispose_on=None, copied=False,
                                ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until - 8 * DAY)  # fmt: skip
        self._calls = (self._free, self._held, self._locked)
        self._cloud.put(LANDING, f"{self._free.key}.mp3", b"said in landing")
        for key in self._free.copies:
            row = {"tenant": {"S": self._tenant}, "key": {"S": key}}
            self._dynamodb.put_item(TableName=f"{STACK}-files", Item=row)
        self.write_cards()
        self._hold("placing", on=True)
        self.start()
        self.approve()
        self._stay |= self._held.versions | self._locked.versions
        self.next_step()
        self.work("erase_recordings", self._cloud.erasure_url)
        self.next_step()
        self._erase_until("partly")
        self._judge_rest()
        self.next_step()
        answer = f"{self._tenant}/notices/erasure-{self.request}.done"
        self._cloud.put(SFTP, answer, b"done")
        self.hand_over_bodies("erase_recordings", [notification_of(SFTP, answer)])
        self._hold("released", on=False)
        self.may_go(self._held, self._locked)
        self.pass_by(3 * DAY)
        self.next_step()
        self.erase()

    def heal(self) -> None:
        """Run an hour later."""
        self._erase_until("done")

    def changed(self, seen: Seen) -> None:
        """Expect the ledger and the event of each delete before it, and only certificates that are true."""
        super().changed(seen)
        if not self._step:
            return
        if seen.operation == "DeleteObject" and seen.bucket in (ARCHIVE, SFTP, LANDING):
            self._look_at_delete(seen)
        if seen.operation == "PutObject" and seen.bucket == AUDIT and seen.key.endswith(".json"):
            self._look_at_certificate()

    def judge(self) -> None:
        """Expect that nothing is left of the caller's calls, and that everything is said."""
        for call in self._calls:
            if left := self.left_of(call):
                self.complain(LATE, f"nothing keeps {call.name} any more, and there is left: {left}")
            self.must_equal(LATE, f"end of {call.name}", self.ending(call), "erased")
        request, ledger = self._view.requests()[self.request], self._view.ledger(self.request)
        self.must_equal(LATE, "state of the request", request["state"], "done")
        self.judge_truth(ledger, "the ledger", *self._calls)
        self.must_be_whole(self._other)
        gone = sum(file["state"] in ("erased", "at_recipient") for file in ledger)
        self.must_be_told(gone, "RecordingErased", tenant=self._tenant)
        self.must_be_told(1, "ErasureCompleted", tenant=self._tenant)
        self.must_be_told(1, "RecipientNotified", tenant=self._tenant)
        if not self.told("ErasureRefused"):
            self.complain(UNSAID, "a hold and a lock kept files, and no event says so")
        self._judge_certificates(self._view.certificates(self.request), ledger)
        self._judge_notice()

    def _erase_until(self, state: str) -> None:
        """Run an hour later if the request has another state, which is written last."""
        if self._view.requests()[self.request]["state"] != state:
            self.pass_by(HOUR)
            self.erase()

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _hold(self, state: Any, *, on: bool) -> None:
        """Put a call under a hold as lock_recordings does, or set it free."""
        table, scope = HoldTable(self._dynamodb, RETENTION), Scope(calls=(self._held.id,))
        hold = Hold(self._tenant, "case-1", "A lawsuit", scope, state, KARI, timestamp(self._clock()))
        if on:
            table.create(hold)
        else:
            found = table.find(self._tenant, "case-1")
            assert found
            table.change(found, hold)
        self.change(CallName(self._tenant, "held"), lambda card: card.with_holds(["case-1"] if on else []))
        for version in self._held.versions:
            self._view.set_hold(version, on=on)

    def _judge_rest(self) -> None:
        """Look at the request after an hour: one call is gone, and the others are listed with what keeps them."""
        if left := self.left_of(self._free):
            self.complain(LATE, f"nothing keeps {self._free.name}, and there is left: {left}")
        if copies := self._held.copies & self._view.copies():
            self.complain(LATE, f"the archive has the held file, and its copy is still there: {sorted(copies)}")
        ledger = self._view.ledger(self.request)
        self.judge_truth(ledger, "the ledger", *self._calls)
        states = {file["version"]: file["state"] for file in ledger if file.get("version")}
        kept = [states.get(version.id) for call in (self._held, self._locked) for version in call.versions]
        self.must_equal(UNSAID, "what keeps the rest", kept, ["held", "retained"])
        self.must_equal(UNSAID, "state of the request", self._view.requests()[self.request]["state"], "partly")
        ended = [self.ending(call) for call in (self._held, self._locked)]
        self.must_equal(UNSAID, "ends of calls of which something is left", ended, [None, None])

    def _look_at_delete(self, seen: Seen) -> None:
        if "/notices/" in seen.key:
            return
        (version,) = parse_qs(urlsplit(seen.path).query).get("versionId", [None])
        place = {ARCHIVE: "archive", SFTP: "sftp", LANDING: "landing"}[seen.bucket]
        ledger = [file for file in self._view.ledger(self.request) if file["place"] == place]
        if not [file for file in ledger if version in (None, file.get("version"))]:
            self.complain(UNSAID, f"{seen.key} is deleted in the {place}, and the ledger does not have it")
        keys = [(event["source"] or {}).get("key") for event in self.accepted("RecordingErased")]
        if seen.key not in keys:
            self.complain(UNSAID, f"{seen.key} is deleted in the {place} before its event")

    def _look_at_certificate(self) -> None:
        newest = self._view.certificates(self.request)[-1]
        self.judge_truth(newest.document["files"], "a certificate", *self._calls, is_over=False)

    def _judge_certificates(self, found: list[Certificate], ledger: list[dict[str, Any]]) -> None:
        previous = None
        for certificate in found:
            self.must_equal(UNSAID, "hash of the certificate before", certificate.document["previous"], previous)
            if not self._view.is_signed(certificate):
                self.complain(LOST, "a certificate has no signature that fits")
            previous = hash_of(certificate.data)
        last = found[-1].document["files"] if found else []
        states = sorted((file["place"], file["state"]) for file in last)
        self.must_equal(UNSAID, "last certificate", states, sorted((file["place"], file["state"]) for file in ledger))
        named = [event["law"]["sha256"] for event in self.told("ErasureCompleted")]
        self.must_equal(UNSAID, "certificate of the event", named, [previous])

    def _judge_notice(self) -> None:
        notices = [data for key, data in self._view.notices().items() if not key.endswith(".done")]
        if len(notices) != len(self._view.notices()):
            self.complain(LOST, "the recipient's answer is still there")
        named = [file["name"] for data in notices for file in json.loads(tenant("cms").open(data))["files"]]
        self.must_equal(UNSAID, "files in the notice", named, ["free.wav", "free.xml", "held.wav"])
