"""Counts what AWS bills for requests: by operation, and for DynamoDB by the units of the items, indexes included.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from time import thread_time
from typing import Any

from botocore.awsrequest import AWSResponse

from tests.support.network import Network, Request

# What a request to AWS is billed as, but for DynamoDB and PutEvents, which are billed by what they have in them.
BILLED_AS = {
    **dict.fromkeys(("PutObject", "CopyObject", "ListObjectsV2", "ListObjectVersions"), "s3_write"),
    **dict.fromkeys(("PutObjectLegalHold", "PutObjectRetention"), "s3_write"),
    **dict.fromkeys(("GetObject", "HeadObject"), "s3_read"),
    **dict.fromkeys(("DeleteObject", "DeleteObjects"), "s3_delete"),
    **dict.fromkeys(("SendMessage", "SendMessageBatch"), "sqs"),
    **dict.fromkeys(("GenerateMac", "GetPublicKey"), "kms"),
    "Sign": "kms_sign",
    **dict.fromkeys(("GetParameters", "GetParametersByPath", "GetParameter"), "free"),
}
INDEXES = {
    "started": "tenant",
    "due": "tenant",
    "session": "session",
    "party": "party",
    "agent": "agent",
    "queue": "queue",
}
READS = ("GetItem", "Query", "BatchGetItem")


@dataclass
class MeteredNetwork(Network):
    """A network that counts units, and the seconds of CPU that moto takes, which are none of the function's."""

    dynamodb: Any = None
    units: Counter[str] = field(default_factory=Counter)
    carried: float = 0.0

    def clear(self) -> None:
        """Forget all requests so far."""
        self.requests.clear()
        self.units.clear()
        self.carried = 0.0

    def _carry(self, request: Request, event_name: str) -> AWSResponse | None:
        started = thread_time()
        try:
            return self._metered(request, event_name)
        finally:
            self.carried += thread_time() - started

    def _metered(self, request: Request, event_name: str) -> AWSResponse | None:
        if request.operation in BILLED_AS:
            self.units[BILLED_AS[request.operation]] += 1
            return super()._carry(request, event_name)
        if request.operation == "PutEvents":
            self.units["eventbridge"] += len(request.members["Entries"])
            return super()._carry(request, event_name)
        writes = [*_writes(request)]
        before = [self._item(*each) for each in writes]
        answer = super()._carry(request, event_name)
        if request.operation in READS:
            self.units["dynamodb_read"] += _read_units(request, json.loads(answer.content) if answer else {})
        else:
            after = [self._item(*each) for each in writes]
            factor = 2 if request.operation == "TransactWriteItems" else 1
            self.units["dynamodb_write"] += sum(map(_write_units, before, after, [factor] * len(writes)))
        return answer

    def _item(self, table: str, key: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self.dynamodb.get_item(TableName=table, Key=key).get("Item", {}))


def _writes(request: Request) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the table and the key of each item that a request writes or checks."""
    actions = [next(iter(each.values())) for each in request.members.get("TransactItems", [])]
    for action in actions or ([] if request.operation in READS else [request.members]):
        names = ("tenant", "id") if "place" not in (action.get("Key") or {}) else ("tenant", "place")
        yield action["TableName"], action.get("Key") or {name: action["Item"][name] for name in names}


def _write_units(before: Mapping[str, Any], after: Mapping[str, Any], factor: int) -> int:
    """Return the units of a write: each KB of the larger item, and each entry of an index that goes or comes."""
    entries = sum(
        (_entry(before, index, key) is not None) + (_entry(after, index, key) is not None)
        for index, key in INDEXES.items()
        if _entry(before, index, key) != _entry(after, index, key)
    )
    return factor * max(1, -(-max(_size(before), _size(after)) // 1024)) + entries


def _entry(item: Mapping[str, Any], index: str, key: str) -> tuple[Any, Any] | None:
    place = item.get("due" if index == "due" else "place")
    return (item[key], place) if place and key in item else None


def _read_units(request: Request, answer: Mapping[str, Any]) -> float:
    """Return the units of a read: each 4 KB, of each item alone but for a query. Half if it may be stale."""
    members = request.members
    if request.operation == "Query":
        size = sum(map(_size, answer.get("Items", [])))
        return max(1, -(-size // 4096)) / (1 if members.get("ConsistentRead") else 2)
    if request.operation == "GetItem":
        return _kilobytes(answer.get("Item", {})) / (1 if members.get("ConsistentRead") else 2)
    units = 0.0
    for table, asked in members["RequestItems"].items():
        found = answer.get("Responses", {}).get(table, [])
        missing = len(asked["Keys"]) - len(found)
        units += (sum(map(_kilobytes, found)) + missing) / (1 if asked.get("ConsistentRead") else 2)
    return units


def _kilobytes(item: Mapping[str, Any]) -> int:
    return max(1, -(-_size(item) // 4096))


def _size(item: Mapping[str, Any]) -> int:
    """Return the size of an item: its names, and its values as UTF-8."""
    return sum(len(name) + len(str(next(iter(value.values()))).encode()) for name, value in item.items())
