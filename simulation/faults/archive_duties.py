"""The duties of open_recording, draw_waveform, search_calls and sign_in.

Nothing of a recording, and no answer of a search, leaves without an event that the audit bus has accepted before.
"""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus

from simulation.faults.archive_duty import SOUND, ArchiveDuty
from simulation.faults.model import LEAKED, LOST, PARTIAL
from tests.security.privacy.watch import CALLERS
from tests.support.archive import Reply, Visitor

ACCESS = {
    "grants": [
        {"group": "leads", "may": ["search", "play"], "queues": ["sales"]},
        {"group": "officers", "may": ["search", "play", "share", "audit"], "restricted": True},
    ]
}
PLAY = {"action": "play", "file": 0, "reason": "a complaint"}
# A range in the middle of the recording.
FIRST, LAST = 100, 2_099


class Open(ArchiveDuty):
    """A recording is given to those who may play it, whole, and after its event. A refusal is recorded before, too."""

    name = "open recording"
    disturbed = (1, 2, 3, 4)

    def story(self) -> None:
        """Let someone play a recording and see its waveform, and someone else be refused."""
        self._cloud.put_access(self._tenant, ACCESS)
        self._call = self.call("1", queue="support")
        officer, lead = self.person("officers"), self.person("leads")
        self.next_step()
        self.persist(lambda: self._ask(officer))
        self.next_step()
        self.persist(lambda: self._play(officer))
        self.next_step()
        self.persist(lambda: self._see(officer))
        self.next_step()
        self.persist(lambda: self._ask(lead))
        self._people = officer, lead

    def heal(self) -> None:
        """Let both try again, without faults."""
        officer, lead = self._people
        wanted = (HTTPStatus.CREATED, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.OK)
        found = (self._ask(officer).status, self._play(officer).status, self._see(officer).status)
        self.must_equal(LOST, "answers to who may play", found, wanted)
        for refused in (self._ask(lead), self._play(lead), self._see(lead)):
            self.must_refuse(refused, HTTPStatus.FORBIDDEN)

    def judge(self) -> None:
        """Do nothing more: each answer was compared when it came."""

    def _ask(self, person: Visitor) -> Reply:
        reply = person.post(f"/api/calls/{self._call}/access", PLAY)
        if reply.status == HTTPStatus.CREATED:
            access = reply.json["access"]
            self.must_be_recorded("an access was granted", "RecordingPlayed", call=self._call, access=access)
        return self._refused(reply)

    def _play(self, person: Visitor) -> Reply:
        reply = person.get(f"/api/calls/{self._call}/files/0/audio", {"range": f"bytes={FIRST}-{LAST}"})
        if reply.status == HTTPStatus.PARTIAL_CONTENT:
            self.must_be_recorded("bytes were sent", "RecordingPlayed", call=self._call)
            if reply.data != SOUND[FIRST : LAST + 1]:
                self.complain(PARTIAL, "the bytes that were sent are not those of the recording")
        return self._refused(reply)

    def _see(self, person: Visitor) -> Reply:
        reply = person.get(f"/api/calls/{self._call}/files/0/waveform")
        if reply.status == HTTPStatus.OK:
            self.must_be_recorded("a waveform was sent", "RecordingPlayed", call=self._call)
            if not any(reply.json["rows"][0]):
                self.complain(PARTIAL, "the waveform is not of the recording")
        return self._refused(reply)

    def _refused(self, reply: Reply) -> Reply:
        if reply.status == HTTPStatus.FORBIDDEN:
            self.must_be_recorded("a request was refused", "AccessRefused", call=self._call, code=reply.json["error"])
        return reply


