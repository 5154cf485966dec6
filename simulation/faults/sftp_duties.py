"""The duties at the SFTP front: track_files, watch_files, authenticate_sftp and audit_sftp."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from simulation.faults.duty import Duty
from simulation.faults.model import LOST, ROOT, SILENT, SWAPPED, TWICE
from tests.support.stack import SFTP

HOUR = timedelta(hours=1)
ATTEMPTS = 3  # of a client that cannot log in
HERE, ELSEWHERE = "192.0.2.7", "198.51.100.7"


class FileDuty(Duty):
    """A file that is not fetched, and a file that is."""

    def events(self) -> list[dict[str, Any]]:
        """Return the audit events of both files, with some duplicates."""
        now = datetime.now(UTC)
        events = [self._delivered("1.wav", now), self._delivered("2.wav", now), self._fetched("2.wav", now + HOUR)]
        return [*events, events[0], events[2]]

    def states(self) -> dict[str, tuple[str, str]]:
        """Return each file's state and delivery."""
        items = self._cloud.items("files", self._tenant, "key")
        return {key.rpartition("/")[2]: (one.get("state"), one.get("delivery")) for key, one in items.items()}

    def _delivered(self, name: str, time: datetime) -> dict[str, Any]:
        key = f"{self._tenant}/{name}"
        output = {"destination": "sftp", "bucket": SFTP, "key": key, "size": 4, "sha256": None, "sealed": "none"}
        return self._event("RecordingDelivered", f"delivery of {name}", time, source=None, outputs=[output])

    def _fetched(self, name: str, time: datetime) -> dict[str, Any]:
        source = {"bucket": SFTP, "key": f"{self._tenant}/{name}", "etag": None, "size": 4}
        return self._event("FileFetched", f"download of {name}", time, source=source, outputs=None)

    def _event(self, kind: str, identifier: str, time: datetime, **members: Any) -> dict[str, Any]:
        moment = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"detail-type": kind, "detail": {"id": identifier, "time": moment, "tenant": self._tenant, **members}}


class Track(FileDuty):
    """The state of each file follows from the events."""

    name = "track"
    disturbed = (1, 2)

    def story(self) -> None:
        """Deliver the events in two batches."""
        events = self.events()
        for batch in (events[:2], events[2:]):
            self.next_step()
            self.hand_over_bodies("track", batch)

    def judge(self) -> None:
        """Compare the states with the events."""
        wanted = {"1.wav": ("delivered", "delivery of 1.wav"), "2.wav": ("fetched", "delivery of 2.wav")}
        self.must_equal(LOST, "files", self.states(), wanted)


class Watch(FileDuty):
    """A file that is not fetched is announced a day before it expires and when it expires, once each."""

    name = "watch"
    disturbed = (2, 4)
    most_alike = 2  # of 16 shards

    def story(self) -> None:
        """Let time pass, and run the function at each point."""
        self.next_step()
        self.hand_over_bodies("track", self.events())
        items = self._cloud.items("files", self._tenant, "key")
        end = datetime.fromisoformat(items[f"{self._tenant}/1.wav"]["expires"])
        for moment in (end - timedelta(hours=23), end + timedelta(minutes=1)):
            self._ahead = moment - datetime.now(UTC)
            self.next_step()
            self._invoke("watch", {})
            self._ahead += HOUR
            self.next_step()
            self._invoke("watch", {})

    def judge(self) -> None:
        """Expect one announcement of each kind, for the unfetched file only."""
        for kind in ("FileUnfetched", "FileExpired"):
            self.must_be_told(1, kind)
            named = [detail["source"]["key"] for detail in self.told(kind)]
            self.must_equal(SWAPPED, kind, named, [f"{self._tenant}/1.wav"])
        wanted = {"1.wav": ("expired", "delivery of 1.wav"), "2.wav": ("fetched", "delivery of 2.wav")}
        self.must_equal(TWICE, "files", self.states(), wanted)


