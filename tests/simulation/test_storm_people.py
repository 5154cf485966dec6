"""The people of a storm against the real functions: what they get is right, and each broken promise is seen.

`make storm STORM=--self-check` breaks the same promises in small storms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from types import ModuleType
from typing import Any

import pytest

from simulation.faults.cloud import Stored
from simulation.storm.access_judge import AccessJudge
from simulation.storm.asking import Asking
from simulation.storm.broken import OF_PEOPLE
from simulation.storm.people import Person
from simulation.storm.roles import Identity, KnownCall, access_of
from simulation.storm.shares import AHEAD, Desk, Mailbox, Recipient
from tests.support import functions, shares
from tests.support.archive import People, Reply, Visitor
from tests.support.stack import ARCHIVE, REGION, Stack, stack

NAMES = ("search_calls", "open_recording", "share_recording", "serve_share")
PLAIN, SEALED, RESTRICTED, FOREIGN = (
    KnownCall("acme", "plain", "invoice_no", "1042", keys={"acme/plain.wav"}),
    KnownCall("acme", "sealed", "invoice_no", "1042", keys={"acme/sealed.wav"}),
    KnownCall("acme", "restricted", "invoice_no", "1042", restricted=True, keys={"acme/restricted.wav"}),
    KnownCall("globex", "foreign", "invoice_no", "1042", keys={"globex/foreign.wav"}),
)
SOUND = bytes(range(256)) * 40


@dataclass
class Handler:
    """A function that takes its clock from a request, and whose accepted events the judge has before the answer."""

    module: ModuleType
    scene: Scene

    def routes(self) -> Mapping[str, Any]:
        return dict(self.module.routes())

    def lambda_handler(self, event: Mapping[str, Any], context: object) -> Any:
        self.scene.ahead = timedelta(seconds=int(event["headers"].get(AHEAD, 0)))
        answer = self.module.lambda_handler(event, context)
        self.scene.accept()
        return answer


class Scene:
    """A tenant with a plain, a sealed and a restricted call, and another tenant with one call."""

    def __init__(self, cloud: Stack) -> None:
        self._cloud, self._accepted, self._mails, self.ahead = cloud, 0, 0, timedelta()
        self.judge = AccessJudge({call.id: call for call in (PLAIN, SEALED, RESTRICTED, FOREIGN)})
        self._handlers: Any = [Handler(functions.load(name), self) for name in NAMES]
        self._people = People(cloud, self.now, self._handlers)
        for tenant in ("acme", "globex"):
            cloud.tenant(tenant, settings={"call_index": "plain"})
            self._people.access(*access_of(0)["grants"], tenant=tenant)
        for call in self.judge.calls.values():
            facts: Any = {"queue": call.queue, "agent": call.agent, "restricted": call.restricted}
            sealed = "cms" if call is SEALED else "none"
            self._people.call(call.name, tenant=call.tenant, data=SOUND, sealed=sealed, **facts)
        self.mailbox = Mailbox(self._letters)
        self.desk = Desk(self.mailbox)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def accept(self) -> None:
        events = self._cloud.audit()[self._accepted :]
        self._accepted += len(events)
        self.judge.accept({"DetailType": each["detail-type"], "Detail": json.dumps(each["detail"])} for each in events)

    def person(self, group: str) -> Person:
        identity = Identity(f"{group}@acme.example", "acme", (group,))
        return Person(identity, self._visitor(identity), self.judge, Random(1), self._fetch)

    def recipient(self, person: Person) -> Recipient:
        """Return the recipient of a share of the plain recording."""
        card = person.show(PLAIN)
        assert card
        shared = self.desk.share(person, PLAIN, card["files"][0])
        assert shared
        return Recipient(shared, self.browser(), self.judge, self.mailbox, Random(1))

    def letters(self) -> set[str]:
        """Return the letters of the complaints until now."""
        self.judge.judge(self._read, self._cloud.audit())
        return {one.letter for one in self.judge.complaints}

    def browser(self) -> Visitor:
        return Visitor(self._handlers)

    def _visitor(self, identity: Identity) -> Visitor:
        return self._people.visitor(*identity.groups, tenant=identity.tenant, email=identity.email)

    def _letters(self) -> Iterator[tuple[str, str]]:
        mails = shares.mails()[self._mails :]
        self._mails += len(mails)
        yield from ((mail.destinations["ToAddresses"][0], mail.body) for mail in mails)

    def _read(self, key: str) -> Stored:
        found = self._cloud.s3.get_object(Bucket=ARCHIVE, Key=key)
        return Stored(found["Body"].read(), found["ETag"], found["Metadata"])

    def _fetch(self, url: str) -> Reply:
        return Reply(200, {}, [], self._read(url.partition("?")[0].partition(f"{ARCHIVE}")[2].partition("/")[2]).data)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setattr("callseal.archive.serve_share.ANSWER_SECONDS", 0)
    with stack() as cloud:
        scene = Scene(cloud)
        monkeypatch.setattr("callseal.wiring.container.now", scene.now)
        yield scene


def acts(scene: Scene) -> Iterator[object]:
    """Let an officer and a lead do everything, and recipients of two shares, one act after the other."""
    scene.judge.calm = True
    officer, lead = scene.person("officers"), scene.person("leads")
    yield lead.search(queue="invoice_no")
    for number in range(3):
        yield lead.trespass((RESTRICTED, FOREIGN, RESTRICTED)[number])
        yield officer.trespass(FOREIGN)
    yield officer.search(queue="invoice_no")
    yield officer.sneak(RESTRICTED)
    for person, call in ((lead, PLAIN), (officer, SEALED), (officer, RESTRICTED)):
        yield person.play(call)
    yield lead.download(SEALED)
    yield officer.see_audit(PLAIN)
    recipient = scene.recipient(officer)
    yield recipient.try_wrong_code()
    yield recipient.visit()
    yield recipient.try_elsewhere(scene.browser())
    yield scene.desk.cancel(lead, recipient.shared)
    yield scene.desk.cancel(officer, recipient.shared)
    yield recipient.must_be_closed()
    yield scene.desk.list(officer)
    yield scene.recipient(officer).come_late()


def test_people_get_what_they_may_and_each_of_it_is_recorded(scene: Scene) -> None:
    for _ in acts(scene):
        pass

    assert scene.letters() == set(), scene.judge.complaints
    assert set(scene.judge.counts) == {
        "answers", "failed answers", "refusals", "searches", "cards", "plays", "sealed plays", "downloads", "audits",
        "shares", "openings", "plays of shares", "cancellations", "expiries",
    }  # fmt: skip
    assert scene.judge.counts["failed answers"] == 0


@pytest.mark.parametrize("broken", OF_PEOPLE)
def test_broken_promise_to_people_is_seen(scene: Scene, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*OF_PEOPLE[broken])
    letter = {"unaudited": "N", "altered": "D"}.get(broken, "G")

    assert any(letter in scene.letters() for _ in acts(scene)), scene.judge.complaints


KARI = "kari@acme.example"
FILE = {"key": "acme/plain.wav", "sealed": "none"}


def reply(status: int, document: Any = None, data: bytes = b"", **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, [],
                 json.dumps(document).encode() if document else data)  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "calm", "letter"),
    [
        (reply(200, {}), False, "G"),
        (reply(403, {"error": "NotAllowed"}), False, ""),
        (reply(403, {"error": "RestrictedRecording"}), False, "X"),
        (reply(403, {"message": "Forbidden"}), False, "X"),
        (reply(418, {"error": "NotAllowed"}), False, "X"),
        (reply(500, {"message": "Internal Server Error"}), False, ""),
        (reply(503, data=b"<html>"), False, ""),
        (reply(503, {"error": "AuditUnavailable"}), True, "X"),
    ],
)
def test_answer_has_an_expected_code_or_has_failed_before_the_calm(answer: Reply, calm: bool, letter: str) -> None:
    judge = AccessJudge({})
    judge.calm = calm
    judge.outcome("a search", KARI, answer, {"NotAllowed"})
    assert "".join({each.letter for each in judge.complaints}) == letter


@pytest.mark.parametrize(
    ("part", "stored", "letters"),
    [
        (reply(206, data=b"cd", content_range="bytes 2-3/6"), Stored(b"abcdef", "e", {"callseal-sealed": "none"}), ""),
        (reply(206, data=b"cd", content_range="bytes 3-4/6"), Stored(b"abcdef", "e", {"callseal-sealed": "none"}), "D"),
        (reply(206, data=b"cd", content_range="bytes 2-3/7"), Stored(b"abcdef", "e", {"callseal-sealed": "none"}), "D"),
        (reply(206, data=b"cd", content_range="bytes 2-4/6"), Stored(b"abcdef", "e", {"callseal-sealed": "none"}), "D"),
        (reply(206, data=b"cd"), Stored(b"cdef", "e", {"callseal-sealed": "none"}), "D"),
        (reply(206, data=b"cd", content_range="bytes 2-3/6"), None, "D"),
        (reply(206, data=b"cd", content_range="bytes 2-3/6"), Stored(b"abcdef", "e", {"callseal-sealed": "cms"}), "G"),
    ],
)
def test_bytes_are_those_of_the_archive(part: Reply, stored: Stored | None, letters: str) -> None:
    judge = AccessJudge({})
    judge.got(KARI, FILE, part, as_sound=True)
    judge.judge(lambda _: stored, [])
    assert "".join({each.letter for each in judge.complaints}) == letters


def test_event_that_the_copy_of_the_audit_lacks_is_seen() -> None:
    judge = AccessJudge({})
    detail = {"id": "1", "time": "2026-11-30T12:00:00.000Z", "archive": {"user": KARI, "call": None}}
    judge.accept([{"DetailType": "ArchiveSignedIn", "Detail": json.dumps(detail)}])
    judge.must_be_recorded("a session began", KARI, "ArchiveSignedIn")
    judge.judge(lambda _: None, [])
    assert [each.seen for each in judge.complaints] == ["the audit's copy lacks the event"]


def test_hung_answer_is_seen() -> None:
    def hang() -> Reply:
        raise TimeoutError

    judge = AccessJudge({})
    assert Asking(KARI, judge).ask("a search", hang, {"ok"}).code == "failed"
    assert [each.letter for each in judge.complaints] == ["X"]
