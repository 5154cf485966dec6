"""The announcements of each tenant's key: what checks have reported to the audit, so that they report it once."""

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

# Longer than it takes to put a few events on the bus.
CLAIM = timedelta(seconds=15)
# A fingerprint, its expiry (RFC 3339), and the last threshold in days that was announced.
Expiring = tuple[str, str, int]


class _TakenError(CallsealError):
    """Another check is about to announce something about this tenant's key, or has done so."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What was announced of a tenant's key.

    `verdict` is the event id of the last verdict, and `number` counts how often the verdict changed. `expiring` has the
    announced expiries that are still to come.
    """

    verdict: str = ""
    expiring: tuple[Expiring, ...] = ()
    number: int = 0

    def then(self, verdict: str, expiring: tuple[Expiring, ...]) -> Announcement:
        """Return the announcement after a new verdict and new expiries.

        The number increases if the verdict changes. A version of the secret that is put back has an earlier verdict's
        id, and the number makes its event a new one.
        """
        return Announcement(verdict, expiring, self.number + (self.verdict not in ("", verdict)))


class AnnouncementLog:
    """Reads and writes announcements, in the table of counted events.

    A check claims a tenant before it announces something. The claim excludes other checks for a few seconds.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client, and the table's name."""
        self._client, self._table = client, table

    def read(self, tenant: str) -> Announcement:
        """Return what was announced of a tenant's key, or an empty Announcement."""
        with calling("Reading a key's announcements"):
            name = {"event_id": {"S": _name(tenant)}}
            item = self._client.get_item(TableName=self._table, Key=name, ConsistentRead=True).get("Item")
        if not item:
            return Announcement()
        expiring = json.loads(item["expiring"]["S"])
        number = int(item.get("number", {"N": "0"})["N"])
        return Announcement(item["verdict"]["S"], tuple((name, end, days) for name, end, days in expiring), number)

    def claim(self, tenant: str, before: Announcement, now: datetime) -> bool:
        """Claim the right to announce something new about a tenant's key. Return whether that succeeded.

        It fails if another check has a claim, or if what was announced is no longer `before`.
        """
        item = _item(tenant, before)
        condition = (
            "verdict = :verdict AND expiring = :expiring AND (attribute_not_exists(held) OR held < :now) "
            "AND (attribute_not_exists(#number) OR #number = :number)"
        )
        if before == Announcement():
            condition = f"attribute_not_exists(event_id) OR ({condition})"
        try:
            with calling("Claiming a key's announcement", on_ConditionalCheckFailedException=_TakenError):
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

    def save(self, tenant: str, announced: Announcement) -> None:
        """Save what was announced of a tenant's key, and end the claim."""
        with calling("Saving a key's announcements"):
            self._client.put_item(TableName=self._table, Item=_item(tenant, announced))


def _item(tenant: str, announced: Announcement) -> dict[str, Any]:
    expiring = json.dumps(announced.expiring)
    members = {"event_id": _name(tenant), "verdict": announced.verdict, "expiring": expiring}
    return {**{name: {"S": value} for name, value in members.items()}, "number": {"N": str(announced.number)}}


def _name(tenant: str) -> str:
    # No event id has this form. The item has no `expires_at`, so DynamoDB does not expire it.
    return f"told#{tenant}"
