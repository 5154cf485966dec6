"""The register of delivered files: the state of each, from the functions' table in DynamoDB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from callseal.aws.items import plain
from callseal.core.audit import timestamp
from callseal.sftp.file_state import THRESHOLD_DAYS
from callseal.sftp.file_table import INDEX, SHARDS
from callseal_cli.register import NoRegisterError
from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

TABLE = "files"
ATTRIBUTES = ("tenant", "key", "state", "delivered", "expires", "fetched", "size")
# watch_files emits the first event about an unfetched file at the same time.
NEAR_END = timedelta(days=max(THRESHOLD_DAYS))


def files(stack: Stack, screen: Screen, tenant: str, state: str | None = None) -> list[dict[str, Any]]:
    """Return a tenant's delivered files, those in a state or all, by time of delivery. Raise CannotError."""
    # Without a state: a download was reported before its delivery, so the file is not listed yet.
    values, names = {":tenant": {"S": tenant}}, {"#state": "state"}
    wanted = "#state = :state" if state else "attribute_exists(#state)"
    with screen.progress("Files read") as tick, _register(stack) as table:
        found = []
        for page in stack.dynamodb.get_paginator("query").paginate(
            TableName=table, ConsistentRead=True, KeyConditionExpression="tenant = :tenant", FilterExpression=wanted,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values | ({":state": {"S": state}} if state else {}),
        ):  # fmt: skip
            items = [plain(item) for item in page["Items"]]
            found += [{name: item.get(name) for name in ATTRIBUTES} for item in items]
            tick(len(items))
    return sorted(found, key=lambda file: (file["delivered"], file["key"]))


def near_end(stack: Stack, screen: Screen, now: datetime) -> dict[str, int]:
    """Return for each tenant how many files were not fetched and have 3 days left or less. Raise NoRegisterError.

    Only the index of unfetched files is read.
    """
    until, counts = {"S": timestamp(now + NEAR_END)}, Counter[str]()
    with screen.progress("Unfetched files read") as tick, _register(stack) as table:
        for shard in SHARDS:
            for page in stack.dynamodb.get_paginator("query").paginate(
                TableName=table, IndexName=INDEX, KeyConditionExpression="#shard = :shard AND #due <= :until",
                FilterExpression="#expires <= :until",
                ExpressionAttributeNames={f"#{name}": name for name in ("shard", "due", "expires")},
                ExpressionAttributeValues={":shard": {"S": shard}, ":until": until},
            ):  # fmt: skip
                counts.update(item["tenant"]["S"] for item in page["Items"])
                tick(len(page["Items"]))
    return dict(sorted(counts.items()))


@contextmanager
def _register(stack: Stack) -> Iterator[str]:
    """Yield the table's name. Raise NoRegisterError if the table does not exist."""
    table = stack.table(TABLE)
    try:
        yield table
    except ClientError as exc:
        if exc.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
            raise
        raise NoRegisterError(
            f"The stack {stack.name} has no register of delivered files yet (no table {table}). Deploy it again."
        ) from exc
