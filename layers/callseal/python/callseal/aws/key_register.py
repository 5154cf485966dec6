"""The key register in DynamoDB: a tenant's keys, and the state of their challenges.

One partition for each tenant. The sort key is a key's fingerprint for its row, and `challenge#<fingerprint>` for its
challenge, so that one request reads all that is known of a tenant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.errors import TransientError
from callseal.keys.challenge import REMEMBERED, Challenge
from callseal.keys.register import FINGERPRINT, LIFE_MEMBERS, Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHALLENGE = "challenge#"


class ChangedMeanwhileError(TransientError):
    """Somebody else has written this item since it was read."""


@dataclass(frozen=True, slots=True)
class Known:
    """All that the register knows of a tenant."""

    rows: tuple[Row, ...]
    challenges: tuple[Challenge, ...]

    def challenge(self, fingerprint: str) -> Challenge | None:
        """Give a key's challenge."""
        return next((one for one in self.challenges if one.fingerprint == fingerprint), None)


class KeyRegister:
    """Reads and writes a tenant's items; safe to use from several threads."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client, and the table's name."""
        self._client, self._table = client, table

    def known(self, tenant: str) -> Known:
        """Read a tenant's partition."""
        rows, challenges = [], []
        for item in self._items(tenant):
            name = str(item["fingerprint"])
            if FINGERPRINT.fullmatch(name):
                rows.append(_read(Row, item))
            elif name.startswith(CHALLENGE):
                challenges.append(_read(Challenge, item | {"fingerprint": name.removeprefix(CHALLENGE)}))
        return Known(tuple(rows), tuple(challenges))

    def keep_challenge(self, new: Challenge, old: Challenge | None) -> None:
        """Write a challenge's state over the one that was read; ChangedMeanwhileError where that is no longer there."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(fingerprint)"}
        if old:
            condition = {
                "ConditionExpression": "salt = :salt AND attempts = :attempts AND #state = :state",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": _item({":salt": old.salt, ":attempts": old.attempts, ":state": old.state}),
            }
        lasts_until = datetime.fromisoformat(new.expires) + REMEMBERED
        members = asdict(new) | {"expires_at": int(lasts_until.timestamp())}
        item = _item(members | _name(new.tenant, CHALLENGE + new.fingerprint))
        with _conditionally("Keeping a challenge"):
            self._client.put_item(TableName=self._table, Item=item, **condition)

    def keep_row(self, tenant: str, row: Row, before: Row | None) -> None:
        """Write what a key's events tell, if its row still is as it was read; leaves its uses alone."""
        members = {name: getattr(row, name) for name in LIFE_MEMBERS}
        given = {f":{name}": value for name, value in members.items() if value is not None}
        gone = ", ".join(f"#{name}" for name, value in members.items() if value is None)
        update = "SET " + ", ".join(f"#{name[1:]} = {name}" for name in given)
        condition, were = _as_it_was(before)
        with _conditionally("Writing to the key register"):
            self._client.update_item(
                TableName=self._table,
                Key=_item(_name(tenant, row.fingerprint)),
                UpdateExpression=f"{update} REMOVE {gone}" if gone else update,
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in LIFE_MEMBERS},
                ExpressionAttributeValues=_item(given | were),
            )

    def _items(self, tenant: str) -> Iterator[dict[str, Any]]:
        start: dict[str, Any] = {}
        while True:
            with calling("Reading the key register"):
                answer = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="tenant = :tenant",
                    ExpressionAttributeValues=_item({":tenant": tenant}),
                    ConsistentRead=True,
                    **start,
                )
            yield from (_plain(item) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _as_it_was(row: Row | None) -> tuple[str, dict[str, Any]]:
    """Write the condition that nobody has written what a key's events tell since it was read."""
    members = {name: getattr(row, name, None) for name in LIFE_MEMBERS}
    were = {f":was_{name}": value for name, value in members.items() if value is not None}
    parts = [
        f"attribute_not_exists(#{name})" if value is None else f"#{name} = :was_{name}"
        for name, value in members.items()
    ]
    return " AND ".join(parts), were


def _conditionally(doing: str) -> Any:
    # A count that is under way conflicts with a write of the same row; both are tried again.
    changed = ("ConditionalCheckFailedException", "TransactionConflictException")
    return calling(doing, **{f"on_{code}": ChangedMeanwhileError for code in changed})


def _name(tenant: str, sort_key: str) -> dict[str, str]:
    return {"tenant": tenant, "fingerprint": sort_key}


def _item(members: dict[str, Any]) -> dict[str, Any]:
    """Write members as DynamoDB's typed values; None is left out."""
    written = ((name, value) for name, value in members.items() if value is not None)
    return {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in written}


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    return {name: int(value["N"]) if "N" in value else value.get("S") for name, value in item.items()}


def _read(kind: Any, item: dict[str, Any]) -> Any:
    return kind(**{field.name: item[field.name] for field in fields(kind) if field.name in item})
