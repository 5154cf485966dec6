"""What the daily check has told of each tenant's key, so that it tells it once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.core.audit import timestamp
from callseal.core.errors import CallsealError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Longer than a few events take to be put on the bus.
CLAIM = timedelta(seconds=15)
# A fingerprint, the end that it was told of, and the last threshold in days.
Expiring = tuple[str, str, int]


class _TakenError(CallsealError):
    """Somebody else is about to tell something of this tenant, or has done so."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """The id of the last verdict, what was told of ends that are still to come, and how often the verdict changed."""

    verdict: str = ""
    expiring: tuple[Expiring, ...] = ()
    number: int = 0

    def then(self, verdict: str, expiring: tuple[Expiring, ...]) -> Announcement:
        """Return what is told after this: a version of the secret that is put back has the verdict of before."""
        return Announcement(verdict, expiring, self.number + (self.verdict not in ("", verdict)))


class AnnouncementLog:
    """Remembers it beside the events that were counted; who is about to tell something has it to itself for a while."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client, and the table's name."""
        self._client, self._table = client, table

    def told(self, tenant: str) -> Announcement:
        """Give what was told of a tenant."""
        with calling("Reading what was told of a key"):
            name = {"event_id": {"S": _name(tenant)}}
            item = self._client.get_item(TableName=self._table, Key=name, ConsistentRead=True).get("Item")
        if not item:
            return Announcement()
        expiring = json.loads(item["expiring"]["S"])
        number = int(item.get("number", {"N": "0"})["N"])
        return Announcement(item["verdict"]["S"], tuple((name, end, days) for name, end, days in expiring), number)

    def claim(self, tenant: str, before: Announcement, now: datetime) -> bool:
        """Take the right to tell something new; False where somebody else has it, or has told something meanwhile."""
        item = _item(tenant, before)
        condition = (
            "verdict = :verdict AND expiring = :expiring AND (attribute_not_exists(held) OR held < :now) "
            "AND (attribute_not_exists(#number) OR #number = :number)"
        )
        if before == Announcement():
            condition = f"attribute_not_exists(event_id) OR ({condition})"
        try:
            with calling("Claiming to tell of a key", on_ConditionalCheckFailedException=_TakenError):
                self._client.put_item(
                    TableName=self._table,
                    Item=item | {"held": {"S": timestamp(now + CLAIM)}},
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#number": "number"},
                    ExpressionAttributeValues={
                        ":number": item["number"],
                        ":verdict": item["verdict"],
                        ":expiring": item["expiring"],
                        ":now": {"S": timestamp(now)},
                    },
                )
        except _TakenError:
            return False
        return True

    def keep(self, tenant: str, told: Announcement) -> None:
        """Remember what was told of a tenant, and give the right back."""
        with calling("Keeping what was told of a key"):
            self._client.put_item(TableName=self._table, Item=_item(tenant, told))


def _item(tenant: str, told: Announcement) -> dict[str, Any]:
    expiring = json.dumps(told.expiring)
    members = {"event_id": _name(tenant), "verdict": told.verdict, "expiring": expiring}
    return {**{name: {"S": value} for name, value in members.items()}, "number": {"N": str(told.number)}}


def _name(tenant: str) -> str:
    # No event's id has this form, and an item without an end stays.
    return f"told#{tenant}"
