"""The register of delivered files in DynamoDB: what became of each.

One partition for each tenant, an item for each file. Files that are not fetched, and they alone, stand in the index
`due` as well, by when something is to be told of them next: who looks for these reads nothing else. Its partitions are
16 shards, by the file's name, for all files of a busy hour would be too many for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from callseal.audit import timestamp
from callseal.aws.calls import calling
from callseal.aws.items import as_it_was, conditionally, item, plain
from callseal.sftp.files import File

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "due"
SHARDS = tuple("0123456789abcdef")
PAGE = 500
# What events change; what else an item has follows from these.
_CHANGING = ("delivery", "delivered", "fetched", "told")


class FileRegister:
    """Reads and writes files' items; safe to use from several threads."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client, and the table's name."""
        self._client, self._table = client, table

    def find(self, tenant: str, key: str) -> File:
        """Read what is known of a file."""
        with calling("Reading the file register"):
            name = item({"tenant": tenant, "key": key})
            found = self._client.get_item(TableName=self._table, Key=name, ConsistentRead=True).get("Item", {})
        members = plain(found)
        known = {field.name: members[field.name] for field in fields(File) if field.name in members}
        return File(**{"tenant": tenant, "key": key} | known)

    def keep(self, file: File, before: File) -> None:
        """Write a file's item over the one that was read; ChangedMeanwhileError where that is no longer there."""
        condition, were = as_it_was({name: getattr(before, name) for name in _CHANGING})
        values: dict[str, Any] = {"ExpressionAttributeValues": item(were)} if were else {}
        with conditionally("Writing to the file register"):
            self._client.put_item(
                TableName=self._table,
                Item=item(asdict(file) | _derived(file)),
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in _CHANGING},
                **values,
            )

    def due(self, shard: str, now: datetime) -> Iterator[Sequence[tuple[str, str]]]:
        """Give tenants and keys of a shard's files of which something is to be told, the longest due first, in pages.

        The index is behind by moments: whether it is so still, the file itself says.
        """
        start: dict[str, Any] = {}
        while True:
            with calling("Looking for files that are due"):
                answer = self._client.query(
                    TableName=self._table,
                    IndexName=INDEX,
                    KeyConditionExpression="#shard = :shard AND #due <= :now",
                    ExpressionAttributeNames={"#shard": "shard", "#due": "due"},
                    ExpressionAttributeValues=item({":shard": shard, ":now": timestamp(now)}),
                    Limit=PAGE,
                    **start,
                )
            yield [(found["tenant"]["S"], found["key"]["S"]) for found in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _derived(file: File) -> dict[str, Any]:
    """Give what an item has for its readers, its index and its end."""
    due, forgotten = file.due, file.forgotten
    shard = sha256(file.key.encode()).hexdigest()[0]
    return {
        "state": file.state,
        "shard": shard if due else None,
        "due": timestamp(due) if due else None,
        "expires_at": int(forgotten.timestamp()) if forgotten else None,
    }
