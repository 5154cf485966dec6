"""Requests for erasure as the command makes and approves them, on a stack in moto."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from callseal.aws.batching import BatchWindow
from callseal.aws.bus import AuditBus
from callseal.calls.card import Card
from callseal.retention.erasure_calls import ErasureCalls
from callseal.retention.erasure_files import CallFiles
from callseal.retention.erasure_places import CallPlaces
from callseal.retention.erasure_table import ErasureTable
from callseal.retention.hold_table import HoldTable
from callseal.retention.request_erasure import ErasureRequests
from callseal.retention.scope import matches
from callseal.sftp.file_table import FileRegister
from tests.support import calls
from tests.support.clock import Clock
from tests.support.stack import ARCHIVE, LANDING, SFTP, STACK, Stack

RETENTION = f"{STACK}-retention"
KARI, OLA = "kari@acme.example", "ola@acme.example"
BASIS = "GDPR, article 17(1)(b)"


@dataclass
class Desk:
    """The desk at which two people start and approve erasures, and the function that carries them out."""

    cloud: Stack
    function: ModuleType
    clock: Clock

    @property
    def table(self) -> ErasureTable:
        return ErasureTable(self.cloud.dynamodb, RETENTION)

    @property
    def requests(self) -> ErasureRequests:
        cloud, cards = self.cloud, calls.table(self.cloud, self.clock)
        places = CallPlaces(cloud.s3, ARCHIVE, SFTP, LANDING)
        files = CallFiles(places, FileRegister(cloud.dynamodb, f"{STACK}-files"), self.holds_of)
        found = ErasureCalls(cards, calls.blind_index(cloud, self.clock))
        bus = AuditBus(cloud.events, f"{STACK}-audit", BatchWindow())
        return ErasureRequests(self.table, found, files, cards, bus, self.clock)

    def holds_of(self, card: Card) -> list[str]:
        active = HoldTable(self.cloud.dynamodb, RETENTION).active(card.call.tenant)
        return [*card.holds, *(hold.name for hold in active if matches(hold.scope, card))]

    def start(self, tenant: str = "acme", **subject: Any) -> dict[str, Any]:
        """Start an erasure, by default of a caller."""
        subject = subject if {"call", "caller"} & set(subject) else {"caller": "+4790000001", **subject}
        return self.requests.start(tenant, KARI, BASIS, **subject).public()

    def approve(self, request: str, tenant: str = "acme") -> dict[str, Any]:
        return self.requests.approve(tenant, request, OLA).public()

    def status(self, request: str, tenant: str = "acme") -> dict[str, Any]:
        return self.requests.status(tenant, request).public()

    def run(self, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the function as its schedule does."""
        return dict(self.function.lambda_handler(event or {}, None))

    def erase(self, **subject: Any) -> dict[str, Any]:
        """Start and approve an erasure, carry it out, and return its state."""
        request = self.start(**subject)["request"]
        self.approve(request)
        self.run()
        return self.status(request)