class Login(Duty):
    """Under any fault, a session opens only with the tenant's own key, and each refusal is counted."""

    name = "login"
    disturbed = (1, 2, 3, 4, 5)

    def story(self) -> None:
        """Log in for the first time and again, then from elsewhere and as an unknown user; then count."""
        self._refused = 0
        self._cloud.put_settings(self._tenant, {"sftp_source_addresses": [f"{HERE}/32"]})
        self._cloud.put_secret(self._tenant, "sftp-keys", public_line("own"))
        self._cloud.put_secret(f"{self._tenant}-other", "sftp-keys", public_line("other"))
        self._cloud.messages(self._cloud.notices_url)
        for username, address in [(self._tenant, HERE)] * 2 + [(self._tenant, ELSEWHERE), ("nobody", HERE)]:
            self.next_step()
            self._log_in(username, address)
        self.next_step()
        self._count()

    def heal(self) -> None:
        """Log in once more, as clients do."""
        if not self._log_in(self._tenant, HERE):
            self.complain(LOST, "the tenant's own key does not open a session any more")
        for username, address in ((self._tenant, ELSEWHERE), ("nobody", HERE)):
            if self._log_in(username, address) != {}:
                self.complain(SILENT, "a login that is to be refused got no answer")
        self._count()

    def judge(self) -> None:
        """Expect each answered refusal to be counted, and each notice to be counted once."""
        counted = sum(detail["session"]["attempts"] for detail in self.told("SftpLoginRefused"))
        self.must_equal(TWICE, "refusals in events", counted, self._sent)
        if counted < self._refused:
            self.complain(SILENT, f"{self._refused} logins were refused, and {counted} are in events")
        reasons = {(detail["tenant"], detail["reason"]) for detail in self.told("SftpLoginRefused")}
        allowed = {(self._tenant, "SourceNotAllowed"), (None, "TenantUnknown")}
        if not allowed <= reasons <= allowed | {(self._tenant, "TenantNotSetUp")}:
            self.complain(SILENT, f"refused for {reasons}")

    _sent = 0

    def _log_in(self, username: str, address: str) -> dict[str, Any] | None:
        event = {"username": username, "password": "", "protocol": "SFTP", "serverId": "s-1", "sourceIp": address}
        answer: dict[str, Any] | None = None
        for _ in range(ATTEMPTS):
            self._ahead += timedelta(minutes=1)
            answer = self._invoke("authenticate", event)
            if answer is not None:
                self._look_at_answer(answer, may_open=(username, address) == (self._tenant, HERE))
                break
        return answer

    def _look_at_answer(self, answer: dict[str, Any], *, may_open: bool) -> None:
        if answer == {}:
            self._refused += 1
            return
        home = json.loads(answer["HomeDirectoryDetails"])
        opened = (answer["PublicKeys"], home)
        wanted = ([public_line("own")], [{"Entry": "/", "Target": f"/{SFTP}/{self._tenant}"}])
        if not may_open or opened != wanted:
            self.complain(SWAPPED, f"a session is opened for {opened}")

    def _count(self) -> None:
        notices = self._cloud.messages(self._cloud.notices_url)
        self._sent += len(notices)
        if notices:
            self.hand_over_messages("audit", notices)


class LoginAudit(Duty):
    """Each relevant line of the SFTP server's log becomes an audit event, once."""

    name = "login audit"

    def story(self) -> None:
        """Deliver some lines from CloudWatch Logs."""
        self._cloud.messages(self._cloud.notices_url)
        self.next_step()
        self._done = self.invoke_async("audit", self._lines())

    def heal(self) -> None:
        """Deliver again what failed every time, and count the refusals."""
        if self._done is None:
            self.invoke_async("audit", self._lines())
        self.hand_over_messages("audit", self._cloud.messages(self._cloud.notices_url))

    def judge(self) -> None:
        """Expect two events and a refusal."""
        self.must_be_told(1, "SftpLogin")
        self.must_be_told(1, "SftpOperationRefused")
        if not self.told("SftpLoginRefused"):
            self.complain(SILENT, "a refused login is not in the audit")

    @staticmethod
    def _lines() -> dict[str, Any]:
        return dict(json.loads((ROOT / "events/sftp-server-log.json").read_text()))


@cache
def public_line(_whose: str) -> str:
    """Make an SSH key and return its public line."""
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
