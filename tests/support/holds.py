"""Holds in the test stack: calls in the locked archive bucket, and the work on holds as lock_recordings does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from callseal.aws.batching import BatchWindow
from callseal.aws.bus import AuditBus
from callseal.calls.call_file import Delivery
from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_facts import blind_facts, plain_facts
from callseal.calls.facts import Facts
from callseal.core.audit import timestamp
from callseal.inbound.run import Run
from callseal.retention import place_holds
from callseal.retention.hold import Hold
from callseal.retention.hold_messages import HoldMessage, HoldQueue, hold_message
from callseal.retention.hold_table import HoldTable
from callseal.retention.legal_holds import LegalHolds
from callseal.retention.manage_holds import Holds
from callseal.retention.place_holds import HoldPlacing
from callseal.retention.scope import Scope
from tests.support.calls import blind_index, table
from tests.support.clock import Clock
from tests.support.stack import ARCHIVE, STACK, Stack

TABLE = f"{STACK}-retention"
CALLER = "+4522334455"
ASKS, APPROVES = "kari@acme.example", "ola@acme.example"


class HoldScene:
    """A stack with calls and holds, and the steps of people and of lock_recordings."""

    def __init__(self, cloud: Stack, clock: Clock, tenant: str = "acme") -> None:
        self.cloud, self.clock, self.tenant = cloud, clock, tenant
        self.cards, self.blind = table(cloud, clock), blind_index(cloud, clock)
        self.table = HoldTable(cloud.dynamodb, TABLE)
        queue = HoldQueue(cloud.sqs, cloud.environment["LOCK_QUEUE_URL"])
        bus = AuditBus(cloud.events, f"{STACK}-audit", BatchWindow())
        self.people = Holds(self.table, queue, bus, clock)
        self.placing = HoldPlacing(self.table, self.cards, self.blind, LegalHolds(cloud.s3), queue, bus, clock)

    def deliver(
        self, name: str, *, tenant: str | None = None, settle: bool = True, blind: bool = False, extension: str = "wav",
        started: datetime | None = None, **facts: Any,
    ) -> str:  # fmt: skip
        """Deliver a call's recording to the archive. Return the call's id."""
        call = self.read(name, tenant=tenant, blind=blind, started=started, **facts)
        self.record(name, tenant=tenant, extension=extension)
        if settle:
            self.settle(call)
        return call.id

    def read(
        self,
        name: str,
        *,
        tenant: str | None = None,
        blind: bool = False,
        started: datetime | None = None,
        **facts: Any,
    ) -> CallName:
        """Write a call's facts to its card, as read_metadata does."""
        tenant = tenant or self.tenant
        call, known = CallName(tenant, name), Facts(started=started or self.clock(), **facts)
        stored = plain_facts(known, lambda _: False)
        if blind:
            stored = blind_facts(known, lambda _: False, lambda kind, text: self.blind.hashed(tenant, kind, text))
        now = timestamp(self.clock())
        self.write(call, lambda card: card.with_metadata(f"{tenant}/{name}.xml", "read", stored, now))
        return call

    def record(self, name: str, *, tenant: str | None = None, extension: str = "wav") -> CallName:
        """Put a version of a call's recording into the archive bucket and on its card."""
        tenant = tenant or self.tenant
        call, key = CallName(tenant, name), f"{tenant}/{name}.{extension}"
        version = self.cloud.s3.put_object(Bucket=ARCHIVE, Key=key, Body=b"said")["VersionId"]
        delivery = Delivery(version.replace("-", ""), timestamp(self.clock()), 4, None, "none", version=version)
        self.write(call, lambda card: card.with_delivery(("archive", ARCHIVE, key), delivery))
        return call

    def write(self, call: CallName, change: Callable[[Card], Card]) -> None:
        """Change a card."""
        assert self.cards.apply({call: [change]}) == {}

    def settle(self, *calls: CallName) -> None:
        """Do what lock_recordings does after it has written the cards of delivered files."""
        assert self.placing.settle(calls) == {}

    def work(self) -> int:
        """Do the work on holds that waits in the queue. Return how many messages it took."""
        number = 0
        while bodies := self.cloud.take(self.cloud.environment["LOCK_QUEUE_URL"]):
            for body in bodies:
                message = hold_message(body)
                assert message
                self.do(message)
                number += 1
        return number

    def do(self, message: HoldMessage) -> None:
        """Do the work of a message."""
        self.placing.work(message, Run(self.clock, place_holds.RUN_TIME))

    def create(self, name: str, **scope: Any) -> Hold:
        """Ask for a hold, without the work on it."""
        return self.people.create(self.tenant, name, f"Case {name}", Scope(**scope), ASKS)

    def hold(self, name: str, **scope: Any) -> Hold:
        """Place a hold."""
        self.create(name, **scope)
        self.work()
        return self.find(name)

    def release(self, name: str) -> Hold:
        """Release a hold, as two people do."""
        self.people.ask_release(self.tenant, name, ASKS)
        self.people.approve_release(self.tenant, name, APPROVES)
        self.work()
        return self.find(name)

    def find(self, name: str) -> Hold:
        """Return a hold."""
        hold = self.table.find(self.tenant, name)
        assert hold
        return hold

    def card(self, call: str) -> Card:
        """Return a call's card."""
        return self.cards.cards(self.tenant, [call])[call].card

    def bits(self, call: str) -> set[bool]:
        """Return the legal-hold bits of all versions of a call's archived files."""
        return {self.bit(file.key, delivery.version) for file in self.card(call).files for delivery in file.deliveries}

    def bit(self, key: str, version: str | None) -> bool:
        """Return the legal-hold bit of a version."""
        found = self.cloud.s3.head_object(Bucket=ARCHIVE, Key=key, VersionId=version)
        return found.get("ObjectLockLegalHoldStatus") == "ON"

    def held(self, calls: Iterable[str]) -> list[tuple[str, ...]]:
        """Return the holds of calls by their cards, which S3 must agree with."""
        found = [self.card(call).holds for call in calls]
        assert [self.bits(call) for call in calls] == [{bool(holds)} for holds in found]
        return found
