"""The key register: every key that a tenant has had, from the functions' table in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from callseal.aws.items import plain
from callseal.keys.register import FINGERPRINT, KeyRecord
from callseal_cli.errors import CannotError
from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

TABLE = "key-register"
# Shown as `fingerprint` and `subkey`, or not at all.
_NOT_SHOWN = {"fingerprint", "primary", "last_accepted", "revoked"}
ATTRIBUTES = ("tenant", "fingerprint", "subkey", *(f.name for f in fields(KeyRecord) if f.name not in _NOT_SHOWN))


class NoRegisterError(CannotError):
    """The stack was deployed from a version without this register."""


def keys(stack: Stack, screen: Screen, tenant: str | None = None) -> list[dict[str, Any]]:
    """Return the keys of one tenant or of all, sorted by tenant and first appearance. Raise NoRegisterError.

    An OpenPGP key is listed once for each subkey that files were sealed to. The table's other items are skipped.
    """
    with screen.progress("Keys read") as tick:
        found = []
        for page in _pages(stack, tenant):
            found += [_key(item) for item in page["Items"] if FINGERPRINT.fullmatch(item["fingerprint"]["S"])]
            tick(len(page["Items"]))
    return sorted(found, key=lambda key: (key["tenant"], str(key["first_seen"]), key["fingerprint"]))


def moment(value: object) -> datetime | None:
    """Return a time of the register as a datetime, or None if the key has none."""
    if not isinstance(value, str):
        return None
    read = datetime.fromisoformat(value)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _pages(stack: Stack, tenant: str | None) -> Iterator[Any]:
    table = stack.table(TABLE)
    try:
        if tenant is None:
            yield from stack.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        else:
            yield from stack.dynamodb.get_paginator("query").paginate(
                TableName=table, ConsistentRead=True, KeyConditionExpression="tenant = :tenant",
                ExpressionAttributeValues={":tenant": {"S": tenant}},
            )  # fmt: skip
    except ClientError as exc:
        if exc.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
            raise
        raise NoRegisterError(
            f"The stack {stack.name} has no key register yet (no table {table}). Deploy it again."
        ) from exc


def _key(item: dict[str, Any]) -> dict[str, Any]:
    values = plain(item)
    if primary := values.get("primary"):
        values |= {"fingerprint": primary, "subkey": values["fingerprint"]}
    return {name: values.get(name) for name in ATTRIBUTES}
