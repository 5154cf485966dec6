"""What the daily check has told of each tenant's key, so that it tells it once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callseal.aws.calls import calling

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A fingerprint, the end that it was told of, and the last threshold in days.
Expiring = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Told:
    """The id of the last verdict, and what was told of ends that are still to come."""

    verdict: str = ""
    expiring: tuple[Expiring, ...] = ()


class Memory:
    """Remembers it beside the events that were counted; two checks at once tell something twice, under one id."""

    def __init__(self, client: Callable[[], DynamoDBClient], table: str) -> None:
        """Take what gives the client, and the table's name."""
        self._client, self._table = client, table

    def told(self, tenant: str) -> Told:
        """Give what was told of a tenant."""
        with calling("Reading what was told of a key"):
            name = {"event_id": {"S": _name(tenant)}}
            item = self._client().get_item(TableName=self._table, Key=name, ConsistentRead=True).get("Item")
        if not item:
            return Told()
        expiring = json.loads(item["expiring"]["S"])
        return Told(item["verdict"]["S"], tuple((name, end, days) for name, end, days in expiring))

    def keep(self, tenant: str, told: Told) -> None:
        """Remember what was told of a tenant."""
        with calling("Keeping what was told of a key"):
            self._client().put_item(
                TableName=self._table,
                Item={
                    "event_id": {"S": _name(tenant)},
                    "verdict": {"S": told.verdict},
                    "expiring": {"S": json.dumps(told.expiring)},
                },
            )


def _name(tenant: str) -> str:
    # No event's id has this form, and an item without an end stays.
    return f"told#{tenant}"
