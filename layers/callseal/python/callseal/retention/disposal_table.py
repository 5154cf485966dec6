"""The state of each tenant's disposal, in items of the retention table.

- `run`: the run that works on the tenant, and the records that it is writing;
- `brake`: that the disposal is stopped, and that a person has confirmed it;
- `disposed#<day>`: how many calls were deleted on a day;
- `position`: where a run that was cut short stopped;
- `policy`: see `policy_versions`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from callseal.aws.item_batches import read_each, transact
from callseal.aws.items import ChangedMeanwhileError, conditionally, item, plain
from callseal.core.audit import timestamp
from callseal.core.errors import CallsealError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RUN, BRAKE, POSITION, DISPOSED = "run", "brake", "position", "disposed#"
# The function's timeout in template.yaml. A run that began earlier has ended, whether or not it said so.
LEASE = timedelta(minutes=15)
READING, WRITING = "Reading the state of a disposal", "Writing the state of a disposal"


class TenantBusyError(CallsealError):
    """Another run works on the tenant."""


@dataclass(frozen=True, slots=True)
class WrittenRecord:
    """A record that a run has begun to write: its key, the hash of its bytes, and what it counts."""

    key: str
    sha256: str
    class_: str
    calls: int
    files: int


@dataclass(frozen=True, slots=True)
class Brake:
    """That a tenant's disposal is stopped since a time, with so many calls due.

    `confirmed` is when a person confirmed it, and `user` who that was, if the command knew.
    """

    since: str
    calls: int
    confirmed: str | None = None
    user: str | None = None


class DisposalTable:
    """Reads and writes the items. Each read is of now. Thread-safe."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client, and the table's name."""
        self._client, self._table = client, table

    def state(self, tenant: str) -> dict[str, dict[str, Any]]:
        """Return the items `run`, `brake` and `position` by their ids, {} for those that are not there."""
        keys = {name: {"tenant": tenant, "id": name} for name in (RUN, BRAKE, POSITION)}
        found = read_each(self._client, READING, self._table, keys)
        for members in found.values():
            if isinstance(members, CallsealError):
                raise members
        return {name: dict(members) for name, members in found.items()}  # type: ignore[arg-type]

    def begin(self, tenant: str, run: str, now: datetime) -> list[WrittenRecord]:
        """Take the tenant for a run. Return the records that an earlier run has not completed.

        Raise TenantBusyError if another run may be working on the tenant.
        """
        try:
            with conditionally(WRITING):
                answer: Any = self._client.update_item(
                    TableName=self._table,
                    Key=item({"tenant": tenant, "id": RUN}),
                    UpdateExpression="SET #run = :run, since = :now",
                    ConditionExpression="attribute_not_exists(id) OR since < :old",
                    ExpressionAttributeNames={"#run": "run"},
                    ExpressionAttributeValues=item(
                        {":run": run, ":now": timestamp(now), ":old": timestamp(now - LEASE)}
                    ),
                    ReturnValues="ALL_OLD",
                )
        except ChangedMeanwhileError as exc:
            raise TenantBusyError("Another run works on the tenant.") from exc
        return _records(plain(answer.get("Attributes", {})))

    def journal(self, tenant: str, run: str, records: Sequence[WrittenRecord]) -> None:
        """Write which records a run is about to write."""
        text = json.dumps([asdict(record) for record in records])
        self._update(tenant, run, "SET records = :value", text)

    def release(self, tenant: str, run: str) -> None:
        """Let the next run take over, with the records of this one. For a run that failed."""
        self._update(tenant, run, "SET since = :value", " ")

    def finish(self, tenant: str, run: str, disposed: Mapping[str, int], position: str | None, *, freed: bool) -> None:
        """End a run: count its calls by day, and write its position, all or nothing.

        `freed` ends the confirmation of a brake. Raise ChangedMeanwhileError if the run is no longer this one's.
        """
        key = {"tenant": tenant, "id": RUN}
        actions: dict[str, Any] = {
            RUN: {
                "Delete": {
                    "TableName": self._table, "Key": item(key), "ConditionExpression": "#run = :run",
                    "ExpressionAttributeNames": {"#run": "run"}, "ExpressionAttributeValues": item({":run": run}),
                }
            },
            POSITION: self._position(tenant, position),
            **{day: self._counted(tenant, day, calls) for day, calls in disposed.items()},
        }  # fmt: skip
        if freed:
            actions[BRAKE] = {"Delete": {"TableName": self._table, "Key": item({"tenant": tenant, "id": BRAKE})}}
        if transact(self._client, WRITING, actions):
            raise ChangedMeanwhileError("Another run has taken over the tenant.")

    def disposed(self, tenant: str, days: Sequence[date]) -> dict[date, int]:
        """Return how many calls of a tenant were deleted on each of these days."""
        keys = {day: {"tenant": tenant, "id": f"{DISPOSED}{day.isoformat()}"} for day in days}
        found = dict[date, int]()
        for day, members in read_each(self._client, READING, self._table, keys).items():
            if isinstance(members, CallsealError):
                raise members
            found[day] = int(members.get("calls", 0))
        return found

    def brake(self, tenant: str, calls: int, now: datetime) -> None:
        """Stop a tenant's disposal. A brake that is on stays."""
        self._try(
            tenant, "SET since = :now, calls = :calls", "attribute_not_exists(id)",
            {":now": timestamp(now), ":calls": calls},
        )  # fmt: skip

    def confirm(self, tenant: str, now: datetime, user: str | None) -> bool:
        """Free a tenant's disposal once. Return False if it is not stopped, or was confirmed already."""
        values = {":now": timestamp(now), ":user": user or " "}
        condition = "attribute_exists(id) AND attribute_not_exists(confirmed)"
        return self._try(tenant, "SET confirmed = :now, by_user = :user", condition, values)

    def _try(self, tenant: str, update: str, condition: str, values: Mapping[str, Any]) -> bool:
        try:
            with conditionally(WRITING):
                self._client.update_item(
                    TableName=self._table, Key=item({"tenant": tenant, "id": BRAKE}), UpdateExpression=update,
                    ConditionExpression=condition, ExpressionAttributeValues=item(values),
                )  # fmt: skip
        except ChangedMeanwhileError:
            return False
        return True

    def _update(self, tenant: str, run: str, update: str, value: str) -> None:
        with conditionally(WRITING):
            self._client.update_item(
                TableName=self._table, Key=item({"tenant": tenant, "id": RUN}), UpdateExpression=update,
                ConditionExpression="#run = :run", ExpressionAttributeNames={"#run": "run"},
                ExpressionAttributeValues=item({":run": run, ":value": value}),
            )  # fmt: skip

    def _position(self, tenant: str, position: str | None) -> Any:
        key = {"tenant": tenant, "id": POSITION}
        if position is None:
            return {"Delete": {"TableName": self._table, "Key": item(key)}}
        return {"Put": {"TableName": self._table, "Item": item({**key, "due": position})}}

    def _counted(self, tenant: str, day: str, calls: int) -> Any:
        return {
            "Update": {
                "TableName": self._table, "Key": item({"tenant": tenant, "id": f"{DISPOSED}{day}"}),
                "UpdateExpression": "ADD calls :calls", "ExpressionAttributeValues": item({":calls": calls}),
            }
        }  # fmt: skip


def brake_of(state: Mapping[str, Any]) -> Brake | None:
    """Return the brake in a state, or None if the disposal is not stopped."""
    found = state[BRAKE]
    if not found:
        return None
    return Brake(found["since"], found["calls"], found.get("confirmed"), (found.get("by_user") or "").strip() or None)


def _records(found: Mapping[str, Any]) -> list[WrittenRecord]:
    return [WrittenRecord(**each) for each in json.loads(found.get("records") or "[]")]
