"""The duty of index_calls: each delivered file is on the card of its call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from simulation.faults.duty import Duty
from simulation.faults.model import LOST
from tests.support.stack import ARCHIVE, SFTP

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
