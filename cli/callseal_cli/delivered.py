"""The register of delivered files: what became of each, as the functions keep it in a table of DynamoDB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from callseal.aws.items import plain
from callseal.core.audit import timestamp
from callseal.sftp.file_table import INDEX, SHARDS
from callseal_cli.register import NoRegisterError
from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

ATTRIBUTES = ("tenant", "key", "state", "delivered", "expires", "fetched", "size")
# The first complaint about a file that nobody fetches comes then (watch_files).
NEAR_END = timedelta(days=3)


def files(stack: Stack, screen: Screen, tenant: str, state: str | None = None) -> list[dict[str, Any]]:
    """Give a tenant's delivered files, those of a state or all, in the order of their delivery; raises CannotError."""
    # A download that was told of before its delivery is not one of them yet.
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
    """Count by tenant the files that were not fetched and have 3 days left or less; raises NoRegisterError.

    It looks at those alone of which something is due by then, in the index of unfetched files.
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
    """Name the table; where it is not there, say what to do."""
    table = f"{stack.name}-files"
    try:
        yield table
    except ClientError as exc:
        if exc.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
            raise
        raise NoRegisterError(
            f"The stack {stack.name} has no register of delivered files yet (no table {table}). Deploy it anew."
        ) from exc
