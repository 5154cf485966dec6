"""The cards of calls as their readers see them, and the audit events on their way to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from callseal.aws.mac_key import MacKey
from callseal.calls.blind_index import BlindIndex
from callseal.calls.card_table import CardTable
from callseal.calls.cursor import Cursors
from callseal.calls.search import CallSearch
from callseal.core.clock import Clock, now
from tests.support.stack import STACK, Stack, failures, sqs_event

TABLE = f"{STACK}-calls"
ALIAS = f"alias/{STACK}-calls"
Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]


def table(cloud: Stack, clock: Clock) -> CardTable:
    """Return the cards' table as the functions use it."""
    return CardTable(cloud.dynamodb, TABLE, clock)


def blind_index(cloud: Stack, clock: Clock) -> BlindIndex:
    """Return the blind index as the functions use it."""
    return BlindIndex(cloud.dynamodb, TABLE, MacKey(cloud.kms, ALIAS), clock)


def search(cloud: Stack, clock: Clock) -> CallSearch:
    """Return the search as the command and the API use it."""
    return CallSearch(table(cloud, clock), blind_index(cloud, clock), Cursors(MacKey(cloud.kms, ALIAS)), clock)


def items(cloud: Stack) -> list[dict[str, Any]]:
    """Return all items of the table."""
    return list(cloud.dynamodb.scan(TableName=TABLE, ConsistentRead=True)["Items"])


def cards(cloud: Stack, tenant: str = "acme") -> list[dict[str, Any]]:
    """Return a tenant's cards as the command shows them, by name."""
    cards = CardTable(cloud.dynamodb, TABLE, now)
    found = [cards.find(tenant, item["id"]["S"]) for item in items(cloud) if item["tenant"]["S"] == tenant]
    return sorted((card.public() for card in found if card), key=lambda card: card["name"])


def index(cloud: Stack, handler: Handler, *events: Mapping[str, Any]) -> None:
    """Hand audit events to index_calls, all there are by default, as the rule on the bus does."""
    kinds = ("RecordingDelivered", "FileFetched")
    told = [event for event in events or cloud.audit() if event["detail-type"] in kinds]
    assert failures(handler(sqs_event(*told), None)) == []
