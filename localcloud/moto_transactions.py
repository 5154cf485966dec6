"""A repair of moto: its DynamoDB transactions copy only the items that they write instead of whole tables."""

import copy
import functools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.dynamodb import models as dynamodb
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

# A table, hash key, range key, and the item that is stored there.
_Place = tuple[Table, Any, Any, Any]


def copy_little_for_transactions() -> None:
    """Make moto's transactions copy the items that they write, and restore these if they are cancelled.

    moto itself copies the whole table for each action, so that 100 actions on 1,000 items take seconds.
    """
    write = DynamoDBBackend.transact_write_items
    if hasattr(write, "__wrapped__"):
        return

    @functools.wraps(write)
    def transact(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        before = list(_written(self, transact_items))
        try:
            write(self, transact_items)
        except Exception:
            _restore(before)
            raise

    DynamoDBBackend.transact_write_items = transact  # type: ignore[method-assign]
    dynamodb.copy = SimpleNamespace(deepcopy=_copy)  # type: ignore[assignment,attr-defined]


def _copy(value: Any) -> Any:
    return value if isinstance(value, Table) else copy.deepcopy(value)


def _written(backend: DynamoDBBackend, transact_items: Sequence[dict[str, Any]]) -> Iterator[_Place]:
    """Return the places that a transaction writes to, with copies of their items. Skip invalid actions."""
    for ((_, action),) in (each.items() for each in transact_items):
        with suppress(JsonRESTError, KeyError):
            table = backend.get_table(action["TableName"])
            hash_key, range_key = backend.get_keys_value(table, action.get("Key") or action["Item"])
            yield table, hash_key, range_key, copy.deepcopy(table.get_item(hash_key, range_key))


def _restore(places: Sequence[_Place]) -> None:
    for table, hash_key, range_key, item in places:
        if item is None:
            table.delete_item(hash_key, range_key)
        elif range_key:
            table.items[hash_key][range_key] = item
        else:
            table.items[hash_key] = item
