"""Requests to DynamoDB with many items, in which a failed item does not fail the others.

Limits and errors: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html and
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from callseal.aws.calls import calling
from callseal.aws.items import ChangedMeanwhileError, item, plain
from callseal.core.errors import CallsealError, TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Name = TypeVar("Name", bound=Hashable)
Result = TypeVar("Result")

# The limit of both BatchGetItem and TransactWriteItems.
MAX_ITEMS = 100
TRIES, PAUSE_SECONDS = 5, 0.05
# Codes of a cancelled transaction's reasons.
CONDITION_FAILED, CONFLICT = "ConditionalCheckFailed", "TransactionConflict"


class InvalidRequestError(TransientError):
    """DynamoDB rejected a whole request because one of its items is invalid."""


class _CancelledError(TransientError):
    """DynamoDB cancelled a transaction and wrote none of its items."""


def requesting(doing: str, **outcomes: type[CallsealError]) -> Any:
    """Return `calling`, with InvalidRequestError for a request that has an invalid item."""
    invalid = dict.fromkeys(("on_ValidationException", "on_SerializationException"), InvalidRequestError)
    return calling(doing, **invalid, **outcomes)


def in_hundreds(names: Iterable[Name]) -> list[list[Name]]:
    """Return names in batches of at most MAX_ITEMS."""
    listed = list(names)
    return [listed[start : start + MAX_ITEMS] for start in range(0, len(listed), MAX_ITEMS)]


def in_batches(
    request: Callable[[Sequence[Name]], Mapping[Name, Result]], batches: Iterable[Sequence[Name]]
) -> dict[Name, Result | CallsealError]:
    """Send a request for each batch of names. Return the result or the error for each name.

    An invalid request is split in halves and sent again until the invalid item is alone, so the others succeed.
    """
    pending, results = list(batches), dict[Name, Result | CallsealError]()
    while pending:
        batch = pending.pop()
        half = len(batch) // 2
        try:
            results.update(request(batch))
        except InvalidRequestError as exc:
            if half:
                pending += [batch[half:], batch[:half]]
            else:
                results[batch[0]] = exc
        except CallsealError as exc:
            results.update(dict.fromkeys(batch, exc))
    return results


def read_each(
    client: DynamoDBClient, doing: str, table: str, keys: Mapping[Name, Mapping[str, str]]
) -> dict[Name, dict[str, Any] | CallsealError]:
    """Return the item of each name as `plain` members, {} if there is none, or the error if it could not be read.

    `keys` are the items' keys. One request reads 100 items. The read is consistent: a stale one would cost half, but
    each write that follows from it cancels a transaction.
    """
    return in_batches(
        lambda names: _read(client, doing, table, {tuple(keys[name].items()): name for name in names}),
        in_hundreds(keys),
    )


def transact(client: DynamoDBClient, doing: str, actions: Mapping[Name, Any]) -> dict[Name, str]:
    """Write all actions or none. Return the code of each action that DynamoDB blames, or nothing if it wrote them.

    Raises TransientError if the whole request failed, InvalidRequestError if one of the actions is invalid.
    """
    try:
        with requesting(doing, on_TransactionCanceledException=_CancelledError):
            client.transact_write_items(TransactItems=list(actions.values()))
    except _CancelledError as exc:
        answer = getattr(exc.__cause__, "response", {})
        codes = [str(reason.get("Code")) for reason in answer.get("CancellationReasons", [])]
        blamed = {name: code for name, code in zip(actions, codes, strict=False) if code != "None"}
        if not blamed:
            raise
        return blamed
    return {}


def write_each(client: DynamoDBClient, doing: str, actions: Mapping[Name, Any]) -> dict[Name, CallsealError]:
    """Write actions, 100 in one transaction. Return the error of each action that was not written.

    The error is ChangedMeanwhileError if a condition does not hold or another writer interferes. A cancelled
    transaction is repeated without the actions that DynamoDB blames.
    """

    def write(names: Sequence[Name]) -> dict[Name, CallsealError]:
        left, failed = {name: actions[name] for name in names}, dict[Name, CallsealError]()
        while left and (blamed := transact(client, doing, left)):
            failed |= {name: _error(doing, code) for name, code in blamed.items()}
            left = {name: action for name, action in left.items() if name not in blamed}
        return failed

    return in_batches(write, in_hundreds(actions))


def retry_changed(
    write: Callable[[Sequence[Name]], Mapping[Name, CallsealError]], names: Iterable[Name]
) -> dict[Name, CallsealError]:
    """Call `write` with names, and again with those that changed meanwhile. Return the remaining error of each name.

    `write` reads and writes the items of some names, and returns the error of each name that it could not write. It is
    called up to 5 times.
    """
    left, failed = list(names), dict[Name, CallsealError]()
    for attempt in range(1, TRIES + 1):
        errors = write(left)
        left = [name for name, error in errors.items() if isinstance(error, ChangedMeanwhileError)]
        failed |= {name: error for name, error in errors.items() if attempt == TRIES or name not in left}
        if not left or attempt == TRIES:
            break
        time.sleep(PAUSE_SECONDS * attempt)
    return failed


def _read(
    client: DynamoDBClient, doing: str, table: str, names: Mapping[Any, Name]
) -> dict[Name, dict[str, Any] | CallsealError]:
    """Read up to 100 items, names by their keys. Keys left unprocessed for lack of capacity are requested again."""
    found, left = _read_once(client, doing, table, [*names])
    for attempt in range(1, TRIES):
        if not left:
            break
        time.sleep(PAUSE_SECONDS * 2**attempt)
        with suppress(TransientError):  # the other items have been read
            more, left = _read_once(client, doing, table, left)
            found |= more
    unread = TransientError(f"{doing} failed: DynamoDB did not process the key. The message is retried.")
    return {name: found.get(key, {}) for key, name in names.items()} | {names[key]: unread for key in left}


def _read_once(
    client: DynamoDBClient, doing: str, table: str, keys: Sequence[Any]
) -> tuple[dict[Any, dict[str, Any]], list[Any]]:
    """Return the items that were found by their keys, and the keys that were not processed."""
    wanted: Any = {"Keys": [item(dict(key)) for key in keys], "ConsistentRead": True}
    with requesting(doing):
        answer: Any = client.batch_get_item(RequestItems={table: wanted})
    names = [name for name, _ in keys[0]]

    def key_of(found: Mapping[str, Any]) -> Any:
        return tuple((name, found[name]["S"]) for name in names)

    unprocessed = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
    items = {key_of(found): plain(found) for found in answer["Responses"].get(table, [])}
    return items, [key_of(key) for key in unprocessed]


def _error(doing: str, code: str) -> CallsealError:
    kind = ChangedMeanwhileError if code in (CONDITION_FAILED, CONFLICT) else TransientError
    return kind(f"{doing} failed: {code}.")
