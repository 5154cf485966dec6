"""The register of delivered files in DynamoDB: the state of each file.

The table has one partition for each tenant and one item for each file. The sparse index `due` contains only files that
have not been fetched, sorted by when the next event about them is due, so the watch reads no other files. The index has
16 partitions (shards, by a hash of the file's key), because one could not hold the rate of a busy hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from callseal.aws import item_batches
from callseal.aws.calls import calling
from callseal.aws.items import as_it_was, conditionally, item, plain
from callseal.core.audit import timestamp
from callseal.core.errors import CallsealError
from callseal.sftp.file_state import DeliveredFile

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "due"
SHARDS = tuple("0123456789abcdef")
PAGE = 500
# The attributes that events change. The other attributes are derived from these.
_CHANGING = ("delivery", "delivered", "fetched", "told")
# A file's tenant and key.
Name = tuple[str, str]


class FileRegister:
    """Reads and writes the items of files. It is thread-safe."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client, and the table's name."""
        self._client, self._table = client, table

    def find(self, tenant: str, key: str) -> DeliveredFile:
        """Return a file as it is registered. One without an item has only its tenant and its key."""
        with calling("Reading the file register"):
            found = self._client.get_item(TableName=self._table, Key=item(_key((tenant, key))), ConsistentRead=True)
        return _file(_key((tenant, key)) | plain(found.get("Item", {})))

    def find_all(self, names: Iterable[Name]) -> dict[Name, DeliveredFile | CallsealError]:
        """Return each file as it is registered, or the error if it could not be read. One request reads 100 files."""
        keys = {name: _key(name) for name in names}
        found = item_batches.read_each(self._client, "Reading the file register", self._table, keys)
        return {
            name: members if isinstance(members, CallsealError) else _file(keys[name] | members)
            for name, members in found.items()
        }

    def save(self, file: DeliveredFile, before: DeliveredFile) -> None:
        """Write a file's item. Raise ChangedMeanwhileError if it is no longer as it was read (`before`)."""
        with conditionally("Writing to the file register"):
            self._client.put_item(**self._put(file, before))

    def save_all(self, changes: Iterable[tuple[DeliveredFile, DeliveredFile]]) -> dict[Name, CallsealError]:
        """Write files (each as it is now, and as it was read). Return the error of each file that was not written.

        One request writes 100 files. The error is ChangedMeanwhileError if the item is no longer as it was read.
        """
        puts = {(file.tenant, file.key): {"Put": self._put(file, before)} for file, before in changes}
        return item_batches.write_each(self._client, "Writing to the file register", puts)

    def due(self, shard: str, now: datetime) -> Iterator[Sequence[tuple[str, str]]]:
        """Return tenant and key of a shard's files for which an event is due, in pages, the longest due first.

        The index is eventually consistent, so the caller must read the file itself to see whether it is still due.
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

    def _put(self, file: DeliveredFile, before: DeliveredFile) -> Any:
        condition, were = as_it_was({name: getattr(before, name) for name in _CHANGING})
        values: dict[str, Any] = {"ExpressionAttributeValues": item(were)} if were else {}
        return {
            "TableName": self._table,
            "Item": item(asdict(file) | _derived(file)),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {f"#{name}": name for name in _CHANGING},
            **values,
        }


def _key(name: Name) -> dict[str, str]:
    return {"tenant": name[0], "key": name[1]}


def _file(members: dict[str, Any]) -> DeliveredFile:
    return DeliveredFile(
        **{field.name: members[field.name] for field in fields(DeliveredFile) if field.name in members}
    )


def _derived(file: DeliveredFile) -> dict[str, Any]:
    """Return the attributes for the index (`shard`, `due`), readers (`state`) and DynamoDB's TTL (`expires_at`)."""
    due, forgotten = file.due, file.forgotten
    shard = sha256(file.key.encode()).hexdigest()[0]
    return {
        "state": file.state,
        "shard": shard if due else None,
        "due": timestamp(due) if due else None,
        "expires_at": int(forgotten.timestamp()) if forgotten else None,
    }
