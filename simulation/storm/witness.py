"""What is observed of each file during the storm: when it landed, was overwritten or purged, and what leaked."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from threading import RLock
from typing import Literal

from simulation.fault_proxy import WRITES, Seen
from simulation.faults.model import SPOKEN, spoken
from simulation.storm.history import History, routes_asked, span
from simulation.storm.plan import Landing
from tests.support.stack import ARCHIVE, LANDING, SFTP

DESTINATIONS = {SFTP: "sftp", ARCHIVE: "archive"}
SUFFIXES = {".p7m": "cms", ".pgp": "openpgp"}
# Lost, leaked (P), swapped (W), doubled (U), silent, against the policy, T for private data in a log. Of what people
# get: given to a person who may not have it, not recorded, and different from the archive. X is any other fault.
Letter = Literal["L", "P", "W", "U", "S", "A", "T", "G", "N", "D", "X"]


@dataclass(frozen=True)
class Complaint:
    """A broken promise, and the file or place concerned."""

    letter: Letter
    what: str
    seen: str


@dataclass
class Recording:
    """Bytes that landed under a key. The same bytes landed again are the same recording."""

    landing: Landing
    etag: str
    landed: float
    landed_times: int = 1
    overwritten: float | None = None
    purged: float | None = None

    @property
    def data(self) -> bytes:
        """Return the landed bytes."""
        return content_of(self.landing)


def content_of(landing: Landing) -> bytes:
    """Return a file's bytes. All files differ, except those of a few bytes."""
    text = spoken(f"{landing.tenant} in {landing.content}", landing.size)
    return landing.facts.data(text) if landing.facts and landing.is_metadata else text


def landing_key(key: str) -> tuple[str, str]:
    """Return an output's landing key, and the envelope of its suffix (`none` without one)."""
    envelope = SUFFIXES.get(key[-4:], "none")
    return (key if envelope == "none" else key[:-4]), envelope


class Witness:
    """Collects what the storm lands and what the proxy executes."""

    def __init__(self, history: History) -> None:
        self._history, self._lock = history, RLock()
        self.recordings: dict[tuple[str, str], Recording] = {}
        self.by_key: dict[str, list[Recording]] = defaultdict(list)
        # The current content of landing, and the keys for which no decision was made yet.
        self._current: dict[str, str] = {}
        self.pending: set[str] = set()
        # The calls of which metadata has landed.
        self._with_metadata: set[str] = set()
        self._written: dict[tuple[str, str], tuple[str, str]] = {}
        self.complaints: list[Complaint] = []
        self.counts: Counter[str] = Counter()

    def lands(self, landing: Landing, etag: str) -> None:
        """Record a file that is about to land."""
        with self._lock:
            now, before = time.time(), self._current.get(landing.key)
            if before not in (None, etag):
                self.recordings[landing.key, str(before)].overwritten = now
            recording = self.recordings.get((landing.key, etag))
            if recording:
                # From here on, its requested outputs are those of the current settings.
                recording.landed_times, recording.purged = recording.landed_times + 1, None
            else:
                recording = self.recordings[landing.key, etag] = Recording(landing, etag, now)
                self.by_key[landing.key].append(recording)
            self._current[landing.key] = etag
            if landing.is_metadata:
                self._with_metadata.add(landing.call)
            self.pending.add(landing.key)

    def asked(self, seen: Seen) -> None:
        """Inspect what a request would bring to a destination."""
        if seen.bucket in DESTINATIONS and SPOKEN.encode() in seen.body and not self._may_be_plain(seen):
            self._complain("P", seen.key, f"{seen.operation} to {seen.bucket} with plain text")

    def changed(self, seen: Seen, status: int) -> None:
        """Inspect what a request changed."""
        if status not in (200, 204) or seen.service != "s3":
            return
        with self._lock:
            if seen.bucket == LANDING and seen.operation.startswith("DeleteObject"):
                for key, etag in seen.purged.items():
                    self._look_at_purge(key, etag, seen.operation)
            elif seen.bucket == LANDING and seen.operation == "PutObjectTagging":
                self.pending.discard(seen.key)
            elif seen.bucket in DESTINATIONS:
                self._look_at_output(seen)

    def _look_at_purge(self, key: str, etag: str, operation: str) -> None:
        recording, is_current = self.recordings.get((key, etag)), self._current.get(key) == etag
        self._look_at_policy(key, "purged")
        if not recording:
            self._complain("L", key, "purged without a condition, or what never landed")
            return
        # A DeleteObjects that succeeds may still have refused this key.
        if is_current or operation == "DeleteObject":
            recording.purged = time.time()
            self.counts["purges"] += 1
        if is_current:
            del self._current[key]
            self.pending.discard(key)

    def _look_at_output(self, seen: Seen) -> None:
        if seen.operation in WRITES:
            place, this = (seen.bucket, seen.key), (seen.operation, seen.path)
            first = self._written.get(place)
            self._written.setdefault(place, this)
            # Completing an upload twice is harmless: S3 and moto answer the second request like the first.
            if first and (first, seen.operation) != (this, "CompleteMultipartUpload"):
                self._complain("U", seen.key, f"overwritten in {seen.bucket} by {seen.operation}")
            self._look_at_policy(landing_key(seen.key)[0], f"{seen.operation} in {seen.bucket}")
        if seen.operation.startswith("Delete"):
            self._complain("L", seen.key, f"{seen.operation} in {seen.bucket}")
        from_landing = seen.headers.get("x-amz-copy-source", "").lstrip("/").startswith(f"{LANDING}/")
        if from_landing and not self._may_be_plain(seen):
            self._complain("P", seen.key, f"{seen.operation} of the landed bytes to {seen.bucket}")

    def _look_at_policy(self, key: str, what: str) -> None:
        """Check that the policy lets a file leave landing, and that its call's metadata has landed."""
        landing = next((one.landing for one in self.by_key.get(key, ())), None)
        if landing is None or landing.ruling is None:
            return
        if landing.ruling.held:
            self._complain("A", key, f"{what}, although the policy holds it: {landing.ruling.held}")
        elif landing.call not in self._with_metadata:
            self._complain("A", key, f"{what} before the call's metadata had landed")

    def _may_be_plain(self, seen: Seen) -> bool:
        """Return whether any settings asked for plain bytes at this destination while the file was in landing."""
        key, envelope = landing_key(seen.key)
        with self._lock:
            known = list(self.by_key.get(key, ()))
        return envelope == "none" and any(
            ways.get(DESTINATIONS[seen.bucket]) is False
            for one in known
            for ways in routes_asked(
                self._history.settings(one.landing.tenant, *span(one.landed, time.time())), one.landing
            )
        )

    def _complain(self, letter: Letter, what: str, seen: str) -> None:
        with self._lock:
            complaint = Complaint(letter, what, seen)
            if complaint not in self.complaints:
                self.complaints.append(complaint)
