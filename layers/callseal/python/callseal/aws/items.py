"""DynamoDB items: conversion from and to plain members, and writes on condition that the item has not changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callseal.aws.calls import calling
from callseal.core.errors import TransientError


class ChangedMeanwhileError(TransientError):
    """Another writer has changed this item since it was read."""


def item(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return members (integers or strings) as DynamoDB's typed values. None is left out."""
    written = ((name, value) for name, value in members.items() if value is not None)
    return {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in written}


def plain(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a DynamoDB item. Values other than numbers and strings become None."""
    return {name: int(value["N"]) if "N" in value else value.get("S") for name, value in found.items()}


def as_it_was(members: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the condition that members have their earlier values (None if absent), and the condition's own values.

    The condition names each member `#member` and its earlier value `:was_member`.
    """
    were = {f":was_{name}": value for name, value in members.items() if value is not None}
    parts = [
        f"attribute_not_exists(#{name})" if value is None else f"#{name} = :was_{name}"
        for name, value in members.items()
    ]
    return " AND ".join(parts), were


def conditionally(doing: str) -> Any:
    """Return `calling`, with ChangedMeanwhileError for a condition that does not hold."""
    # A concurrent transaction on the same item conflicts with a write. Both are retried.
    changed = ("ConditionalCheckFailedException", "TransactionConflictException")
    return calling(doing, **{f"on_{code}": ChangedMeanwhileError for code in changed})
