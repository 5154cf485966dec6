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
        return Recipient(shared, Visitor(self._handlers), self.judge, self.mailbox, Random(1))

    def complaints(self) -> str:
        """Return the letters of all complaints, at the end."""
        self.judge.judge(self._read, self._cloud.audit())
        return "".join(sorted({one.letter for one in self.judge.complaints}))

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


def act(scene: Scene) -> None:
    """Let an officer and a lead do everything once, and recipients of three shares."""
    officer, lead = scene.person("officers"), scene.person("leads")
    for person in (officer, lead):
        person.search(queue="invoice_no")
        for _ in range(3):
            person.play(PLAIN)
            person.play(SEALED)
            person.download(SEALED)
        person.sneak(RESTRICTED)
        for call in (RESTRICTED, FOREIGN):
            person.trespass(call)
        person.see_audit(PLAIN)
    scene.recipient(officer).come_late()
    recipient = scene.recipient(officer)
    recipient.try_wrong_code()
    recipient.visit()
    recipient.try_elsewhere(Visitor(scene._handlers))
    scene.desk.cancel(lead, recipient.shared)
    scene.desk.cancel(officer, recipient.shared)
    recipient.must_be_closed()
    scene.desk.list(officer)


def test_people_get_what_they_may_and_each_of_it_is_recorded(scene: Scene) -> None:
    act(scene)

    assert scene.judge.complaints == []
    assert scene.complaints() == ""
    assert {"searches", "cards", "plays", "sealed plays", "downloads", "shares", "openings", "plays of shares",
            "cancellations", "expiries", "refusals", "audits"} <= set(scene.judge.counts)  # fmt: skip


@pytest.mark.parametrize(
    ("broken", "letter"),
    [("unaudited", "N"), ("foreign", "G"), ("refused", "G"), ("unsealed", "G"), ("altered", "D"), ("cancelled", "G"),
     ("expired", "G")],
)  # fmt: skip
def test_broken_promise_to_people_is_seen(
    scene: Scene, broken: str, letter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*OF_PEOPLE[broken])

    act(scene)

    assert letter in scene.complaints(), scene.judge.complaints
