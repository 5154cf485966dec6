"""The holds of tenants in DynamoDB, and which calls are under them.

An item `hold#<name>` is a hold, and an item `held#<name>#<call>` a call that is under it, or that was `gone` before it
could be. A hold is released by its calls' items and not by its scope, so no call of it is missed. All reads are
consistent.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.aws.item_batches import (
    CONDITION_FAILED,
    MAX_ITEMS,
    PAUSE_SECONDS,
    TRIES,
    in_hundreds,
    transact,
    write_each,
)
from callseal.aws.items import ChangedMeanwhileError, conditionally, item, plain
from callseal.core.errors import TransientError
from callseal.retention.hold import HELD, PLACING, RELEASE_ASKED, RELEASED, Hold, HoldRefusedError, Refusal
from callseal.retention.scope import stored_scope

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READING, WRITING = "Reading a hold", "Writing a hold"
HOLD, CALL = "hold#", "held#"
TAKING = (PLACING, HELD, RELEASE_ASKED)
# One of a transaction's actions is the check of the hold.
CALLS_AT_ONCE = MAX_ITEMS - 1


@dataclass(frozen=True, slots=True)
class HeldCalls:
    """How many calls are under a hold, and the ids of those that were gone before they were."""

    calls: int = 0
    gone: tuple[str, ...] = ()


class HoldTable:
    """Reads and writes holds. Thread-safe."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client and the name of the retention table."""
        self._client, self._table = client, table

    def create(self, hold: Hold) -> None:
        """Write a new hold. Raise HoldRefusedError if its name is taken, also if that hold is released."""
        try:
            with conditionally(WRITING):
                self._client.put_item(
                    TableName=self._table, Item=_item(hold), ConditionExpression="attribute_not_exists(id)"
                )
        except ChangedMeanwhileError as exc:
            sentence = f"{hold.tenant} has a hold {hold.name} already. Choose another name."
            raise HoldRefusedError(Refusal.NAME_TAKEN, sentence) from exc

    def find(self, tenant: str, name: str) -> Hold | None:
        """Return a hold by its name, or None if there is none."""
        with calling(READING):
            found = self._client.get_item(
                TableName=self._table, Key=item({"tenant": tenant, "id": HOLD + name}), ConsistentRead=True
            )
        return _hold(plain(found["Item"])) if "Item" in found else None

    def change(self, before: Hold, after: Hold) -> None:
        """Write a hold in its next state. Raise ChangedMeanwhileError if it is not as it was before."""
        with conditionally(WRITING):
            self._client.put_item(
                TableName=self._table,
                Item=_item(after),
                ConditionExpression="#state = :before",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=item({":before": before.state}),
            )

    def all(self, tenant: str) -> list[Hold]:
        """Return all holds of a tenant, by their names."""
        return [_hold(found) for found in self._query(tenant, HOLD)]

    def active(self, tenant: str) -> list[Hold]:
        """Return the holds of a tenant that stop disposal and erasure: those in every state but `released`."""
        return [hold for hold in self.all(tenant) if hold.state != RELEASED]

    def counts(self, tenant: str) -> Mapping[str, HeldCalls]:
        """Return for each hold which has them: the number of calls under it, and the calls that were gone."""
        calls, gone = Counter[str](), dict[str, list[str]]()
        for found in self._query(tenant, CALL, "id, gone"):
            name, call = _parts(found)
            if found.get("gone"):
                gone.setdefault(name, []).append(call)
            else:
                calls[name] += 1
        return {name: HeldCalls(calls[name], tuple(gone.get(name, ()))) for name in {*calls, *gone}}

    def count(self, hold: Hold) -> HeldCalls:
        """Return the number of calls under a hold, and the calls that were gone."""
        found = [*self._query(hold.tenant, f"{CALL}{hold.name}#", "id, gone")]
        gone = tuple(_parts(each)[1] for each in found if each.get("gone"))
        return HeldCalls(len(found) - len(gone), gone)

    def calls(self, hold: Hold) -> Iterator[str]:
        """Yield the ids of the calls under a hold."""
        found = self._query(hold.tenant, f"{CALL}{hold.name}#", "id, gone")
        return (_parts(each)[1] for each in found if not each.get("gone"))

    def add_calls(self, hold: Hold, calls: Iterable[str]) -> bool:
        """Write that calls are under a hold. Return False if it does not take calls any more, so some are not."""
        listed = [*calls]
        return all(
            self._add(hold, listed[first : first + CALLS_AT_ONCE]) for first in range(0, len(listed), CALLS_AT_ONCE)
        )

    def mark_gone(self, hold: Hold, calls: Iterable[str]) -> None:
        """Write that calls were gone before they were under a hold."""
        items = {call: item({"tenant": hold.tenant, "id": _id(hold, call), "gone": 1}) for call in calls}
        self._write({call: {"Put": {"TableName": self._table, "Item": each}} for call, each in items.items()})

    def remove_calls(self, hold: Hold, calls: Iterable[str]) -> None:
        """Write that calls are not under a hold any more."""
        keys = {call: item({"tenant": hold.tenant, "id": _id(hold, call)}) for call in calls}
        self._write({call: {"Delete": {"TableName": self._table, "Key": key}} for call, key in keys.items()})

    def _add(self, hold: Hold, calls: Sequence[str]) -> bool:
        states = {f":{state}": state for state in TAKING}
        check = {
            "TableName": self._table,
            "Key": item({"tenant": hold.tenant, "id": HOLD + hold.name}),
            "ConditionExpression": f"#state IN ({', '.join(states)})",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": item(states),
        }
        items = {call: item({"tenant": hold.tenant, "id": _id(hold, call)}) for call in calls}
        puts = {call: {"Put": {"TableName": self._table, "Item": each}} for call, each in items.items()}
        for attempt in range(1, TRIES + 1):
            blamed = transact(self._client, WRITING, {"": {"ConditionCheck": check}, **puts})
            if not blamed:
                return True
            if blamed.get("") == CONDITION_FAILED:
                return False
            time.sleep(PAUSE_SECONDS * attempt)  # another worker's transaction has the same hold
        raise TransientError(f"{WRITING} failed: {', '.join(sorted(set(blamed.values())))}.")

    def _write(self, actions: Mapping[str, Any]) -> None:
        for calls in in_hundreds(actions):
            for error in write_each(self._client, WRITING, {call: actions[call] for call in calls}).values():
                raise error

    def _query(self, tenant: str, prefix: str, members: str | None = None) -> Iterator[dict[str, Any]]:
        wanted: dict[str, Any] = {"ProjectionExpression": members} if members else {}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="tenant = :tenant AND begins_with(id, :prefix)",
            ExpressionAttributeValues=item({":tenant": tenant, ":prefix": prefix}),
            ConsistentRead=True,
            **wanted,
        )
        with calling(READING):
            for page in pages:
                yield from map(plain, page["Items"])


def _id(hold: Hold, call: str) -> str:
    return f"{CALL}{hold.name}#{call}"


def _parts(found: Mapping[str, Any]) -> tuple[str, str]:
    """Return the hold's name and the call's id of an item."""
    _, name, call = found["id"].split("#")
    return name, call


def _item(hold: Hold) -> dict[str, Any]:
    members = {field.name: getattr(hold, field.name) for field in fields(hold)}
    return item({**members, "id": HOLD + hold.name, "scope": json.dumps(hold.scope.stored())})


def _hold(found: Mapping[str, Any]) -> Hold:
    members: dict[str, Any] = {field.name: found.get(field.name) for field in fields(Hold)}
    return Hold(**members | {"scope": stored_scope(json.loads(found["scope"]))})
