"""The key register as its readers see it, and the audit events that feed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.support.stack import STACK, Stack, failures, sqs_event

Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]
TABLE = f"{STACK}-key-register"
KEY_EVENTS = ("KeyAccepted", "KeyRejected", "KeyProven", "RecordingDelivered")


def items(dynamodb: Any, tenant: str = "acme", table: str = TABLE) -> dict[str, dict[str, Any]]:
    """Return a tenant's items by sort key, as plain values."""
    answer = dynamodb.query(
        TableName=table,
        KeyConditionExpression="tenant = :tenant",
        ExpressionAttributeValues={":tenant": {"S": tenant}},
        ConsistentRead=True,
    )
    return {item["fingerprint"]["S"]: _plain(item) for item in answer["Items"]}


def rows(dynamodb: Any, tenant: str = "acme", table: str = TABLE) -> dict[str, dict[str, Any]]:
    """Return a tenant's keys by fingerprint."""
    return {name: item for name, item in items(dynamodb, tenant, table).items() if "#" not in name}


def feed(cloud: Stack, handler: Handler, events: Sequence[Mapping[str, Any]] | None = None) -> None:
    """Pass audit events (by default all so far) to register_keys, as the rule on the bus does."""
    matching = [one for one in (cloud.audit() if events is None else events) if one["detail-type"] in KEY_EVENTS]
    if matching:
        assert failures(handler(sqs_event(*matching), None)) == []


def _plain(item: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    return {name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()}
