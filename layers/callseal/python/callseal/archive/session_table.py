"""Short-lived items in DynamoDB: sessions, sign-ins under way, and granted accesses. Each has an end.

DynamoDB removes an item some time after its `expires`, so every reader compares it with the clock:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.aws.items import item, plain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from callseal.core.clock import Clock

SECRET_BYTES = 32
DOING = "Reading or writing a session"


def new_secret() -> str:
    """Return a random text of 256 bits for a cookie."""
    return token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> str:
    """Return the hash by which the table knows a cookie's secret. The secret itself is stored nowhere."""
    return sha256(secret.encode()).hexdigest()


class SessionTable:
    """Reads and writes items by their ids, each as of now: a deleted item is gone for the next request."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock) -> None:
        """Take the client, the table's name and the clock."""
        self._client, self._table, self._clock = client, table, clock

    def put(self, name: str, members: Mapping[str, Any], until: datetime) -> None:
        """Write an item that ends at a time. It replaces the one before."""
        with calling(DOING):
            self._client.put_item(
                TableName=self._table, Item=item({**members, "id": name, "expires": int(until.timestamp())})
            )

    def get(self, name: str) -> dict[str, Any] | None:
        """Return an item's members, or None if there is none that has not ended."""
        with calling(DOING):
            found = self._client.get_item(TableName=self._table, Key=item({"id": name}), ConsistentRead=True)
        return self._living(found.get("Item"))

    def take(self, name: str) -> dict[str, Any] | None:
        """Delete an item and return its members as `get`. Of several that take it, one gets it."""
        with calling(DOING):
            found = self._client.delete_item(TableName=self._table, Key=item({"id": name}), ReturnValues="ALL_OLD")
        return self._living(found.get("Attributes"))

    def _living(self, found: Any) -> dict[str, Any] | None:
        members = plain(found) if found else None
        return members if members and members["expires"] > self._clock().timestamp() else None
