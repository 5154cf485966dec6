"""What the daily check has told of each tenant's key, so that it tells it once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from callseal.audit import timestamp
from callseal.aws.calls import calling
from callseal.errors import CallsealError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Longer than a few events take to be put on the bus.
CLAIM = timedelta(seconds=15)
# A fingerprint, the end that it was told of, and the last threshold in days.
Expiring = tuple[str, str, int]


class _TakenError(CallsealError):
    """Somebody else is about to tell something of this tenant, or has done so."""


@dataclass(frozen=True, slots=True)
class Told:
    """The id of the last verdict, and what was told of ends that are still to come."""

    verdict: str = ""
    expiring: tuple[Expiring, ...] = ()


class Memory:
    """Remembers it beside the events that were counted; who is about to tell something has it to itself for a while."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client, and the table's name."""
        self._client, self._table = client, table

    def told(self, tenant: str) -> Told:
        """Give what was told of a tenant."""
        with calling("Reading what was told of a key"):
            name = {"event_id": {"S": _name(tenant)}}
            item = self._client.get_item(TableName=self._table, Key=name, ConsistentRead=True).get("Item")
        if not item:
            return Told()
        expiring = json.loads(item["expiring"]["S"])
        return Told(item["verdict"]["S"], tuple((name, end, days) for name, end, days in expiring))

    def claim(self, tenant: str, before: Told, now: datetime) -> bool:
        """Take the right to tell something new; False where somebody else has it, or has told something meanwhile."""
        item = _item(tenant, before)
        condition = "verdict = :verdict AND expiring = :expiring AND (attribute_not_exists(held) OR held < :now)"
        if before == Told():
            condition = f"attribute_not_exists(event_id) OR ({condition})"
        try:
            with calling("Claiming to tell of a key", on_ConditionalCheckFailedException=_TakenError):
                self._client.put_item(
                    TableName=self._table,
                    Item=item | {"held": {"S": timestamp(now + CLAIM)}},
                    ConditionExpression=condition,
                    ExpressionAttributeValues={
                        ":verdict": item["verdict"],
                        ":expiring": item["expiring"],
                        ":now": {"S": timestamp(now)},
                    },
                )
        except _TakenError:
            return False
        return True

    def keep(self, tenant: str, told: Told) -> None:
        """Remember what was told of a tenant, and give the right back."""
        with calling("Keeping what was told of a key"):
            self._client.put_item(TableName=self._table, Item=_item(tenant, told))


def _item(tenant: str, told: Told) -> dict[str, Any]:
    expiring = json.dumps(told.expiring)
    return {"event_id": {"S": _name(tenant)}, "verdict": {"S": told.verdict}, "expiring": {"S": expiring}}


def _name(tenant: str) -> str:
    # No event's id has this form, and an item without an end stays.
    return f"told#{tenant}"
