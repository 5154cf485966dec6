"""The duties of share_recording and serve_share.

A recording reaches a recipient only by a share that was recorded, with a code that opens once, until it is cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from simulation.fault_proxy import Seen
from simulation.faults.archive_duties import ACCESS
from simulation.faults.archive_duty import SOUND, ArchiveDuty
from simulation.faults.model import LEAKED, LOST, PARTIAL, SILENT, TWICE
from tests.support import shares
from tests.support.archive import Reply, Visitor
from tests.support.shares import Recipient

# A share sends three codes an hour.
AN_HOUR = timedelta(minutes=61)
FIRST, LAST = 100, 2_099


class ShareDuty(ArchiveDuty):
    """A share, its recipient, and what the mails say."""

    _opened: set[str]

    def set_up(self) -> None:
        """Put a call into the archive, and sign in who shares it."""
        self._cloud.put_access(self._tenant, ACCESS)
        self._call = self.call("1")
        self._kari = self.person("officers")

    def create(self) -> Reply:
        """Share the recording."""
        reply = shares.share(self._kari, self._call)
        if reply.status == HTTPStatus.CREATED:
            share = reply.json["share"]["id"]
            self.must_be_recorded("a share was created", "ShareCreated", share=share)
            if share not in dict(self.links()):
                self.complain(LOST, "a share was created, and its link was not sent")
        return reply

    def links(self) -> Iterator[tuple[str, str]]:
        """Yield the ids and secrets of the links that were mailed."""
        for text in self._cloud.mails():
            if shares.LINK.search(text):
                yield shares.link(text)

    def recipients(self) -> list[Recipient]:
        """Return a recipient for each link, each with a browser of its own."""
        return [Recipient(Visitor(self.gateways()), share, secret) for share, secret in dict(self.links()).items()]

    def ask(self, recipient: Recipient) -> str:
        """Ask for a code until it comes. Return it, or a wrong one if none came."""
        reply = self.persist(recipient.ask)
        codes = [shares.code(text) for text in self._cloud.mails() if not shares.LINK.search(text)]
        if reply.status == HTTPStatus.OK:
            self.must_be_recorded("a code was sent", "ShareCodeSent", share=recipient.id)
            if not codes:
                self.complain(LOST, "the answer says that a code was sent, and there is none")
        return codes[-1] if codes else "00000000"

    def open(self, recipient: Recipient, code: str) -> Reply:
        """Try a code."""
        reply = recipient.open(code)
        if reply.status == HTTPStatus.OK:
            self.must_be_recorded("a share was opened", "ShareOpened", share=recipient.id)
            if code in self._opened:
                self.complain(TWICE, "a code opened a share twice")
            self._opened.add(code)
        return reply

    def play(self, recipient: Recipient) -> Reply:
        """Ask for a range of the recording."""
        reply = recipient.audio(f"bytes={FIRST}-{LAST}")
        if reply.status == HTTPStatus.PARTIAL_CONTENT:
            self.must_be_recorded("bytes were sent", "ShareOpened", share=recipient.id)
            self.must_be_recorded("bytes were sent", "SharePlayed", share=recipient.id)
            if reply.data != SOUND[FIRST : LAST + 1]:
                self.complain(PARTIAL, "the bytes that were sent are not those of the recording")
        return reply

    def changed(self, seen: Seen) -> None:
        """Expect the event of each mail before it is sent."""
        if seen.operation == "SendEmail":
            text = seen.members["Content"]["Simple"]["Body"]["Text"]["Data"]
            kind = "ShareCreated" if shares.LINK.search(text) else "ShareCodeSent"
            if not self.recorded(kind):
                self.complain(SILENT, f"a mail was sent before the bus had accepted its {kind} event")

    def judge(self) -> None:
        """Do nothing more: each answer was compared when it came."""


class Share(ShareDuty):
    """A share is recorded before its mail, and a cancelled share gives no byte."""

    name = "share recording"
    disturbed = (1, 2, 5)

    def story(self) -> None:
        """Share a recording, let its recipient open it, and cancel every share."""
        self._opened = set()
        self.set_up()
        self.next_step()
        self.persist(self.create)
        self.next_step()
        self.persist(lambda: self._kari.get("/api/shares"))
        self.next_step()
        self._recipients = self.recipients()
        for recipient in self._recipients:
            self.open(recipient, self.ask(recipient))
        self.next_step()
        self._played = [self.play(recipient).status for recipient in self._recipients]
        self.next_step()
        for recipient in self._recipients:
            self.persist(lambda recipient=recipient: self._cancel(recipient))  # type: ignore[misc]

    def heal(self) -> None:
        """Share, open and cancel once more, without faults."""
        self.create()
        recipient = self.recipients()[-1]
        found: tuple[Any, ...] = (self.open(recipient, self.ask(recipient)).status, self.play(recipient).status)
        self.must_equal(LOST, "answers to a recipient", found, (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT))
        for each in self.recipients():
            self.must_equal(LOST, "answer to a cancellation", self._cancel(each).status, HTTPStatus.NO_CONTENT)

    def _cancel(self, recipient: Recipient) -> Reply:
        reply = self._kari.delete(f"/api/shares/{recipient.id}")
        if reply.status == HTTPStatus.NO_CONTENT:
            self.must_be_recorded("a share was cancelled", "ShareCancelled", share=recipient.id)
            for answer in (recipient.audio(), recipient.ask()):
                if answer.status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                    self.complain(LEAKED, f"a cancelled share answers {answer.status}")
        return reply


class Shared(ShareDuty):
    """A code opens a share once, in one browser, and each byte comes after the events of opening and playing."""

    name = "serve share"
    disturbed = (1, 2, 3)

    def story(self) -> None:
        """Let a recipient ask for a code, open the share with it, try it again, and listen."""
        self._opened = set()
        self.set_up()
        self.create()
        (self._recipient,) = self.recipients()
        self.next_step()
        code = self.ask(self._recipient)
        self.next_step()
        self.persist(lambda: self.open(self._recipient, code))
        self.persist(lambda: self.open(self._recipient, code))
        self.next_step()
        self.persist(lambda: self.play(self._recipient))

    def heal(self) -> None:
        """Open it anew, and let someone else try the code, without faults."""
        self._ahead += AN_HOUR
        stranger = Recipient(Visitor(self.gateways()), self._recipient.id, self._recipient.secret)
        code = self.ask(self._recipient)
        self.must_refuse(stranger.open(code), HTTPStatus.FORBIDDEN)
        self.must_refuse(stranger.audio(), HTTPStatus.NOT_FOUND)
        found = (self.open(self._recipient, code).status, self.play(self._recipient).status)
        self.must_equal(LOST, "answers to the recipient", found, (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT))
        self.open(self._recipient, code)
