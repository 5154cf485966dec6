"""The duty towards the audit trail: lock_audit."""

from __future__ import annotations

from simulation.faults.duty import Duty, notification_of
from simulation.faults.model import LOST
from tests.support.stack import AUDIT


class Lock(Duty):
    """Each object in the audit bucket is locked for the required time."""

    name = "lock audit"

    def story(self) -> None:
        """Announce two objects."""
        self._written = {key: self._cloud.put_audit(key) for key in (f"{self._tenant}/1.gz", f"{self._tenant}/2.gz")}
        bodies = [notification_of(AUDIT, key, versionId=version) for key, version in self._written.items()]
        self.next_step()
        self.hand_over_bodies("lock_audit", bodies)

    def judge(self) -> None:
        """Expect a lock on both."""
        locks = [self._cloud.lock(*written) for written in self._written.items()]
        self.must_equal(LOST, "locks", locks, [("GOVERNANCE", 2557)] * 2)
