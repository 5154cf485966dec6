"""Items of DynamoDB: plain members in and out, and writes on the condition that nobody else has written meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callseal.aws.calls import calling
from callseal.core.errors import TransientError


class ChangedMeanwhileError(TransientError):
    """Somebody else has written this item since it was read."""


def item(members: Mapping[str, Any]) -> dict[str, Any]:
    """Write members as DynamoDB's typed values; None is left out."""
    written = ((name, value) for name, value in members.items() if value is not None)
    return {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in written}


def plain(found: Mapping[str, Any]) -> dict[str, Any]:
    """Read an item's members."""
    return {name: int(value["N"]) if "N" in value else value.get("S") for name, value in found.items()}


def as_it_was(members: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Write the condition that members still are what they were (None: not there), and its values by their names.

    The condition names each member `#member`.
    """
    were = {f":was_{name}": value for name, value in members.items() if value is not None}
    parts = [
        f"attribute_not_exists(#{name})" if value is None else f"#{name} = :was_{name}"
        for name, value in members.items()
    ]
    return " AND ".join(parts), were


def conditionally(doing: str) -> Any:
    """Turn a condition that does not hold into ChangedMeanwhileError."""
    # A count that is under way conflicts with a write of the same row; both are tried again.
    changed = ("ConditionalCheckFailedException", "TransactionConflictException")
    return calling(doing, **{f"on_{code}": ChangedMeanwhileError for code in changed})
