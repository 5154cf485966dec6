"""The duties of index_calls and erase_recordings.

Each delivered file is on the card of its call, and each file that must not be kept is erased.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from simulation.fault_proxy import Seen
from simulation.faults.duty import Duty
from simulation.faults.model import LOST, SILENT, SWAPPED
from tests.support.stack import ARCHIVE, LANDING, SFTP

HOUR = timedelta(hours=1)
CALLS = {"1": ("wav", "xml"), "2": ("mp3",)}
BUCKETS = {"sftp": SFTP, "archive": ARCHIVE}


class Index(Duty):
    """A call's files are on its card, each once, with their states, whatever order the events come in."""

    name = "index"
    disturbed = (1, 2)

    def story(self) -> None:
        """Let the events of two calls come in two batches, some of them twice."""
        self._cloud.put_settings(self._tenant, {"call_index": "blind"})
        now = datetime.now(UTC)
        events = [
            self._delivered("1.wav", now), self._delivered("1.xml", now), self._fetched("1.wav", now + HOUR),
            self._delivered("2.mp3", now),
        ]  # fmt: skip
        for batch in (events[:2], [*events[2:], events[0], events[2]]):
            self.next_step()
            self.hand_over_bodies("index", batch)

    def judge(self) -> None:
        """Compare with what the events say."""
        places = {
            call: [(where, f"{call}.{kind}") for where in BUCKETS for kind in kinds] for call, kinds in CALLS.items()
        }
        wanted = {call: {place: place == ("sftp", "1.wav") for place in of_call} for call, of_call in places.items()}
        items = self._cloud.items("calls", self._tenant, "id").values()
        self.must_equal(LOST, "cards", {item["name"]: self._files(item) for item in items}, wanted)
        for item in items:
            numbers = sorted(file["n"] for file in json.loads(item["files"]))
            self.must_equal(LOST, "numbers of files", numbers, list(range(len(numbers))))

    def _files(self, item: Mapping[str, Any]) -> dict[tuple[str, str], bool]:
        """Return whether each file of a card, by destination and name, was fetched."""
        files = json.loads(item["files"])
        return {(file["destination"], file["key"].rpartition("/")[2]): file["fetched"] is not None for file in files}

    def _delivered(self, name: str, time: datetime) -> dict[str, Any]:
        key = f"{self._tenant}/{name}"
        outputs = [
            {"destination": where, "bucket": bucket, "key": key, "size": 4, "sha256": None, "sealed": "none"}
            for where, bucket in BUCKETS.items()
        ]
        return self._event("RecordingDelivered", f"delivery of {name}", time, source=None, outputs=outputs)

    def _fetched(self, name: str, time: datetime) -> dict[str, Any]:
        source = {"bucket": SFTP, "key": f"{self._tenant}/{name}", "etag": None, "size": 4}
        return self._event("FileFetched", f"download of {name}", time, source=source, outputs=None)

    def _event(self, kind: str, identifier: str, time: datetime, **members: Any) -> dict[str, Any]:
        moment = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"detail-type": kind, "detail": {"id": identifier, "time": moment, "tenant": self._tenant, **members}}


class Erase(Duty):
    """A file that the policy forbids to keep is erased after its event, and no other file is."""

    name = "erase"
    disturbed = (1, 3)

    def story(self) -> None:
        """Let the function run twice, then once more for a file whose policy has changed."""
        self._cloud.put_settings(self._tenant, {})
        self._put_policy("never")
        self._land("1.wav", "RecordingDenied")
        self._land("2.wav", "KeyMissing")
        self._ahead += 73 * HOUR
        for _ in range(2):
            self.next_step()
            self._invoke("erase", {})
            self._ahead += HOUR
        self._put_policy("may")
        self._land("3.wav", "RecordingDenied")
        self.next_step()
        self._invoke("erase", {})

    def changed(self, seen: Seen) -> None:
        """Expect the event of each file that is gone."""
        if seen.bucket == LANDING and seen.operation in ("DeleteObject", "DeleteObjects"):
            for event in self._cloud.audit():
                self._look_at_event(event["detail-type"], event["detail"])
            if self._key("1.wav") not in self._cloud.listing(LANDING) and not self.told("RecordingErased"):
                self.complain(LOST, "deleted before the bus had accepted its event")

    def judge(self) -> None:
        """Expect one event, of the file that is gone."""
        left = {key for key in self._cloud.listing(LANDING) if key.startswith(f"{self._tenant}/")}
        if self._key("1.wav") in left:
            self.complain(SILENT, "a file that must not be kept is still there")
        self.must_equal(LOST, "other files", left - {self._key("1.wav")}, {self._key("2.wav"), self._key("3.wav")})
        self.must_be_told(1, "RecordingErased")
        named = [detail["source"]["key"] for detail in self.told("RecordingErased")]
        self.must_equal(SWAPPED, "erased files", named, [self._key("1.wav")])

    def throw_away(self) -> None:
        """Delete the landed files, too, and their notifications."""
        super().throw_away()
        self._cloud.remove([(LANDING, key) for key in self._cloud.listing(LANDING)], [])
        for message in self._cloud.messages(self._cloud.queue_url):
            self._cloud.delete_message(self._cloud.queue_url, message)

    def _key(self, name: str) -> str:
        return f"{self._tenant}/{name}"

    def _land(self, name: str, reason: str) -> None:
        self._cloud.put(LANDING, self._key(name), b"said")
        self._cloud.hold(self._key(name), reason)

    def _put_policy(self, record: str) -> None:
        self._cloud.put_policy(self._tenant, {"schema": 1, "rules": [], "default": {"record": record}})
