"""The judge of erasures: what the certificates say of each file must be true, for every place where a file can be."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from simulation.year import buckets
from simulation.year.buckets import Version
from simulation.year.dates import DAY
from simulation.year.findings import LATE, OTHER, UNSAID, Findings
from simulation.year.model import Call, Model, Request
from simulation.year.world import World
from tests.support.stack import AUDIT, LANDING, SFTP, STACK

# The states of a file that is still where it was.
LEFT = ("pending", "held", "retained", "failed")
STRAY = ".mp3"


class ErasureJudge:
    """Looks at one request at a time. A request that is over and was right is not looked at again."""

    def __init__(self, world: World, findings: Findings) -> None:
        self._world, self._findings = world, findings
        self._over = set[str]()
        self._certificates: dict[str, list[str]] = {}
        self.states = Counter[str]()

    def look(self, request: Request, model: Model, at: datetime, stored: Mapping[str, Version], sftp: set[str]) -> None:
        """Judge a request after a run of erase_recordings."""
        self._look_at_answer(request, at)
        if request.approved is None or request.id in self._over:
            return
        found = self._certified(request, at)
        if found is None:
            self._find(UNSAID, at, f"{request.tenant} {request.id} was approved, and has no certificate")
            return
        files = [file | {"at": at} for file in found["files"]]
        landing, left = buckets.keys(LANDING), 0
        for call in request.calls:
            of_call = [file for file in files if file["call"] == call.id]
            here = [id_ for id_ in call.versions if id_ in stored]
            self._look_at_archive(request, model, call, of_call, stored)
            copies = [key for key in sftp if key.startswith(f"{call.tenant}/{call.name}.")]
            strays = [key for key in landing if key == f"{call.tenant}/{call.name}{STRAY}"]
            self._look_at_copies(request, model, call, at, of_call, {"sftp": copies, "landing": strays})
            self._look_at_card(request, call, at, is_left=bool(here or copies or strays))
            left += bool(here or copies or strays)
        self._look_at_request(request, at, files, is_left=bool(left))
        if not left:
            self.states.update(file["state"] for file in files)
            self._over.add(request.id)

    def _look_at_archive(
        self, request: Request, model: Model, call: Call, files: list[dict[str, Any]], stored: Mapping[str, Version]
    ) -> None:
        listed = {file["version"]: file for file in files if file["place"] == "archive"}
        for id_ in call.versions:
            file, version = listed.get(id_), stored.get(id_)
            at = self._world.clock()
            name = f"{request.tenant} {request.id}: {call.name} {id_[:8]}"
            if file is None:
                self._find(UNSAID, at, f"{name} is in no certificate")
                continue
            if (version is not None) != (file["state"] in LEFT):
                self._find(UNSAID, at, f"{name} is {'there' if version else 'gone'}, and certified as {file['state']}")
            elif version and file["state"] == "held" and not model.holds_of(call, at):
                self._find(UNSAID, at, f"{name} is certified as held, and is under no hold")
            elif version and file["state"] == "retained" and not _is_retained(file, version):
                self._find(UNSAID, at, f"{name} is certified as retained until {file['until']}, and {version}")

    def _look_at_copies(
        self, request: Request, model: Model, call: Call, at: datetime, files: list[dict[str, Any]],
        places: Mapping[str, list[str]],
    ) -> None:  # fmt: skip
        """Judge the copy in the SFTP bucket, which goes at once, and a file in landing, which a hold keeps."""
        for place, keys in places.items():
            left = sum(file["place"] == place and file["state"] in LEFT for file in files)
            if left != len(keys):
                where = f"{len(keys)} files of {call.name} are in {place}"
                self._find(UNSAID, at, f"{request.tenant} {request.id}: {where}, and {left} are certified as left")
            may_stay = place == "landing" and model.holds_of(call, at)
            freed = [hold.freed for hold in model.holds if hold.freed and hold.covers(call)]
            since = max([request.approved or at, *(freed if place == "landing" else ())])
            if keys and not may_stay and at - since > DAY:
                self._find(LATE, at, f"{request.tenant} {request.id}: {keys} in {place} since {since:%Y-%m-%d %H:%M}")

    def _look_at_card(self, request: Request, call: Call, at: datetime, *, is_left: bool) -> None:
        card = next(each for each in buckets.items(f"{STACK}-calls") if each["id"] == call.id)
        name = f"{request.tenant} {request.id}: the card of {call.name}"
        if is_left and not card.get("erasure_pending"):
            self._find(OTHER, at, f"{name} does not wait for the erasure")
        traces = [f"the {member}" for member in ("facts", "party", "files", "outcome") if member in card]
        for table, member in (("archive-waveforms", "place"), ("files", "key")):
            begin = f"{call.id}#" if member == "place" else f"{call.tenant}/{call.name}."
            rows = [each for each in buckets.items(f"{STACK}-{table}") if each[member].startswith(begin)]
            traces += [f"a row of {table}"] * len(rows)
        if not is_left and (traces or card.get("gone") not in ("erased", "disposed")):
            self._find(UNSAID, at, f"{name} is {card.get('gone')}, and there is {', '.join(traces) or 'nothing else'}")

    def _look_at_request(self, request: Request, at: datetime, files: list[dict[str, Any]], *, is_left: bool) -> None:
        """Judge the ledger, which must say what the certificate says, and the state of the request."""
        begin = f"erasure#{request.id}"
        of_request = {each["id"]: each["state"] for each in buckets.items(f"{STACK}-retention")
                      if each["tenant"] == request.tenant and each["id"].startswith(begin)}  # fmt: skip
        state = of_request.pop(begin)
        if Counter(of_request.values()) != Counter(file["state"] for file in files):
            self._find(UNSAID, at, f"{request.tenant} {request.id}: the ledger does not say what the certificate says")
        completed = [detail for kind, detail in self._world.events
                     if kind == "ErasureCompleted" and detail["law"]["request"] == request.id]  # fmt: skip
        if is_left == (state == "done") or is_left == bool(completed):
            what = f"{state} with {len(completed)} events of its end"
            left = "something" if is_left else "nothing"
            self._find(UNSAID, at, f"{request.tenant} {request.id} is {what}, and {left} is left")

    def _look_at_answer(self, request: Request, at: datetime) -> None:
        """Judge what became of the recipient's answer: an event, and no file."""
        told = {detail["law"]["request"] for kind, detail in self._world.events if kind == "RecipientNotified"}
        is_there = f"{request.tenant}/notices/erasure-{request.id}.done" in buckets.keys(SFTP)
        if request.answered and (request.id not in told or is_there):
            self._find(OTHER, at, f"{request.tenant} {request.id}: the recipient's answer was not taken")

    def _certified(self, request: Request, at: datetime) -> dict[str, Any] | None:
        """Return the last certificate of a request, after its chain and the signatures of the new ones were checked."""
        folder = f"erasures/{request.tenant}/{request.id}/"
        names = sorted(key for key in buckets.keys(AUDIT) if key.startswith(folder) and key.endswith(".json"))
        before = self._certificates.setdefault(request.id, [])
        for name in names[len(before) :]:
            data = buckets.data(AUDIT, name)
            document = json.loads(data)
            if document["previous"] != (before[-1] if before else None):
                self._find(UNSAID, at, f"{name} does not follow the certificate before it")
            pem = buckets.data(SFTP, f"{request.tenant}/proof/keys/{document['key']}.pem")
            key = load_pem_public_key(pem)
            assert isinstance(key, EllipticCurvePublicKey)
            key.verify(buckets.data(AUDIT, f"{name}.sig"), data, ECDSA(SHA256()))
            before.append(sha256(data).hexdigest())
        return json.loads(buckets.data(AUDIT, names[-1])) if names else None

    def _find(self, kind: str, at: datetime, sentence: str) -> None:
        self._findings.add(kind, at, sentence)


def _is_retained(file: Mapping[str, Any], version: Version) -> bool:
    return version.mode == "COMPLIANCE" and version.until == datetime.fromisoformat(file["until"]) > file["at"]
