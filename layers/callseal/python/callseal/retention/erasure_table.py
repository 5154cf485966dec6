"""The ledger of erasures in DynamoDB: one item for each request, and one for each of its files.

A file's item is written before the file is deleted. Requests of all tenants are listed in one partition, whose name
cannot be a tenant's, so that a run finds them without reading the whole table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.aws.item_batches import write_each
from callseal.aws.items import ChangedMeanwhileError, conditionally, item, plain
from callseal.retention.erasure import LedgerFile, Request

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PREFIX = "erasure#"
# The partitions that list the requests of all tenants: those to be carried out, and those that are done for good.
LIST, SETTLED = "#erasures", "#settled-erasures"
ANONYMISED = "anonymised#"
READING, WRITING = "Reading the ledger of erasures", "Writing to the ledger of erasures"


class ErasureTable:
    """Reads and writes requests and their files. Each read is of now. Thread-safe."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client, and the table's name."""
        self._client, self._table = client, table

    def create(self, request: Request) -> None:
        """Write a new request. Raise ChangedMeanwhileError if it exists."""
        listed = {"tenant": LIST, "id": f"{request.tenant}#{request.id}"}
        new = {"ConditionExpression": "attribute_not_exists(id)"}
        actions: Any = [
            {"Put": {"TableName": self._table, "Item": item(_members(request)), **new}},
            {"Put": {"TableName": self._table, "Item": item(listed)}},
        ]
        with calling(WRITING, on_TransactionCanceledException=ChangedMeanwhileError):
            self._client.transact_write_items(TransactItems=actions)

    def save(self, request: Request, **changes: Any) -> Request:
        """Write changes of a request and return it. Raise ChangedMeanwhileError if another writer changed it."""
        changed = replace(request, **changes, revision=request.revision + 1)
        if replace(changed, revision=request.revision) == request:
            return request
        with conditionally(WRITING):
            self._client.put_item(
                TableName=self._table,
                Item=item(_members(changed)),
                ConditionExpression="revision = :was",
                ExpressionAttributeValues=item({":was": request.revision}),
            )
        return changed

    def find(self, tenant: str, request: str) -> Request | None:
        """Return a tenant's request, or None."""
        with calling(READING):
            key = item({"tenant": tenant, "id": f"{PREFIX}{request}"})
            found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return _request(plain(found["Item"])) if "Item" in found else None

    def requests(self, tenant: str | None = None, *, settled: bool = True) -> Iterator[Request]:
        """Yield the requests of a tenant, or of all tenants, with or without those that are done for good."""
        begin = f"{tenant}#" if tenant else ""
        listed = [each["id"] for part in (LIST, SETTLED)[: 1 + settled] for each in self._query(part, begin)]
        for name, _, identifier in (each.partition("#") for each in listed):
            if found := self.find(name, identifier):
                yield found

    def settle(self, request: Request) -> None:
        """List a request as done for good."""
        name = f"{request.tenant}#{request.id}"
        actions: Any = [
            {"Put": {"TableName": self._table, "Item": item({"tenant": SETTLED, "id": name})}},
            {"Delete": {"TableName": self._table, "Key": item({"tenant": LIST, "id": name})}},
        ]
        with calling(WRITING):
            self._client.transact_write_items(TransactItems=actions)

    def files(self, request: Request) -> list[LedgerFile]:
        """Return the files of a request, by call, place and id."""
        found = [_file(each) for each in self._query(request.tenant, f"{PREFIX}{request.id}#")]
        return sorted(found, key=lambda file: (file.call, file.place, file.id))

    def save_files(self, files: Iterable[LedgerFile]) -> None:
        """Write files. Raise the first error."""
        puts = {
            _file_key(file): {"Put": {"TableName": self._table, "Item": item(_file_members(file))}} for file in files
        }
        for error in write_each(self._client, WRITING, puts).values():
            raise error

    def anonymise(self, request: Request, call: str, row: Mapping[str, Any], name: str) -> None:
        """Write what stays of a call, under a random name, once for a request and a call."""
        once = {"tenant": request.tenant, "id": f"{ANONYMISED}once#{request.id}#{call}"}
        stays = {"tenant": request.tenant, "id": f"{ANONYMISED}row#{row['day']}#{name}", "row": json.dumps(row)}
        new = {"ConditionExpression": "attribute_not_exists(id)"}
        actions: Any = [{"Put": {"TableName": self._table, "Item": item(each), **new}} for each in (once, stays)]
        try:
            with calling(WRITING, on_TransactionCanceledException=ChangedMeanwhileError):
                self._client.transact_write_items(TransactItems=actions)
        except ChangedMeanwhileError:
            return  # an earlier run has written it

    def anonymised(self, tenant: str) -> list[dict[str, Any]]:
        """Return what stays of a tenant's anonymised calls, oldest day first."""
        return [json.loads(each["row"]) for each in self._query(tenant, f"{ANONYMISED}row#")]

    def _query(self, tenant: str, begin: str) -> Iterator[dict[str, Any]]:
        """Yield the items of a partition whose id begins with a text, by id."""
        begins = " AND begins_with(id, :begin)" if begin else ""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"tenant = :tenant{begins}",
            ExpressionAttributeValues=item({":tenant": tenant, ":begin": begin or None}),
            ConsistentRead=True,
        )
        with calling(READING):
            for page in pages:
                yield from (plain(found) for found in page["Items"])


def _members(request: Request) -> dict[str, Any]:
    members = asdict(request) | {"calls": json.dumps(request.calls), "anonymise": int(request.anonymise)}
    return members | {"id": f"{PREFIX}{request.id}"}


def _request(found: Mapping[str, Any]) -> Request:
    known = {field.name: found[field.name] for field in fields(Request) if field.name in found}
    known |= {"id": found["id"].removeprefix(PREFIX), "calls": tuple(json.loads(found["calls"]))}
    return Request(**{**known, "anonymise": bool(found.get("anonymise"))})


def _file_key(file: LedgerFile) -> str:
    return f"{PREFIX}{file.request}#{file.call}#{file.id}"


def _file_members(file: LedgerFile) -> dict[str, Any]:
    flags = {"fetched": int(file.fetched), "tried": int(file.tried)}
    return asdict(file) | {"id": _file_key(file), **flags}


def _file(found: Mapping[str, Any]) -> LedgerFile:
    known = {field.name: found[field.name] for field in fields(LedgerFile) if field.name in found}
    flags = {name: bool(found.get(name)) for name in ("fetched", "tried")}
    return LedgerFile(**{**known, "id": found["id"].rpartition("#")[2], **flags})
