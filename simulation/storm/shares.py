"""Shares of a storm: people who share recordings and cancel shares, and the recipients, who have no account."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from threading import RLock
from typing import Any

from simulation.storm.access_judge import FAILED, NOT_FOUND, OK, AccessJudge
from simulation.storm.asking import TRIES, Answer, Asking, Browser
from simulation.storm.people import REASON, File, Person, a_range
from simulation.storm.roles import KnownCall, decide
from tests.support import shares as texts

# A request with this header is answered with the clock so many seconds ahead.
AHEAD = "x-storm-ahead"
# An opening lasts 30 minutes. In the last of them it is not certain.
OPEN_SECONDS = 25 * 60
CODES_AN_HOUR = 3


@dataclass
class Shared:
    """A share with the link that was mailed. `is_uncertain` once it may have ended, and `ended` when it surely had."""

    to: str
    id: str
    secret: str
    call: KnownCall
    file: File
    creator: str
    began: float = field(default_factory=time.monotonic)
    is_uncertain: bool = False
    ended: float | None = None

    def codes(self, sent: float, wanted: set[str]) -> set[str]:
        """Return the codes that a request of this moment may have, if `wanted` are those of an active share."""
        if self.ended is not None and self.ended <= sent:
            return {NOT_FOUND}
        return {*wanted, NOT_FOUND} if self.is_uncertain else wanted


class Mailbox:
    """The mails that were sent, by address. Thread-safe."""

    def __init__(self, letters: Callable[[], Iterable[tuple[str, str]]]) -> None:
        """`letters` returns the address and the text of each new mail."""
        self._letters, self._lock = letters, RLock()
        self._of: dict[str, list[str]] = defaultdict(list)

    def of(self, address: str) -> list[str]:
        """Return the mails to an address, the oldest first."""
        with self._lock:
            for to, text in self._letters():
                self._of[to].append(text)
            return list(self._of[address])


class Desk:
    """Where people share recordings, and cancel shares. Thread-safe."""

    def __init__(self, mailbox: Mailbox) -> None:
        """Take the mails."""
        self._mailbox, self._lock, self._number = mailbox, RLock(), 0
        self.shares: list[Shared] = []

    def share(self, person: Person, call: KnownCall, file: File, reason: str | None = REASON) -> Shared | None:
        """Share a recording, with a new address at each try. Return the share if the person was answered."""
        expected = {decide(person.identity, call, "share") or OK}
        if expected == {OK} and file["sealed"] != "none":
            expected = {"SealedRecording"}
        elif expected == {OK} and person.identity.needs_reason and reason is None:
            expected = {"ReasonRequired"}
        for _ in range(TRIES):
            body = {"call": call.id, "file": file["n"], "to": self._address(person), "days": 1, "language": "en",
                    "reason": reason}  # fmt: skip
            answer = person.ask("a share", lambda body=body: person.browser.post("/api/shares", body), expected)  # type: ignore[misc]
            shared = self._look_at_mails(person, call, file, str(body["to"]), answer)
            if answer.code != FAILED:
                person.look_at_refusal("a share was refused", answer, call=call.id)
                return shared if answer.is_ok else None
        return None

    def cancel(self, person: Person, shared: Shared) -> bool:
        """Cancel a share. Return whether that was acknowledged."""
        is_own = shared.call.tenant == person.identity.tenant and person.identity.may_sometimes("share")
        shared.is_uncertain = shared.is_uncertain or is_own
        path = f"/api/shares/{shared.id}"
        expected = {OK} if is_own else {NOT_FOUND}
        answer = person.persist("a cancellation", lambda: person.browser.delete(path), expected)
        if answer.is_ok and is_own:
            shared.ended = time.monotonic()
            person.recorded("a share was cancelled", "ShareCancelled", share=shared.id)
            person.judge.count("cancellations")
        return answer.is_ok

    def list(self, person: Person) -> None:
        """List the person's shares, which are of the person's tenant."""
        answer = person.persist("the shares", lambda: person.browser.get("/api/shares"), {OK})
        if answer.is_ok:
            for each in answer.reply.json["shares"]:
                call = person.judge.calls.get(each["call"])
                if call is None or call.tenant != person.identity.tenant:
                    person.judge.complain("G", f"{person.name}: {each['id']}", "a share of another tenant")

    def _address(self, person: Person) -> str:
        with self._lock:
            self._number += 1
            return f"{person.name.replace('@', '.')}.{self._number}@lawyers.example"

    def _look_at_mails(
        self, person: Person, call: KnownCall, file: File, to: str, answer: Answer
    ) -> Shared | None:  # fmt: skip
        """Record the share whose link was mailed, even if the answer about it was lost."""
        # A mail may be sent twice.
        links = dict(texts.link(text) for text in self._mailbox.of(to))
        if answer.is_ok:
            person.recorded("a share was created", "ShareCreated", answer.sent, share=answer.reply.json["share"]["id"])
            person.judge.count("shares")
            if not links:
                person.judge.complain("X", f"{person.name}: {to}", "a share was created, and its link was not sent")
        shared = None
        for share, secret in links.items():
            person.recorded("a link was mailed", "ShareCreated", answer.sent, share=share)
            shared = Shared(to, share, secret, call, file, person.name, answer.sent, is_uncertain=not answer.is_ok)
            with self._lock:
                self.shares.append(shared)
        return shared


class Recipient(Asking):
    """The recipient of a share, in one browser. Not thread-safe."""

    def __init__(self, shared: Shared, browser: Browser, judge: AccessJudge, mailbox: Mailbox, random: Random) -> None:
        """Take the share and a browser without cookies."""
        super().__init__(shared.to, judge)
        self.shared, self._browser, self._mailbox, self._random = shared, browser, mailbox, random
        self._asked = 0
        # Since when the share may be open in this browser, and whether it surely is.
        self._opened, self._is_open = 0.0, False

    def visit(self) -> bool:
        """Ask for a code, open the share with it, and listen. Return whether that worked."""
        code = None if self._is_open else self._ask()
        if code:
            self._open(code)
        # Also without an opening, which must be refused.
        heard = [self._listen() for _ in range(2)]
        return self._is_open and all(heard)

    def try_wrong_code(self) -> None:
        """Try a code that was never sent."""
        code = f"{self._random.randrange(10**7):08d}"
        if code not in self._codes():
            self._open(code, is_right=False)

    def try_elsewhere(self, browser: Browser) -> None:
        """Try the last code, and ask for bytes, in a browser that has never asked for a code."""
        other = Recipient(self.shared, browser, self.judge, self._mailbox, self._random)
        if codes := self._codes():
            other._open(codes[-1], is_right=False)
        other._listen()

    def come_late(self) -> bool:
        """Open the share shortly before its end, listen, and try again after it. Return whether it was open."""
        day = timedelta(days=1).total_seconds() - (time.monotonic() - self.shared.began)
        before, after = int(day) - 300, int(day) + 300
        code = self._ask(before)
        if not code or not self._open(code, ahead=before) or not self._listen(before):
            return False
        self._after_the_end("a code", lambda: self._post("code", after))
        self._after_the_end("a code's use", lambda: self._post("open", after, code=code))
        self._after_the_end("bytes", lambda: self._audio(after))
        self.judge.count("expiries")
        return True

    def must_be_closed(self) -> None:
        """Try everything with a share whose cancellation was acknowledged."""
        self._after_the_end("a code", lambda: self._post("code"))
        self._after_the_end("bytes", self._audio)
        if codes := self._codes():
            self._after_the_end("a code's use", lambda: self._post("open", code=codes[-1]))

    def _after_the_end(self, what: str, send: Callable[[], Any]) -> None:
        self.persist(f"{what} of a share that has ended", send, {NOT_FOUND})

    def _ask(self, ahead: int = 0) -> str | None:
        """Ask for a code. Return the newest one that was sent."""
        for _ in range(TRIES):
            self._asked += 1
            # Of a request that was made twice, two codes count.
            may_be_too_many = {"TooMany"} if self._asked > CODES_AN_HOUR or not self.judge.calm else set()
            answer = self.ask("a code", lambda: self._post("code", ahead), self._wanted({OK, *may_be_too_many}))
            if answer.is_ok:
                self.recorded("a code was sent", "ShareCodeSent", answer.sent, share=self.shared.id)
                return self._codes()[-1] if self._codes() else self._lost("the code was not mailed")
            if answer.code != FAILED:
                break
        return None

    def _open(self, code: str, *, is_right: bool = True, ahead: int = 0) -> bool:
        # A request whose answer was lost, and which the function repeated, finds the code used or the share opened.
        lost = set() if self.judge.calm else {"CodeRefused", NOT_FOUND}
        wanted = {OK, *lost} if is_right else {"CodeRefused"}
        answer = self.ask("a code's use", lambda: self._post("open", ahead, code=code), self._wanted(wanted))
        if answer.code == "CodeRefused":
            self.recorded("a code was refused", "ShareCodeRefused", answer.sent, share=self.shared.id)
        if answer.is_ok:
            self.recorded("a share was opened", "ShareOpened", answer.sent, share=self.shared.id)
            self.judge.count("openings")
            self._is_open = True
        if answer.is_ok or (is_right and answer.code != "CodeRefused" and not self._opened):
            self._opened = answer.sent
        return answer.is_ok

    def _listen(self, ahead: int = 0) -> bool:
        good = {OK} if self.shared.file["size"] else {"InvalidRange"}
        may_be_closed = time.monotonic() - self._opened > OPEN_SECONDS or not self._is_open
        wanted = {*good, NOT_FOUND} if may_be_closed else good
        if not self._opened:
            wanted = {NOT_FOUND}
        answer = self.ask("bytes of a share", lambda: self._audio(ahead), self._wanted(wanted))
        if answer.is_ok:
            for kind in ("ShareOpened", "SharePlayed"):
                self.recorded("bytes of a share were sent", kind, self._opened, share=self.shared.id)
            self.judge.got(self.name, self.shared.file, answer.reply, as_sound=True)
            self.judge.count("plays of shares")
        return answer.code in good

    def _wanted(self, codes: set[str]) -> Callable[[float], set[str]]:
        return lambda sent: self.shared.codes(sent, codes)

    def _codes(self) -> list[str]:
        letters = self._mailbox.of(self.shared.to)
        return [texts.code(text) for text in letters if not texts.LINK.search(text)]

    def _lost(self, what: str) -> None:
        self.judge.complain("X", f"{self.name}: {self.shared.id}", what)

    def _post(self, what: str, ahead: int = 0, **members: str) -> Any:
        path, body = f"/s/{self.shared.id}/{what}", {"secret": self.shared.secret, **members}
        return self._browser.post(path, body, {AHEAD: str(ahead)})

    def _audio(self, ahead: int = 0) -> Any:
        span = a_range(self._random, self.shared.file["size"])
        return self._browser.get(f"/s/{self.shared.id}/audio", {"range": span, AHEAD: str(ahead)})
