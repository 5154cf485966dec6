"""The judge of a storm of the law: what is early, late, or erased in part without a word.

During the storm it looks after each delete in the archive whether everything is there that must be. After it, each call
is there with what keeps it, or gone, whole, with a record or an item of a ledger that says so.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from simulation.fault_proxy import Seen
from simulation.faults.law_calls import KnownCall
from simulation.faults.law_duty import DELETES
from simulation.faults.law_view import LawView, Version, hash_of
from simulation.storm.cloud import StormCloud
from tests.support.stack import ARCHIVE

OVER = ("erased", "at_recipient", "gone")
KINDS = ("early", "late", "unsaid", "doubled", "told")


@dataclass
class LawCall:
    """A call that has landed. `pinned` is by which holds S3 has it: it must stay. `may_erase` is set by an approval."""

    tenant: str
    caller: str
    call: KnownCall
    is_due: bool
    is_locked: bool
    pinned: set[str] = field(default_factory=set)
    may_erase: bool = False

    @property
    def must_stay(self) -> bool:
        """Whether nothing allows it to go."""
        return self.is_locked or bool(self.pinned) or not (self.is_due or self.may_erase)


@dataclass
class LawVerdict:
    """The outcome of all calls, and the complaints by their kinds."""

    calls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    complaints: list[tuple[str, str, str]] = field(default_factory=list)

    def complain(self, kind: str, what: str, seen: str) -> None:
        """Note a complaint."""
        if (complaint := (kind, what, seen)) not in self.complaints:
            self.complaints.append(complaint)

    def count(self, kind: str) -> int:
        """Count the calls, or places, with complaints of a kind."""
        return len({what for of_kind, what, _ in self.complaints if of_kind == kind})


class LawJudge:
    """Judges once."""

    def __init__(self, cloud: StormCloud, tenants: Sequence[str]) -> None:
        self._cloud, self._views = cloud, {tenant: LawView(cloud, tenant) for tenant in tenants}
        self._calls = list[LawCall]()
        self._lock = RLock()
        self._holds: dict[tuple[str, str], str] = {}  # those that S3 has, with their callers
        self._events: dict[str, dict[str, Any]] = {}
        self._requests = set[tuple[str, str]]()
        self.verdict = LawVerdict()

    # ---- during the storm -------------------------------------------------------------------------------------------

    def landed(self, tenant: str, caller: str, call: KnownCall, *, is_due: bool, is_locked: bool) -> None:
        """Note a call that lands now. A hold that is in force has it from the beginning."""
        with self._lock:
            pinned = {name for (of, name), held in self._holds.items() if (of, held) == (tenant, caller)}
            self._calls.append(LawCall(tenant, caller, call, is_due, is_locked, pinned))

    def look_at_holds(self) -> None:
        """Note which holds are held. S3 has their calls that are there now, and keeps them."""
        for tenant, view in self._views.items():
            for name, item in view.law("hold#").items():
                if item["state"] == "held" and (tenant, name) not in self._holds:
                    self._pin(tenant, name, _caller_of(item))

    def may_be_released(self, tenant: str, name: str) -> None:
        """Note that a release is approved now."""
        with self._lock:
            self._holds.pop((tenant, name), None)
            for each in self._calls:
                if each.tenant == tenant:
                    each.pinned.discard(name)

    def may_be_erased(self, tenant: str, request: str) -> None:
        """Note that an erasure is approved now, of the calls in its ledger."""
        listed = {file["call"] for file in self._views[tenant].ledger(request)}
        with self._lock:
            self._requests.add((tenant, request))
            for each in self._calls:
                each.may_erase = each.may_erase or (each.tenant == tenant and each.call.id in listed)

    def changed(self, seen: Seen) -> None:
        """Look whether a delete took what must stay."""
        if seen.operation not in DELETES or seen.bucket != ARCHIVE:
            return
        with self._lock:
            for tenant, view in self._views.items():
                there = view.versions()
                for each in self._calls:
                    if each.tenant == tenant and each.must_stay and not each.call.versions <= there:
                        self.verdict.complain("early", each.call.key, f"it must stay: {_why(each)}")

    def hear(self) -> None:
        """Take the audit events that have come."""
        for event in self._cloud.audit():
            self._events.setdefault(event["detail"]["id"], {"kind": event["detail-type"], **event["detail"]})

    def hold_state(self, tenant: str, name: str) -> str | None:
        """Return the state of a hold."""
        found = self._views[tenant].law("hold#").get(name, {}).get("state")
        return str(found) if found else None

    def unapproved(self) -> list[tuple[str, str]]:
        """Return the requests for erasure that have no approval."""
        return [(tenant, request) for tenant, view in self._views.items()
                for request, item in view.requests().items() if "approved" not in item]  # fmt: skip

    # ---- after the storm --------------------------------------------------------------------------------------------

    def judge(self, held: Collection[tuple[str, str]]) -> LawVerdict:
        """Judge every call. `held` are the tenants and callers of the holds that people have not released."""
        self.look_at_holds()
        for tenant, view in self._views.items():
            recorded, ledgers = self._judge_records(tenant, view), self._judge_ledgers(tenant, view)
            there = view.versions()
            for each in self._calls:
                if each.tenant == tenant:
                    kept = each.is_locked or (tenant, each.caller) in held
                    self._judge_call(view, each, there, kept, ledgers, recorded)
            self._judge_holds(tenant, view, held)
        return self.verdict

    def _judge_call(
        self, view: LawView, each: LawCall, there: set[Version], kept: bool, ledgers: Mapping[str, list[str]],
        recorded: Collection[str],
    ) -> None:  # fmt: skip
        self.verdict.calls += 1
        call, left = each.call, each.call.versions & there
        if left and left != call.versions:
            self.verdict.complain("unsaid", call.key, f"in part: {len(left)} of {len(call.versions)} files are left")
        elif left:
            self.verdict.outcomes["kept"] += 1
            if (each.is_due or each.may_erase) and not kept:
                self.verdict.complain("late", call.key, "nothing keeps it, and it is still there")
        elif call.id in recorded or set(ledgers.get(call.id, [])) & set(OVER):
            self.verdict.outcomes["disposed" if call.id in recorded else "erased"] += 1
            if rest := view.left_of(call.id, call.key):
                self.verdict.complain("late", call.key, f"it is gone, and there is left: {rest}")
        else:
            self.verdict.complain("unsaid", call.key, "it is gone, and neither a record nor a ledger says so")

    def _judge_records(self, tenant: str, view: LawView) -> set[str]:
        """Return the calls in records. Each record has its event, and each call is in one record."""
        laws = [event["law"] for event in self._events.values()
                if (event["kind"], event["tenant"]) == ("RecordingsDisposed", tenant)]  # fmt: skip
        said, lines = {law["object"]: law["sha256"] for law in laws}, Counter[str]()
        for key, (data, of_record) in view.records().items():
            lines.update(line["id"] for line in of_record)
            if said.get(key) != hash_of(data):
                self.verdict.complain("unsaid", key, "no event has this record's hash")
        for call in (call for call, times in lines.items() if times > 1):
            self.verdict.complain("doubled", call, "it is in more than one record")
        return set(lines)

    def _judge_ledgers(self, tenant: str, view: LawView) -> dict[str, list[str]]:
        """Return the states of files in ledgers by call. Ledgers and last certificates are true, and signed."""
        states: dict[str, list[str]] = {}
        known = {each.call.id: each.call for each in self._calls if each.tenant == tenant}
        for of, request in self._requests:
            if of != tenant:
                continue
            ledger = view.ledger(request)
            calls = {file["call"]: known[file["call"]] for file in ledger}
            of_calls = {call: (of_call.versions, of_call.copies) for call, of_call in calls.items()}
            for file in ledger:
                states.setdefault(file["call"], []).append(file["state"])
            certificates = view.certificates(request)
            last = certificates[-1].document["files"] if certificates else []
            for where, files in (("the ledger", ledger), ("the last certificate", last)):
                for untrue in view.untruths(list(files), of_calls):
                    self.verdict.complain("unsaid", f"{tenant}/{request}", f"{where} {untrue}")
            if not all(view.is_signed(certificate) for certificate in certificates):
                self.verdict.complain("unsaid", f"{tenant}/{request}", "a certificate has no signature that fits")
        return states

    def _judge_holds(self, tenant: str, view: LawView, held: Collection[tuple[str, str]]) -> None:
        """Expect S3's bits on what a hold has, and on nothing else."""
        there = view.versions()
        for each in self._calls:
            is_held = (tenant, each.caller) in held
            for version in each.call.versions & there if each.tenant == tenant else ():
                if view.has_hold(version) != is_held:
                    kind = "early" if is_held else "late"
                    self.verdict.complain(kind, version.key, f"S3's legal hold on it is not {is_held}")

    def _pin(self, tenant: str, name: str, caller: str) -> None:
        with self._lock:
            there = self._views[tenant].versions()
            self._holds[tenant, name] = caller
            for each in self._calls:
                if (each.tenant, each.caller) == (tenant, caller) and each.call.versions <= there:
                    each.pinned.add(name)


def _caller_of(item: Mapping[str, Any]) -> str:
    """Return the number in the scope of a hold's item."""
    return str(json.loads(item["scope"])["party"])


def _why(each: LawCall) -> str:
    if each.is_locked:
        return "a lock"
    return f"the holds {sorted(each.pinned)}" if each.pinned else "nothing allows it to go"
