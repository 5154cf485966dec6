"""The calls that are due to be deleted, from an index of their own, and how many calls a tenant has.

The indexes are eventually consistent, so a caller reads each card itself before it acts on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.aws.items import item
from callseal.calls.card_table import DUE, STARTED
from callseal.core.audit import timestamp

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Sorts after each id.
LAST_ID = "~"


class DueCards:
    """Queries the indexes of the calls table. Thread-safe."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client and the table's name."""
        self._client, self._table = client, table

    def places(self, tenant: str, until: datetime, after: str | None, limit: int) -> list[str]:
        """Return places in the index (`<dispose_on>#<id>`), the longest due first, up to a time, after a place."""
        page = next(self._pages(DUE, tenant, (after, until), Limit=limit))
        return [found[DUE]["S"] for found in page["Items"] if found[DUE]["S"] != after]

    def count(self, tenant: str, until: datetime, enough: int) -> int:
        """Return how many calls are due, or a number of at least `enough` if there are as many."""
        return _count(self._pages(DUE, tenant, (None, until), Select="COUNT"), enough)

    def count_listed(self, tenant: str, enough: int) -> int:
        """Return how many calls a tenant has, or a number of at least `enough` if it has as many."""
        return _count(self._pages(STARTED, tenant, None, Select="COUNT"), enough)

    def _pages(
        self, index: str, tenant: str, span: tuple[str | None, datetime] | None, **options: Any
    ) -> Iterator[dict[str, Any]]:
        condition, values, start = "tenant = :tenant", {":tenant": tenant}, dict[str, Any]()
        if span:
            # A space sorts before each place.
            condition += " AND due BETWEEN :low AND :high"
            values |= {":low": span[0] or " ", ":high": timestamp(span[1]) + LAST_ID}
        while True:
            with calling("Looking for calls that are due"):
                page: Any = self._client.query(
                    TableName=self._table, IndexName=index, KeyConditionExpression=condition,
                    ExpressionAttributeValues=item(values), **options, **start,
                )  # fmt: skip
            yield page
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _count(pages: Iterator[dict[str, Any]], enough: int) -> int:
    total = 0
    for page in pages:
        total += page["Count"]
        if total >= enough:
            break
    return total
