"""The model of what may be observed from outside, checked after every request that changes anything and at the end.

It shares no code with the functions: it opens envelopes with its own readers. The scenario states what the outputs, the
tags and the audit events must be.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

from jsonschema import Draft202012Validator

from simulation.fault_proxy import FOREIGN_WORDS, Seen
from simulation.faults.call_metadata import PARTY
from simulation.faults.cloud import BUCKETS, CALLS, STACK, SWEEPS, Cloud, Stored
from simulation.faults.scenario import CALLER, Scenario
from simulation.faults.tenants import Tenant, tenant
from tests.support.stack import ARCHIVE, LANDING, SFTP

ROOT = Path(__file__).resolve().parents[2]
OUTPUT_BUCKETS = {"sftp": SFTP, "archive": ARCHIVE}
# Part of every line that lands here. Wherever it appears in the clear, the recording has leaked.
SPOKEN = "what was said by"
# The promises in README.md, broken. A file that leaves landing against its policy has a number of its own, and so have
# the promises of the law: kept too long, deleted too early, and erased in part without a word.
LOST, LEAKED, SWAPPED, PARTIAL, TWICE, SILENT, TOLD, AGAINST, LATE, EARLY, UNSAID = range(1, 12)
# The reasons to hold a file that a rule of the policy causes.
BY_POLICY = ("RecordingDenied", "ConsentMissing")
HARMLESS = ("Get", "Head", "List", "BatchGet", "ChangeMessageVisibility")

Place = tuple[str, str]


@dataclass(frozen=True)
class Broken:
    """A broken promise, and what was observed."""

    promise: int
    seen: str


@dataclass(frozen=True)
class Landed:
    """What landed, and its tenant."""

    tenant: str
    key: str
    data: bytes
    etag: str

    @property
    def source(self) -> dict[str, Any]:
        """Return the source as audit events name it."""
        return {"bucket": LANDING, "key": self.key, "etag": self.etag, "size": len(self.data)}


def spoken(tenant_name: str, size: int) -> bytes:
    """Return a recording whose lines are all different."""
    lines = (f"{SPOKEN} {tenant_name}, line {number:07d}\n".encode() for number in range(size // 20))
    return b"".join(lines)[:size]


class Model:
    """What was observed of a file in one attempt. `broken` collects broken promises.

    `companion` is the model of another file of the same call. It gets what belongs to that file.
    """

    def __init__(self, cloud: Cloud, scenario: Scenario, landed: Landed, companion: Model | None = None) -> None:
        self._cloud, self._scenario, self.landed = cloud, scenario, landed
        self.files = [companion, self] if companion else [self]
        self._owner = tenant(scenario.envelope)
        self._others = [tenant("cms", "other"), tenant("openpgp", "other")]
        self._lock = RLock()
        self.key_version: str | None = None
        self.broken: list[Broken] = companion.broken if companion else []
        # Whether the policy lets the file leave landing at this moment.
        self.is_allowed = scenario.ends == "delivered" and scenario.later_policy is None
        # The objects in all buckets at the end, and the uploads that were neither completed nor aborted.
        self.left: dict[Place, str] = {}
        self.unfinished: list[tuple[str, str, str]] = []
        self._uploads_begun, self._uploads_known = False, set[str]()
        self._expected: dict[Place, bool] = {
            self._place(destination, sealed): sealed for destination, sealed in scenario.outputs.items()
        }
        self._there: dict[Place, Stored] = {}
        self._events: dict[str, dict[str, Any]] = {}
        self._ids: dict[tuple[str, str | None], set[str]] = defaultdict(set)
        self._ids_by_cause: dict[tuple[str | None, ...], set[str]] = defaultdict(set)
        self._untold = False

    def put_stranger(self, destination: str) -> None:
        """Put an unrelated object where an output is to go."""
        place = self._place(destination, self._scenario.outputs[destination])
        self._cloud.put(*place, b"a stranger")
        self._there[place] = self._must_read(place)

    def another_commits(self) -> None:
        """Commit a plain output as another worker with other settings does. An event must name that output, too."""
        assert self._scenario.also_at
        with self._lock:
            place = self._place(self._scenario.also_at, sealed=False)
            metadata = {"callseal-source-etag": self.landed.etag, "callseal-sealed": "none"}
            self._cloud.put(*place, self.landed.data, metadata)
            self._look_at_audit()  # of earlier requests
            self._expected[place] = False
            self._look_at_object(place)
            self._events, self._untold = {}, True

    def asked(self, seen: Seen) -> None:
        """Inspect a request before it is executed: what it names, and what it would bring to a destination."""
        with self._lock:
            try:
                self._whose(_named_by(seen))._look_at_request(seen)
            except Exception as exc:
                self._complain(0, f"the model failed at {seen.operation}: {exc!r}")

    def changed(self, seen: Seen) -> None:
        """Inspect what a request changed after it was executed."""
        with self._lock:
            try:
                self._whose(_named_by(seen))._look_at_change(seen)
            except Exception as exc:
                self._complain(0, f"the model failed after {seen.operation}: {exc!r}")

    def settled(self) -> bool:
        """Return whether the recording, and its metadata, have reached their final states."""
        return all(file._is_settled() for file in self.files)

    def _is_settled(self) -> bool:
        if self._scenario.ends == "held":
            tags = self._cloud.tags(self.landed.key)
            return (tags.get("callseal-state"), tags.get("callseal-reason")) == ("held", self._scenario.reasons[-1])
        return self.landed.key not in self._cloud.listing(LANDING)

    def end(self, log: str, killed: bool) -> None:
        """Check everything again at the end."""
        with self._lock:
            self._look_at_audit()
            self.left = {(bucket, key): etag for bucket in BUCKETS for key, etag in self._cloud.listing(bucket).items()}
            for file in self.files:
                file._look_at_end({place: etag for place, etag in self.left.items() if self._whose(place[1]) is file})
                file._look_for_secrets("the log", log)
            self._look_at_uploads(killed)

    def _look_at_end(self, left: Mapping[Place, str]) -> None:
        self._look_at_landing_at_the_end([key for bucket, key in left if bucket == LANDING])
        for place in {place for place in left if place[0] != LANDING} | set(self._there):
            if place not in self._there or self._there[place].etag != left.get(place):
                self._look_at_object(place)

    def _whose(self, key: str) -> Model:
        """Return the model of the file with a landing key or an output's key. Unknown keys are this file's."""
        return next((file for file in self.files if key.removesuffix(file._owner.suffix) == file.landed.key), self)

    # ---- requests ---------------------------------------------------------------------------------------------------

    def _look_at_request(self, seen: Seen) -> None:
        if seen.service == "s3":
            self._look_at_s3_request(seen)
        elif seen.operation in ("GetSecretValue", "DescribeSecret", "GetParameters"):
            own = f"{STACK}/tenants/{self.landed.tenant}/"
            for name in seen.members.get("Names") or [str(seen.members.get("SecretId"))]:
                if not name.lstrip("/").startswith(own):
                    self._complain(SWAPPED, f"{seen.operation} of {name}")
        elif seen.service == "dynamodb" and CALLS in seen.body.decode():
            self._look_at_card(seen)
        elif seen.operation == "SendMessage":
            record = json.loads(seen.members["MessageBody"])["Records"][0]["s3"]
            announced = record["bucket"]["name"], unquote_plus(record["object"]["key"]), record["object"]["eTag"]
            if announced != (LANDING, self.landed.key, self.landed.etag):
                self._complain(SWAPPED, f"put on a queue: {announced}")
        elif not _is_known(seen):
            self._complain(0, f"the model does not know {seen.service} {seen.operation}")

    def _look_at_s3_request(self, seen: Seen) -> None:
        self._uploads_known.update(parse_qs(urlsplit(seen.path).query).get("uploadId", []))
        # The SDK itself asks for a bucket's region after S3 answers 400.
        place, no_object = (seen.bucket, seen.key), seen.operation in ("ListObjectsV2", "HeadBucket", "DeleteObjects")
        own = place in self._expected or place == (LANDING, self.landed.key) or self._is_look_for_another_form(seen)
        if not no_object and not own:
            self._complain(self._promise_of(seen.bucket), f"{seen.operation} at {place}")
        if SPOKEN.encode() in seen.body and (self._expected.get(place, True) or seen.bucket == LANDING):
            self._complain(LEAKED, f"{seen.operation} at {place} with plain text")
        if strange := seen.purged.keys() - {self.landed.key}:
            self._complain(SWAPPED, f"{seen.operation} of {strange}")
        if seen.bucket == LANDING and not seen.operation.startswith((*HARMLESS, "PutObjectTagging", "DeleteObject")):
            self._complain(LOST, f"{seen.operation} in the landing bucket")
        if seen.bucket != LANDING and seen.operation.startswith(("Delete", "PutObjectTagging")):
            self._complain(LOST, f"{seen.operation} at {place}")

    def _look_at_card(self, seen: Seen) -> None:
        """Check that a request for cards is for this tenant's, and that no blind card names the outside party."""
        tenants = set(re.findall(r'"tenant": ?\{"S": ?"([^"]*)"', seen.body.decode()))
        if strange := tenants - {self.landed.tenant}:
            self._complain(SWAPPED, f"{seen.operation} of cards of {strange}")
        if (self._scenario.settings or {}).get("call_index") == "blind" and PARTY in seen.body.decode():
            self._complain(TOLD, f"{seen.operation} writes the outside party's number to a blind card")

    def _is_look_for_another_form(self, seen: Seen) -> bool:
        """Return whether the request only checks if this file exists in another form.

        Other settings, or another key, would produce that form.
        """
        forms = {self.landed.key + suffix for suffix in ("", ".p7m", ".pgp")}
        return seen.operation == "HeadObject" and seen.bucket in OUTPUT_BUCKETS.values() and seen.key in forms

    def _look_at_change(self, seen: Seen) -> None:
        self._uploads_begun |= seen.operation == "CreateMultipartUpload"
        if seen.operation == "PutEvents":
            self._look_at_audit()  # moto passes an event to the audit queue before it answers
        elif seen.operation in ("PutObject", "CopyObject", "CompleteMultipartUpload"):
            self._look_at_object((seen.bucket, seen.key))
        elif seen.operation in ("DeleteObject", "DeleteObjects") and seen.bucket == LANDING:
            self._look_at_purge()
        elif seen.operation == "PutObjectTagging" and seen.bucket == LANDING:
            self._look_at_tags()

    # ---- outputs ----------------------------------------------------------------------------------------------------

    def _look_at_object(self, place: Place) -> None:
        stored, before = self._cloud.read(*place), self._there.get(place)
        if before:
            if stored != before:
                self._complain(TWICE, f"what stood at {place} is {'another' if stored else 'gone'} now")
            return
        if stored is None:
            return
        self._there[place] = stored
        self._look_at_policy(f"an object at {place}")
        if place not in self._expected:
            self._complain(self._promise_of(place[0], stored), f"an object at {place}")
        elif self._expected[place]:
            self._look_at_sealed(place, stored)
        elif stored.data != self.landed.data:
            self._complain(PARTIAL, f"{len(stored.data)} bytes at {place}, {len(self.landed.data)} landed")
        self._look_at_metadata(place, stored)

    def _look_at_uploads(self, killed: bool) -> None:
        """Check for leftover uploads.

        After a kill, or after S3's answer with an upload's id got lost, only the lifecycle rule can abort an upload.
        """
        self.unfinished = self._cloud.unfinished_uploads() if self._uploads_begun else []
        if left := [upload for upload in self.unfinished if upload[2] in self._uploads_known and not killed]:
            self._complain(PARTIAL, f"unfinished uploads are left: {left}")

    def _look_at_sealed(self, place: Place, stored: Stored) -> None:
        if SPOKEN.encode() in stored.data:
            self._complain(LEAKED, f"plain text at {place}")
        if any(opened_by(other, stored.data) is not None for other in self._others):
            self._complain(SWAPPED, f"another tenant can open {place}")
        opened = opened_by(self._owner, stored.data)
        if opened is None:
            self._complain(PARTIAL, f"its tenant cannot open {place}")
        elif opened != self.landed.data:
            self._complain(PARTIAL, f"{len(opened)} bytes in {place}, {len(self.landed.data)} landed")
        elif (count := self._owner.count(stored.data)) != 1:
            self._complain(SWAPPED, f"{place} is sealed to {count} recipients")

    def _look_at_metadata(self, place: Place, stored: Stored) -> None:
        sealed = self._expected.get(place)
        wanted = {"callseal-source-etag": self.landed.etag, "callseal-sealed": "none"}
        if sealed:
            wanted |= {"callseal-sealed": self._owner.envelope, "callseal-recipients": self._owner.fingerprint}
            wanted |= {"callseal-subkeys": self._owner.subkey} if self._owner.subkey else {}
        if dict(stored.metadata) != wanted:
            self._complain(SWAPPED if sealed else TWICE, f"metadata of {place}: {dict(stored.metadata)}")

    # ---- policy -----------------------------------------------------------------------------------------------------

    def _look_at_policy(self, what: str) -> None:
        """Check that a file of a call may leave landing: its policy allows it, and its metadata is on the card."""
        if not self._scenario.metadata:
            return
        if not self.is_allowed:
            self._complain(AGAINST, f"{what}, which the policy forbids")
        elif not any("metadata" in card for card in self._cloud.cards(self.landed.tenant)):
            self._complain(AGAINST, f"{what} before the metadata is on the card")

    # ---- landing ----------------------------------------------------------------------------------------------------

    def _look_at_purge(self) -> None:
        if self._cloud.read(LANDING, self.landed.key):
            return
        self._look_at_policy("purged")
        if missing := set(self._expected) - set(self._there):
            self._complain(LOST, f"purged before {sorted(missing)} was there")
        if not self._told("RecordingDelivered"):
            self._complain(LOST, "purged before the bus had taken its event")
        if self._scenario.ends == "held":
            self._complain(LOST, "purged, and it was to be held")

    def _look_at_tags(self) -> None:
        tags = self._cloud.tags(self.landed.key)
        reason = tags.get("callseal-reason")
        if tags.get("callseal-state") != "held":
            return
        if reason not in self._reasons:
            self._complain(SILENT, f"held for {reason}")
        if not self._told("RecordingHeld", reason):
            self._complain(SILENT, f"tagged as held for {reason} before the bus had taken its event")

    @property
    def _reasons(self) -> tuple[str, ...]:
        """The reasons for which the file may be held.

        A fault can delay a call's metadata, or can make S3 refuse all reads of an invocation.
        """
        return self._scenario.reasons + (("MetadataAwaited", "SourceUnreadable") if self._scenario.metadata else ())

    def _look_at_landing_at_the_end(self, rest: list[str]) -> None:
        if self._scenario.ends == "delivered":
            if rest:
                self._complain(SILENT, f"neither delivered nor held: {self._cloud.tags(self.landed.key)}")
            if missing := set(self._expected) - set(self._there):
                self._complain(SILENT if rest else LOST, f"never delivered: {sorted(missing)}")
            if not self._told("RecordingDelivered") or self._untold:
                self._complain(SILENT, "no RecordingDelivered event, or none of all that stands")
            return
        stored = self._cloud.read(LANDING, self.landed.key)
        if rest != [self.landed.key] or stored is None or stored.data != self.landed.data:
            self._complain(LOST, f"in the landing bucket: {rest}")
        tags, reason = self._cloud.tags(self.landed.key), self._scenario.reasons[-1]
        if (tags.get("callseal-state"), tags.get("callseal-reason")) != ("held", reason):
            self._complain(SILENT, f"to be held for {reason}, but tagged {tags}")
        if not self._told("RecordingHeld", reason):
            self._complain(SILENT, f"no RecordingHeld event for {reason}")

    # ---- audit ------------------------------------------------------------------------------------------------------

    def _look_at_audit(self) -> None:
        for event in self._cloud.audit():
            file = self._whose(event["detail"]["source"]["key"])
            file._look_at_event(event["detail-type"], event["detail"])

    def _look_at_event(self, kind: str, detail: dict[str, Any]) -> None:
        self._look_for_secrets(f"a {kind} event", json.dumps(detail, ensure_ascii=False), keys=False)
        if errors := [error.message for error in schema().iter_errors(detail)]:
            self._complain(SILENT, f"a {kind} event does not follow its schema: {errors}")
        if (detail["tenant"], detail["source"]) != (self.landed.tenant, self.landed.source):
            self._complain(SWAPPED, f"a {kind} event of {detail['tenant']}, {detail['source']}")
        self._look_at_repeats(kind, detail)
        self._look_at_rule(kind, detail)
        if kind == "MetadataUnreadable" and self._scenario.extension == "xml" and self._is_unreadable:
            return
        if kind == "RecordingDelivered" and self._scenario.ends == "delivered":
            self._look_at_delivered(detail)
        elif kind in ("RecordingHeld", "RecordingReleased") and detail["reason"] in self._reasons:
            self._look_at_outputs(kind, detail["outputs"] or [])
        else:
            self._complain(SILENT, f"an event that is not true: {kind} {detail['reason']}")

    @property
    def _is_unreadable(self) -> bool:
        return self._scenario.metadata is not None and self._scenario.metadata.unreadable

    def _look_at_rule(self, kind: str, detail: dict[str, Any]) -> None:
        """Check the rule that an event names: that of the delivery, or of the hold by the policy."""
        by_policy = kind == "RecordingHeld" and detail["reason"] in BY_POLICY
        named = (detail["policy"] or {}).get("rule")
        wanted = None
        if self._scenario.policy and (by_policy or kind == "RecordingDelivered"):
            wanted = self._scenario.rules[0 if by_policy else -1]
        if named != wanted:
            self._complain(AGAINST, f"a {kind} event names the rule {named}, and not {wanted}")

    def _look_at_repeats(self, kind: str, detail: dict[str, Any]) -> None:
        content = {name: value for name, value in detail.items() if name != "time"} | {"kind": kind}
        if (first := self._events.setdefault(detail["id"], content)) != content:
            differing = sorted(name for name in content if first[name] != content[name])
            self._complain(TWICE, f"a {kind} event, repeated, says something else of {differing}")
        self._ids[kind, detail["reason"]].add(detail["id"])
        # A recording that waits for its metadata is held for another cause when the metadata turns out unreadable.
        cause = detail["message"] if detail["reason"] == "MetadataAwaited" else None
        ids = self._ids_by_cause[kind, detail["reason"], cause]
        ids.add(detail["id"])
        if len(ids) > 1:
            self._complain(TWICE, f"a {kind} event has another id when repeated")

    def _look_at_delivered(self, detail: dict[str, Any]) -> None:
        self._look_at_outputs("RecordingDelivered", detail["outputs"])
        named = {(output["bucket"], output["key"]) for output in detail["outputs"]}
        if named != set(self._expected):
            self._complain(LOST, f"delivered to {sorted(named)}, says the event")
        self._untold = False
        sealed = any(self._expected.values())
        recipients = [(one["fingerprint"], one["subkey"], one["kind"]) for one in detail["recipients"] or []]
        if recipients != ([(self._owner.fingerprint, self._owner.subkey, self._owner.kind)] if sealed else []):
            self._complain(SWAPPED, f"sealed to {recipients}, says the event")
        if detail["key_version"] != (self.key_version if sealed else None):
            self._complain(SWAPPED, f"sealed by version {detail['key_version']}, says the event")

    def _look_at_outputs(self, kind: str, outputs: list[dict[str, Any]]) -> None:
        for output in outputs:
            place = output["bucket"], output["key"]
            stored = self._there.get(place)
            if stored is None:
                self._complain(LOST, f"a {kind} event names {place}, where nothing is")
                continue
            sealed = self._expected.get(place)
            truth = {
                "destination": next(name for name, bucket in OUTPUT_BUCKETS.items() if bucket == place[0]),
                "bucket": place[0],
                "key": place[1],
                "size": len(stored.data),
                "sha256": sha256(stored.data).hexdigest() if sealed else None,
                "sealed": self._owner.envelope if sealed else "none",
                "version": stored.version,
            }
            if output != truth:
                self._complain(SILENT, f"a {kind} event says {output} of what is {truth}")

    def _told(self, kind: str, reason: str | None = None) -> bool:
        return bool(self._ids.get((kind, reason)))

    # ---- forbidden content ------------------------------------------------------------------------------------------

    def _look_for_secrets(self, where: str, text: str, *, keys: bool = True) -> None:
        secrets = {
            "what was said": SPOKEN,
            "the plain text's hash": sha256(self.landed.data).hexdigest(),
            "a private key": "PRIVATE KEY",
            "some of a private key": self._owner.private_text.splitlines()[3],
            "words of AWS": FOREIGN_WORDS,
        } | ({"a caller's number": CALLER} if keys else {})
        for what, secret in secrets.items():
            if secret in text:
                self._complain(TOLD, f"{where} has {what}")

    def _promise_of(self, bucket: str, stored: Stored | None = None) -> int:
        """Return the promise that an unexpected object at a known place breaks."""
        if stored and self._scenario.metadata:
            return AGAINST
        to_be_sealed = any(sealed for (one, _), sealed in self._expected.items() if one == bucket)
        return LEAKED if stored and to_be_sealed and SPOKEN.encode() in stored.data else SWAPPED

    def _place(self, destination: str, sealed: bool) -> Place:
        return OUTPUT_BUCKETS[destination], self.landed.key + (self._owner.suffix if sealed else "")

    def _must_read(self, place: Place) -> Stored:
        stored = self._cloud.read(*place)
        assert stored
        return stored

    def _complain(self, promise: int, seen: str) -> None:
        broken = Broken(promise, seen)
        if broken not in self.broken:
            self.broken.append(broken)


@cache
def schema() -> Any:
    return Draft202012Validator(json.loads((ROOT / "schemas/audit-event.schema.json").read_text()))


def opened_by(owner: Tenant, sealed: bytes) -> bytes | None:
    try:
        return owner.open(sealed)
    except Exception:
        return None


def _named_by(seen: Seen) -> str:
    """Return the key of the object that a request names, or "" if it names none."""
    if seen.operation == "SendMessage":
        return unquote_plus(json.loads(seen.members["MessageBody"])["Records"][0]["s3"]["object"]["key"])
    return next(iter(seen.purged), seen.key)


def _is_known(seen: Seen) -> bool:
    """Return whether a function may make this request for any object."""
    of_the_sweep = seen.operation == "PutItem" and seen.members["TableName"] == SWEEPS
    asks_for_a_check = seen.service == "lambda" and f"/{STACK}-check-keys/" in seen.path
    return (
        of_the_sweep
        or asks_for_a_check
        or seen.operation in ("PutEvents", "GenerateMac")
        or seen.operation.startswith(HARMLESS)
    )
