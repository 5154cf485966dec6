"""The key register: every key that a tenant has had, as the functions keep it in a table of DynamoDB."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from callseal_cli.errors import CannotError
from callseal_cli.screen import Screen
from callseal_cli.stack import Stack

ATTRIBUTES = (
    "tenant",
    "fingerprint",
    "subkey",
    "kind",
    "algorithm",
    "strength",
    "first_seen",
    "accepted",
    "proven",
    "not_after",
    "retired",
    "secret_version_id",
    "use_count",
    "last_used",
)
# What else is in the table (challenges, the daily check's memory) is the functions' own business.
FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")


def table_name(stack: Stack) -> str:
    """Name a stack's register."""
    return f"{stack.name}-key-register"


def keys(stack: Stack, screen: Screen, tenant: str | None = None) -> list[dict[str, Any]]:
    """Return a tenant's keys, or all tenants', in the order of tenants and first sight; raises CannotError.

    An OpenPGP key is there once for each subkey that was sealed to.
    """
    with screen.progress("Keys read") as tick:
        found = []
        for page in _pages(stack, tenant):
            found += [_key(item) for item in page["Items"] if FINGERPRINT.fullmatch(item["fingerprint"]["S"])]
            tick(len(page["Items"]))
    return sorted(found, key=lambda key: (key["tenant"], str(key["first_seen"]), key["fingerprint"]))


def encrypts_with(key: dict[str, Any]) -> str:
    """Return the fingerprint of what a key encrypts with, by which it is proven."""
    return str(key["subkey"] or key["fingerprint"])


def moment(value: object) -> datetime | None:
    """Read a moment as the register writes it, None where there is none."""
    if not isinstance(value, str):
        return None
    read = datetime.fromisoformat(value)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _pages(stack: Stack, tenant: str | None) -> Iterator[Any]:
    name, table = table_name(stack), stack.dynamodb
    try:
        if tenant is None:
            yield from table.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
        else:
            yield from table.get_paginator("query").paginate(
                TableName=name, ConsistentRead=True, KeyConditionExpression="tenant = :tenant",
                ExpressionAttributeValues={":tenant": {"S": tenant}},
            )  # fmt: skip
    except ClientError as exc:
        if exc.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
            raise
        raise NoRegisterError(
            f"The stack {stack.name} has no key register yet (no table {name}). Deploy it anew."
        ) from exc


class NoRegisterError(CannotError):
    """The stack is of before the register."""


def _key(item: dict[str, Any]) -> dict[str, Any]:
    read = TypeDeserializer().deserialize
    values = {name: read(value) for name, value in item.items()}
    if primary := values.get("primary"):
        values |= {"fingerprint": primary, "subkey": values["fingerprint"]}
    return {name: _plain(values.get(name)) for name in ATTRIBUTES}


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, Decimal) else value
