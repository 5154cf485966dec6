"""The people of each tenant who have signed in, in DynamoDB: who has accepted which version of the terms, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callseal.aws.calls import calling
from callseal.aws.items import item, plain
from callseal.core.audit import timestamp

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from callseal.core.clock import Clock

READING, WRITING = "Reading a user", "Writing a user"


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user who has signed in. `terms` is the version accepted last, and `accepted` when (RFC 3339)."""

    email: str
    signed_in: str
    terms: str | None = None
    accepted: str | None = None


class UserTable:
    """Reads and writes users by tenant and e-mail."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock) -> None:
        """Take the client, the table's name and the clock."""
        self._client, self._table, self._clock = client, table, clock

    def sign_in(self, tenant: str, email: str) -> KnownUser:
        """Record a sign-in, and return the user."""
        with calling(WRITING):
            written = self._client.update_item(
                TableName=self._table,
                Key=item({"tenant": tenant, "email": email}),
                UpdateExpression="SET signed_in = :now",
                ExpressionAttributeValues=item({":now": timestamp(self._clock())}),
                ReturnValues="ALL_NEW",
            )
        return _user(plain(written["Attributes"]))

    def accept(self, tenant: str, email: str, terms: str) -> None:
        """Record that a user has accepted a version of the terms."""
        with calling(WRITING):
            self._client.update_item(
                TableName=self._table,
                Key=item({"tenant": tenant, "email": email}),
                UpdateExpression="SET terms = :terms, accepted = :now",
                ExpressionAttributeValues=item({":terms": terms, ":now": timestamp(self._clock())}),
            )

    def find(self, tenant: str, email: str) -> KnownUser | None:
        """Return a user, or None if the user has never signed in."""
        with calling(READING):
            found = self._client.get_item(
                TableName=self._table, Key=item({"tenant": tenant, "email": email}), ConsistentRead=True
            )
        return _user(plain(found["Item"])) if "Item" in found else None

    def all(self, tenant: str) -> Iterator[KnownUser]:
        """Yield a tenant's users by their e-mails."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="tenant = :tenant",
            ExpressionAttributeValues=item({":tenant": tenant}),
        )
        with calling(READING):
            for page in pages:
                yield from (_user(plain(found)) for found in page["Items"])


def _user(found: dict[str, str]) -> KnownUser:
    return KnownUser(found["email"], found.get("signed_in", ""), found.get("terms"), found.get("accepted"))
