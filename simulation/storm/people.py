"""People with a session: they search, look, play, download, share and cancel, and try what they may not.

Each act knows what the answer must be. The judge compares.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from simulation.faults.call_metadata import PARTY
from simulation.storm.access_judge import NOT_FOUND, OK, AccessJudge, Reply
from simulation.storm.asking import TRIES, Answer, Asking, Browser
from simulation.storm.calls import DAY
from simulation.storm.roles import NOT_ALLOWED, Action, Identity, KnownCall, decide
from simulation.storm.witness import landing_key

# Of a call that is refused.
ASKED_OF_A_CALL = 3
REASON = "a complaint"
Card = Mapping[str, Any]
File = Mapping[str, Any]


class Person(Asking):
    """One person. Not thread-safe."""

    def __init__(
        self, identity: Identity, browser: Browser, judge: AccessJudge, random: Random,
        fetch: Callable[[str], Reply | None],
    ) -> None:  # fmt: skip
        """Take a browser that has no session yet. `fetch` returns what a URL outside the archive answers."""
        super().__init__(identity.email, judge)
        self.identity, self.browser, self._random, self._fetch = identity, browser, random, fetch
        self.cards: dict[str, Card] = {}
        # What was granted in this session, perhaps by an answer that was lost.
        self._granted: set[tuple[str, int, str]] = set()

    def forget_session(self) -> None:
        """Forget what the last session was granted."""
        self._granted.clear()

    # ---- search -----------------------------------------------------------------------------------------------------

    def search(self, **filters: str) -> list[Card]:
        """Search, and remember the cards. Return them."""
        may = self.identity.may_sometimes("search")
        answer = self.persist(
            "search", lambda: self.browser.get("/api/calls", **filters), {OK} if may else {NOT_ALLOWED}
        )
        if not answer.is_ok:
            self.look_at_refusal("a search was refused", answer)
            return []
        self.judge.count("searches")
        self.recorded("a search was answered", "RecordingsSearched", answer.sent, action="search")
        found: list[Card] = answer.reply.json["calls"]
        for card in found:
            self._remember(card)
        cursor = answer.reply.json["cursor"]
        return found + (self.search(**{**filters, "cursor": cursor}) if cursor else [])

    def search_somehow(self) -> None:
        """Search by one filter or another."""
        facts = {"queue": "invoice_no", "agent": "1042", "caller": f"+{PARTY}"}
        name = self._random.choice([*facts, "day", "day"])
        self.search(**({name: facts[name]} if name in facts else {"from": DAY, "to": DAY}))

    def show(self, call: KnownCall) -> Card | None:
        """Ask for a card. Return it if it comes."""
        answer = self.persist(
            "a card", lambda: self.browser.get(f"/api/calls/{call.id}"), self._expected(call, "search")
        )
        if not answer.is_ok:
            self.look_at_refusal("a card was refused", answer, call=call.id)
            return None
        self.judge.count("cards")
        self.recorded("a card was shown", "RecordingViewed", answer.sent, call=call.id)
        self._remember(answer.reply.json)
        return dict(answer.reply.json)

    def see_audit(self, call: KnownCall) -> None:
        """Ask who did what with a call. Each row must be an event that the bus has accepted."""
        path, expected = f"/api/calls/{call.id}/audit", self._expected(call, "audit")
        answer = self.persist("the audit of a call", lambda: self.browser.get(path), expected)
        if not answer.is_ok:
            self.look_at_refusal("the audit of a call was refused", answer, call=call.id)
            return
        self.judge.count("audits")
        known = {(each.kind, each.time, each.archive["user"]) for each in self.judge.events_of(call.id)}
        for row in answer.reply.json["events"]:
            if (row["kind"], row["time"], row["user"]) not in known:
                self.judge.complain("N", f"{self.name}: {call.id}", f"a row of {row['kind']} that no event has")

    # ---- recordings -------------------------------------------------------------------------------------------------

    def play(self, call: KnownCall) -> bool:
        """Look at a card, ask for an access to one of its recordings, and play parts of it. Return whether it did."""
        file = self._choose(self.show(call), "play")
        if not file or not self._ask_access(call, file, "play"):
            return False
        heard = [self._listen(call, file) for _ in range(self._random.randint(1, 3))]
        if self.judge.calm or self._random.random() < 0.5:
            self._listen(call, file, as_it_is=False)
        if any(heard):
            self.judge.count("plays" if file["sealed"] == "none" else "sealed plays")
            self._tell_seconds(call, file)
        return any(heard)

    def download(self, call: KnownCall) -> bool:
        """Look at a card, and download one of its files. Return whether it came."""
        file = self._choose(self.show(call), "download")
        if not file or not self._ask_access(call, file, "download"):
            return False
        path = f"/api/calls/{call.id}/files/{file['n']}/download"
        answer = self.persist("a download", lambda: self.browser.post(path, {}), {OK})
        if not answer.is_ok:
            return False
        self._must_be_granted("a URL was given", call, file, "download")
        for _ in range(TRIES):
            reply = self._fetch(answer.reply.json["url"])
            if reply and reply.status == 200:
                self.judge.got(self.name, file, reply, as_sound=False, whole=True)
                self.judge.count("downloads")
                return True
        if self.judge.calm:
            self.judge.complain("X", f"{self.name}: {file['key']}", "the download does not come")
        return False

    def sneak(self, call: KnownCall) -> None:
        """Ask for bytes of a recording that the person may play, without an access to it."""
        file = self._choose(self.cards.get(call.id), "play")
        if not file or (call.id, file["n"], "play") in self._granted:
            return
        is_sealed = file["sealed"] != "none"
        path = f"/api/calls/{call.id}/files/{file['n']}/{'sealed' if is_sealed else 'audio'}"
        answer = self.ask("bytes without an access", lambda: self.browser.get(path), {"ReasonRequired"})
        self.look_at_refusal("bytes were refused", answer, call=call.id)

    def trespass(self, call: KnownCall) -> None:
        """Ask for some of what there is of a call that the person may not open, or that is another tenant's."""
        number = self._random.randrange(4)
        file, body = f"/api/calls/{call.id}/files/{number}", {"file": number, "reason": REASON}
        acts: Sequence[tuple[Action, Callable[[], Reply]]] = (
            ("search", lambda: self.browser.get(f"/api/calls/{call.id}")),
            ("play", lambda: self.browser.post(f"/api/calls/{call.id}/access", {"action": "play", **body})),
            ("download", lambda: self.browser.post(f"/api/calls/{call.id}/access", {"action": "download", **body})),
            ("play", lambda: self.browser.get(f"{file}/audio")),
            ("play", lambda: self.browser.get(f"{file}/sealed")),
            ("download", lambda: self.browser.post(f"{file}/download", {})),
            ("share", lambda: self.browser.post("/api/shares", {**body, "call": call.id, "to": "x@lawyers.example",
                                                                "days": 1, "language": "en"})),
            ("audit", lambda: self.browser.get(f"/api/calls/{call.id}/audit")),
        )  # fmt: skip
        for action, send in self._random.sample(acts, ASKED_OF_A_CALL):
            expected = self._expected(call, action)
            if OK not in expected:
                answer = self.ask(f"a call that is refused, {action}", send, expected)
                self.look_at_refusal("a call was refused", answer, call=call.id)

    def _ask_access(self, call: KnownCall, file: File, action: Action) -> bool:
        expected, body = self._expected(call, action), {"action": action, "file": file["n"], "reason": REASON}
        if self.identity.needs_reason and self._random.random() < 0.2:
            body["reason"], expected = None, {"ReasonRequired"}
        kind, since = _kind(file, action), time.monotonic()
        facts = {"call": call.id, "file": file["n"], "action": action}
        answer = self.persist("an access", lambda: self.browser.post(f"/api/calls/{call.id}/access", body), expected)
        if self.judge.accepted(self.name, kind, since, **facts):
            self._granted.add((call.id, file["n"], action))
        if answer.is_ok:
            self.recorded("an access was granted", kind, answer.sent, access=answer.reply.json["access"], **facts)
        else:
            self.look_at_refusal("an access was refused", answer, call=call.id)
        return answer.is_ok

    def _listen(self, call: KnownCall, file: File, *, as_it_is: bool = True) -> bool:
        """Ask for a part of a recording: of its sound if it is plain and its sealed bytes if it is sealed, or not."""
        is_sealed = file["sealed"] != "none"
        wants_sealed = is_sealed == as_it_is
        path = f"/api/calls/{call.id}/files/{file['n']}/{'sealed' if wants_sealed else 'audio'}"
        if not as_it_is:
            expected = {"SealedRecording" if is_sealed else "PlainRecording"}
        else:
            expected = {OK} if file["size"] else {"InvalidRange"}
        span = {"range": a_range(self._random, file["size"])}
        answer = self.persist("a part of a recording", lambda: self.browser.get(path, span), expected)
        if answer.is_ok:
            self._must_be_granted("bytes were sent", call, file, "play")
            self.judge.got(self.name, file, answer.reply, as_sound=not wants_sealed)
        return answer.is_ok

    def _tell_seconds(self, call: KnownCall, file: File) -> None:
        body = {"file": file["n"], "seconds": [[0, 1]]}
        answer = self.persist("played", lambda: self.browser.post(f"/api/calls/{call.id}/played", body), {OK})
        if answer.is_ok:
            facts = {"call": call.id, "file": file["n"], "seconds": [[0, 1]]}
            self.recorded("played seconds were taken", "RecordingPlayed", answer.sent, **facts)

    # ---- what is expected -------------------------------------------------------------------------------------------

    def _expected(self, call: KnownCall, action: Action) -> set[str]:
        """Return the codes that an action with a call may have. A call may have no card yet."""
        if call.tenant != self.identity.tenant or not call.has_card:
            return {NOT_FOUND}
        code = decide(self.identity, call, action) or OK
        return {code} if self.judge.calm or call.id in self.cards else {code, NOT_FOUND}

    def _must_be_granted(self, what: str, call: KnownCall, file: File, action: Action) -> None:
        if (call.id, file["n"], action) not in self._granted:
            self.judge.complain("N", f"{self.name}: {what}", f"no event of an access to {file['key']} was accepted")

    def look_at_refusal(self, what: str, answer: Answer, **members: Any) -> None:
        """Check that a refusal of a user's action is recorded, which that of a request is not."""
        if answer.reply.status == 403 and answer.code != "TermsNotAccepted":
            self.recorded(what, "AccessRefused", answer.sent, code=answer.code, **members)

    def _remember(self, card: Card) -> None:
        call = self.judge.calls.get(card["id"])
        refused = decide(self.identity, call, "search") if call else NOT_FOUND
        self.judge.look_at_card(self.identity, card, refused)
        self.cards[card["id"]] = card

    def _choose(self, card: Card | None, action: Action) -> File | None:
        """Return a file of a card that is in the archive and that the action can have."""
        files = [
            file
            for file in (card or {"files": []})["files"]
            if is_archived_recording(file) or (action == "download" and file["destination"] == "archive")
        ]
        return self._random.choice(files) if files else None


def a_range(random: Random, size: int) -> str:
    """Return a range of a file of this size."""
    first = random.randrange(max(1, size))
    last = random.choice(("", first + random.randrange(1, 100_000)))
    return f"bytes={first}-{last}"


def is_archived_recording(file: File) -> bool:
    """Return whether a file of a card is a recording in the archive."""
    extension = landing_key(file["key"])[0].rpartition(".")[2].lower()
    return bool(file["destination"] == "archive") and extension not in ("xml", "json")


def _kind(file: File, action: Action) -> str:
    if action == "download":
        return "RecordingDownloaded"
    return "RecordingPlayed" if file["sealed"] == "none" else "RecordingOpenedByKey"
