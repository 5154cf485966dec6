"""The duty of lock_recordings: what must be kept is locked as long as its class says."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from callseal.calls.call_name import CallName
from callseal.calls.card_table import CardTable
from callseal.core.audit import timestamp
from callseal.core.clock import now
from simulation.faults.cloud import CALLS
from simulation.faults.duty import Duty
from simulation.faults.model import LOST
from tests.support.stack import ARCHIVE

# The classes of the calls 1 and 2: by its metadata, and the default one from its delivery.
UNTIL = "2036-01-01T00:00:00.000Z"
OUTCOME = {"class": "orders", "lock": "governance", "keep_until": UNTIL, "dispose_on": None}
POLICY = {
    "schema": 1,
    "classes": {"default": {"keep": "1y", "lock": "governance"}},
    "rules": [],
    "default": {"class": "default"},
}
FILES = ("1.wav", "1.xml", "2.wav")


class Keep(Duty):
    """Each file of a call in the archive is locked until its class ends, whatever the order of its events."""

    name = "lock recordings"
    # A version that is gone was disposed of or erased.
    believed = frozenset({("HeadObject", 404), ("PutObjectRetention", 404)})

    def story(self) -> None:
        """Deliver three files without a lock, then let their events come, one of them twice."""
        self._cloud.put_settings(self._tenant, {"deliver_to_archive": True, "call_index": "plain"})
        self._cloud.put_policy(self._tenant, POLICY)
        self._written = {name: self._cloud.put_version(ARCHIVE, f"{self._tenant}/{name}") for name in FILES}
        table = CardTable(self._cloud.client("dynamodb"), CALLS, now)
        table.apply({CallName(self._tenant, "1"): [lambda card: card.with_outcome(OUTCOME)]})
        events = [self._delivered(name) for name in FILES]
        self.next_step()
        self.hand_over_bodies("lock_recordings", [*events, events[0]])

    def judge(self) -> None:
        """Expect the lock of each file."""
        ends = {name: self._cloud.lock_end(ARCHIVE, f"{self._tenant}/{name}", self._written[name]) for name in FILES}
        for name in ("1.wav", "1.xml"):
            self.must_equal(LOST, f"the lock of {name}", ends[name], ("GOVERNANCE", datetime.fromisoformat(UNTIL)))
        mode, until = ends["2.wav"]
        if mode != "GOVERNANCE" or until is None or (until - now()).days < 360:
            self.complain(LOST, f"the lock of a call without metadata: {mode} until {until}")

    def throw_away(self) -> None:
        """Delete the files, too."""
        super().throw_away()
        self._cloud.remove([(ARCHIVE, f"{self._tenant}/{name}") for name in FILES], [])

    def _delivered(self, name: str) -> dict[str, Any]:
        key = f"{self._tenant}/{name}"
        output = {"destination": "archive", "bucket": ARCHIVE, "key": key, "size": 4, "sha256": None,
                  "sealed": "none", "version": self._written[name]}  # fmt: skip
        moment = timestamp(now())
        detail = {"id": f"delivery of {name}", "time": moment, "tenant": self._tenant, "source": None, "law": None,
                  "outputs": [output]}  # fmt: skip
        return {"detail-type": "RecordingDelivered", "detail": detail}
