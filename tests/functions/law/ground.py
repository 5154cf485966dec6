"""One cloud with a call in each state of the table: delivered, held, released and erased by the product's own steps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from types import ModuleType
from typing import Any

from callseal.aws.items import item
from callseal.calls.call_file import Delivery
from callseal.calls.card import Card
from callseal.calls.card_facts import plain_facts
from callseal.calls.card_table import attributes
from callseal.calls.facts import Facts
from callseal.core.audit import timestamp
from tests.support.calls import TABLE
from tests.support.clock import Clock
from tests.support.disposal import VERSION, put_cards
from tests.support.erasures import Desk
from tests.support.holds import HoldScene
from tests.support.stack import ARCHIVE, LANDING, SFTP, STACK, Stack, failures, sqs_event

from .states import (
    ANONYMISE,
    ASKED,
    DIMENSIONS,
    ENDED,
    FETCHED,
    FUTURE,
    GONE,
    HELD,
    IN_FORCE,
    NONE,
    OPEN,
    PLAIN,
    RELEASED,
    REQUESTED,
    REST,
    RUNNING,
    SFTP_ONLY,
    State,
)
from .states import LANDING as HELD_IN_LANDING

# When the table is looked at. All calls ended 60 days before. Classes keep them for 365 days or 30, and not longer.
TODAY = datetime(2027, 6, 1, 12, tzinfo=UTC)
CALL_ENDED = TODAY - timedelta(days=60)
DAYS, SHORTER, LONGER = {RUNNING: 365, ENDED: 30}, {RUNNING: 5, ENDED: 5}, {RUNNING: 600, ENDED: 90}
TENANT = "acme"
# A hold of its own has the calls that are gone later: it is released before they go.
EARLY = "released early"
# Which calls an erasure has, each with a caller of its own. The notice to the recipient, and so the end of the cards,
# waits until no file of the erasure is left in the SFTP area, and a hold may keep one there that has no other copy.
GONE_BEFORE, STAYS_IN_SFTP, OTHERS = "gone before", "stays in SFTP", "others"
Erasure = tuple[str, str]
CALLERS: Mapping[Erasure, str] = {
    erasure: f"+47900000{number}"
    for number, erasure in enumerate(product((NONE, REQUESTED, *OPEN), (GONE_BEFORE, STAYS_IN_SFTP, OTHERS)), start=100)
}
SUFFIXES = {PLAIN: (".wav", ".xml"), SFTP_ONLY: (".mp3.p7m",)}


@dataclass
class Ground:
    """The cloud with one tenant, and the functions that work on it."""

    cloud: Stack
    clock: Clock
    dispose_recordings: ModuleType
    erase_recordings: ModuleType
    lock_recordings: ModuleType
    requests: dict[Erasure, str] = field(default_factory=dict)

    @property
    def desk(self) -> Desk:
        """The desk of the people who erase."""
        return Desk(self.cloud, self.erase_recordings, self.clock)

    @property
    def people(self) -> HoldScene:
        """The steps of the people who hold."""
        return HoldScene(self.cloud, self.clock, TENANT)

    def build(self, states: Sequence[State]) -> None:
        """Make a call of each state."""
        self.clock.put_to(CALL_ENDED + timedelta(days=1))
        self.cloud.tenant(TENANT, settings={"deliver_to_archive": True, "encrypt": False})
        self.policy(DAYS)
        people = self.people
        people.create(FUTURE, queue=FUTURE, future=True)
        self.work_on_holds()
        self._write([self._call(state) for state in states])
        people.settle(*(state.call for state in states))
        for name in (HELD, ASKED, RELEASED, EARLY):
            people.create(name, queue=name)
        self.work_on_holds()
        people.people.ask_release(TENANT, ASKED, "kari")
        self._release(EARLY)
        erasures = {erasure_of(state) for state in states if state.erasure != NONE}
        over = {each for each in erasures if each[0] == REST or each[1] == GONE_BEFORE} - {(REQUESTED, GONE_BEFORE)}
        for each in sorted(over):
            self._start(each)
        if over:
            self._carry_out(over)
        self._release(RELEASED)
        for each in sorted(erasures - over):
            self._start(each)
        self._dispose(filter(_is_disposed, states))
        self.clock.put_to(TODAY)

    def policy(self, days: Mapping[str, int]) -> None:
        """Write the policy: a class for each lock that runs or has ended, for the calls of an agent of this name."""
        classes = {
            f"{lock}-{until}": {"keep": f"{count}d", "delete_after": f"{count}d", "lock": lock}
            for lock in DIMENSIONS["lock"]
            for until, count in days.items()
        }
        rules = [{"rule": name, "when": {"agent": [name]}, "class": name} for name in classes]
        policy = {"schema": 1, "classes": classes, "default": {"class": next(iter(classes))}, "rules": rules}
        name = f"/{STACK}/tenants/{TENANT}/policy"
        self.cloud.ssm.put_parameter(Name=name, Value=json.dumps(policy), Type="String", Overwrite=True)

    def work_on_holds(self) -> None:
        """Let lock_recordings take what waits for it."""
        while bodies := self.cloud.take(self.cloud.environment["LOCK_QUEUE_URL"]):
            assert failures(self.lock_recordings.lambda_handler(sqs_event(*bodies), None)) == []

    def _call(self, state: State) -> Card:
        """Write a call's files. Return its card."""
        landed, until = CALL_ENDED + timedelta(minutes=1), _midnight(CALL_ENDED + timedelta(days=DAYS[state.until]))
        queue = EARLY if state.file == GONE and state.hold == RELEASED else state.hold
        caller = CALLERS[erasure_of(state)]
        facts = plain_facts(Facts(ended=CALL_ENDED, queue=queue, caller=caller, agent=state.class_), _never)
        card = Card(state.call).with_metadata(f"{TENANT}/{state.call.name}.xml", "read", facts, timestamp(landed))
        for suffix in SUFFIXES.get(state.file, (".wav.p7m",)):
            card = self._file(card, state, suffix, timestamp(landed), until)
        return card.with_outcome(
            {"class": state.class_, "rule": state.class_, "version": VERSION, "held": None, "lock": state.lock,
             "keep_until": timestamp(until), "dispose_on": timestamp(until)}
        )  # fmt: skip

    def _file(self, card: Card, state: State, suffix: str, landed: str, until: datetime) -> Card:
        key, s3 = f"{card.call.tenant}/{card.call.name}{suffix}", self.cloud.s3
        if state.file == HELD_IN_LANDING:
            s3.put_object(
                Bucket=LANDING, Key=key.removesuffix(".p7m"), Body=b"said",
                Tagging="callseal-state=held&callseal-reason=KeyMissing",
            )  # fmt: skip
            return card
        sealed, copy = "cms" if suffix.endswith(".p7m") else "none", ("sftp", SFTP, key)
        s3.put_object(Bucket=SFTP, Key=key, Body=b"said")
        card = card.with_delivery(copy, Delivery(f"{suffix}1", landed, 4, None, sealed))
        if state.file == SFTP_ONLY:
            return card
        # The lock of a call that is gone has ended long ago.
        lock: Any = {} if state.lock == NONE or (state.file == GONE and state.until == ENDED) else {
            "ObjectLockMode": state.lock.upper(), "ObjectLockRetainUntilDate": until, "ChecksumAlgorithm": "SHA256"
        }  # fmt: skip
        version = s3.put_object(Bucket=ARCHIVE, Key=key, Body=b"said", **lock)["VersionId"]
        locked_until = timestamp(until) if lock else None
        delivery = Delivery(f"{suffix}1", landed, 4, "ab" * 32, sealed, version=version, until=locked_until)
        card = card.with_delivery(("archive", ARCHIVE, key), delivery)
        return card.with_fetch(copy, timestamp(CALL_ENDED + timedelta(hours=1))) if state.file == FETCHED else card

    def _write(self, cards: Sequence[Card]) -> None:
        """Write new cards, as read_metadata and index_calls leave them."""
        for card in cards:
            known = {name: value for name, value in attributes(card).items() if value is not None}
            members = item({"tenant": card.call.tenant, "id": card.call.id, "revision": 1, **known})
            self.cloud.dynamodb.put_item(TableName=TABLE, Item=members)

    def _release(self, name: str) -> None:
        self.people.people.ask_release(TENANT, name, "kari")
        self.people.people.approve_release(TENANT, name, "ola")
        self.work_on_holds()

    def _start(self, erasure: Erasure) -> None:
        subject: Any = {"caller": CALLERS[erasure], "anonymise": erasure[0] == ANONYMISE}
        request = self.requests[erasure] = self.desk.start(**subject)["request"]
        if erasure[0] != REQUESTED:
            self.desk.approve(request)

    def _carry_out(self, erasures: Iterable[Erasure]) -> None:
        messages = [json.dumps({"tenant": TENANT, "request": self.requests[each]}) for each in erasures]
        assert failures(self.erase_recordings.lambda_handler(sqs_event(*messages), None)) == []

    def _dispose(self, states: Iterable[State]) -> None:
        """End calls as a disposal does, which would also dispose of the others."""
        cards = []
        for state in states:
            call = state.call
            for bucket in (ARCHIVE, SFTP):
                found = self.cloud.s3.list_object_versions(Bucket=bucket, Prefix=f"{call.tenant}/{call.name}.")
                for each in found.get("Versions", []):
                    self.cloud.s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
            cards.append(Card(call).ended_by("disposed", timestamp(self.clock())))
        put_cards(self.cloud, *cards)


def erasure_of(state: State) -> Erasure:
    """Return the erasure that a call belongs to."""
    if state.file == GONE:
        return state.erasure, GONE_BEFORE
    return state.erasure, STAYS_IN_SFTP if state.file == SFTP_ONLY and state.hold in IN_FORCE else OTHERS


def _is_disposed(state: State) -> bool:
    return state.file == GONE and state.erasure in (NONE, REQUESTED)


def _never(_: str) -> bool:
    return False


def _midnight(moment: datetime) -> datetime:
    return (moment + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