class Search(ArchiveDuty):
    """A search finds what the user may find and nothing else, and is recorded before its answer."""

    name = "search calls"
    disturbed = (1, 2, 3)

    def story(self) -> None:
        """Let a team lead search by a number, and look at a call and at one of another queue."""
        self._cloud.put_access(self._tenant, ACCESS)
        other = f"{self._tenant}-other"
        caller = f"+{CALLERS[0]}"
        self._found, self._hidden = (
            self.call("1", queue="sales", caller=caller),
            self.call("2", queue="x", caller=caller),
        )
        self._others = self.call("3", queue="sales", caller=caller, tenant=other)
        self._answered, self._shown = 0, Counter[tuple[str, int]]()
        self._lead = self.person("leads")
        for act in (self._search, lambda: self._show(self._found), lambda: self._show(self._hidden)):
            self.next_step()
            self.persist(act)

    def heal(self) -> None:
        """Search once more, without faults."""
        reply = self._search()
        self.must_equal(LOST, "calls found", [call["id"] for call in reply.json.get("calls", [])], [self._found])
        self.must_equal(LOST, "answer about a call", self._show(self._found).status, HTTPStatus.OK)
        self.must_refuse(self._show(self._hidden), HTTPStatus.FORBIDDEN)
        self.must_refuse(self._show(self._others), HTTPStatus.NOT_FOUND)

    def judge(self) -> None:
        """Do nothing more: each answer was compared when it came."""

    def _search(self) -> Reply:
        reply = self._lead.get("/api/calls", caller=f"+{CALLERS[0]}")
        if reply.status == HTTPStatus.OK:
            self._answered += 1
            self.must_be_recorded("a search was answered", "RecordingsSearched", self._answered, action="search")
            if not {call["id"] for call in reply.json["calls"]} <= {self._found}:
                self.complain(LEAKED, "a search found a call that the user may not find")
        return reply

    def _show(self, call: str) -> Reply:
        reply = self._lead.get(f"/api/calls/{call}")
        self._shown[call, reply.status] += 1
        times = self._shown[call, reply.status]
        if reply.status == HTTPStatus.OK:
            self.must_be_recorded("a card was shown", "RecordingViewed", times, call=call)
            if call != self._found:
                self.complain(LEAKED, "a card was shown that the user may not see")
        elif reply.status == HTTPStatus.FORBIDDEN:
            self.must_be_recorded("a card was refused", "AccessRefused", times, call=call)
        return reply


class Terms(ArchiveDuty):
    """Terms count as accepted only after their event, and a session that has ended opens nothing."""

    name = "terms and logout"
    disturbed = (1, 2, 3)

    def story(self) -> None:
        """Let someone read and accept the terms, and log out."""
        self._cloud.put_access(self._tenant, ACCESS | {"terms": {"version": "1", "text": "Listen with care."}})
        self._kari = self.person("officers")
        self._cookies = dict(self._kari.cookies)
        self.next_step()
        self.persist(self._me)
        self.next_step()
        self.persist(self._accept)
        self._search()
        self.next_step()
        self._logged_out = self.persist(self._log_out)

    def heal(self) -> None:
        """Accept and log out once more, without faults."""
        self._kari = self.person("officers")
        self._cookies = dict(self._kari.cookies)
        wanted = (HTTPStatus.NO_CONTENT, HTTPStatus.OK, HTTPStatus.NO_CONTENT)
        found = (self._accept().status, self._search().status, self._log_out().status)
        self.must_equal(LOST, "answers to acceptance, search and logout", found, wanted)

    def judge(self) -> None:
        """Do nothing more: each answer was compared when it came."""

    def _me(self) -> Reply:
        reply = self._kari.get("/api/me")
        if reply.status == HTTPStatus.OK and reply.json["terms"]["accepted"]:
            self.must_be_recorded("the terms count as accepted", "TermsAccepted", text="1")
        return reply

    def _accept(self) -> Reply:
        reply = self._kari.post("/api/me/terms", {"version": "1"})
        if reply.status == HTTPStatus.NO_CONTENT:
            self.must_be_recorded("the terms count as accepted", "TermsAccepted", text="1")
            if self._search().status == HTTPStatus.FORBIDDEN:
                self.complain(LOST, "the terms were accepted, and the search does not know it")
        return reply

    def _search(self) -> Reply:
        reply = self._kari.get("/api/calls")
        if reply.status == HTTPStatus.OK:
            self.must_be_recorded("a search was answered", "TermsAccepted", text="1")
        return reply

    def _log_out(self) -> Reply:
        reply = self._kari.post("/auth/logout")
        if reply.status == HTTPStatus.NO_CONTENT:
            self._kari.cookies = dict(self._cookies)  # a copy of the cookie that was deleted
            if self._search().status == HTTPStatus.OK:
                self.complain(LEAKED, "a session that has ended still opens the archive")
        return reply
