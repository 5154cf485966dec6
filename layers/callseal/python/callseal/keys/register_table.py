"""The key register in DynamoDB: a tenant's keys, and the state of their challenges.

One partition for each tenant. The sort key is a key's fingerprint for its row, `challenge#<fingerprint>` for its
challenge, and `refused#<day>` for the count of refused answers, so that one request reads all that is known of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.aws.item_batches import write_each
from callseal.aws.items import as_it_was, conditionally, item, plain
from callseal.core.errors import CallsealError
from callseal.keys.challenge import REMEMBERED, Challenge
from callseal.keys.register import FINGERPRINT, LIFE_MEMBERS, KeyRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHALLENGE = "challenge#"
# A row's tenant and fingerprint.
RowName = tuple[str, str]
REFUSED = "refused#"


@dataclass(frozen=True, slots=True)
class KeyInventory:
    """All that the register knows of a tenant."""

    rows: tuple[KeyRecord, ...]
    challenges: tuple[Challenge, ...]
    # Answers of this tenant that were refused with an audit event, by day (YYYY-MM-DD).
    refused: Mapping[str, int] = field(default_factory=dict)

    def challenge(self, fingerprint: str) -> Challenge | None:
        """Give a key's challenge."""
        return next((one for one in self.challenges if one.fingerprint == fingerprint), None)


class KeyRegister:
    """Reads and writes a tenant's items; safe to use from several threads."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client, and the table's name."""
        self._client, self._table = client, table

    def known(self, tenant: str) -> KeyInventory:
        """Read a tenant's partition."""
        rows, challenges, refused = [], [], {}
        for found in self._items(tenant):
            name = str(found["fingerprint"])
            if FINGERPRINT.fullmatch(name):
                rows.append(_read(KeyRecord, found))
            elif name.startswith(CHALLENGE):
                challenges.append(_read(Challenge, found | {"fingerprint": name.removeprefix(CHALLENGE)}))
            elif name.startswith(REFUSED):
                refused[name.removeprefix(REFUSED)] = int(found["count"])
        return KeyInventory(tuple(rows), tuple(challenges), refused)

    def count_refusal(self, tenant: str, count: int, now: datetime) -> None:
        """Write how many of a tenant's answers were refused today; two at once may count as one."""
        day = f"{now.astimezone(UTC):%Y-%m-%d}"
        members = {"count": count, "expires_at": int((now + timedelta(days=2)).timestamp())}
        with calling("Counting a refused answer"):
            self._client.put_item(TableName=self._table, Item=item(members | _name(tenant, REFUSED + day)))

    def keep_challenge(self, new: Challenge, old: Challenge | None) -> None:
        """Write a challenge's state over the one that was read; ChangedMeanwhileError where that is no longer there."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(fingerprint)"}
        if old:
            condition = {
                "ConditionExpression": "salt = :salt AND attempts = :attempts AND #state = :state",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": item({":salt": old.salt, ":attempts": old.attempts, ":state": old.state}),
            }
        lasts_until = datetime.fromisoformat(new.expires) + REMEMBERED
        members = asdict(new) | {"expires_at": int(lasts_until.timestamp())}
        made = item(members | _name(new.tenant, CHALLENGE + new.fingerprint))
        with conditionally("Keeping a challenge"):
            self._client.put_item(TableName=self._table, Item=made, **condition)

    def keep_rows(self, changes: Iterable[tuple[str, KeyRecord, KeyRecord | None]]) -> dict[RowName, CallsealError]:
        """Write tenants' rows, each over the one that was read before, and leave their uses alone.

        100 rows are one request. Return the error of each row that was not written: ChangedMeanwhileError if the row is
        no longer as it was read.
        """
        updates = {
            (tenant, row.fingerprint): {"Update": self._update(tenant, row, before)} for tenant, row, before in changes
        }
        return write_each(self._client, "Writing to the key register", updates)

    def _update(self, tenant: str, row: KeyRecord, before: KeyRecord | None) -> Any:
        members = {name: getattr(row, name) for name in LIFE_MEMBERS}
        given = {f":{name}": value for name, value in members.items() if value is not None}
        gone = ", ".join(f"#{name}" for name, value in members.items() if value is None)
        update = "SET " + ", ".join(f"#{name[1:]} = {name}" for name in given)
        condition, were = as_it_was({name: getattr(before, name, None) for name in LIFE_MEMBERS})
        return {
            "TableName": self._table,
            "Key": item(_name(tenant, row.fingerprint)),
            "UpdateExpression": f"{update} REMOVE {gone}" if gone else update,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {f"#{name}": name for name in LIFE_MEMBERS},
            "ExpressionAttributeValues": item(given | were),
        }

    def _items(self, tenant: str) -> Iterator[dict[str, Any]]:
        start: dict[str, Any] = {}
        while True:
            with calling("Reading the key register"):
                answer = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="tenant = :tenant",
                    ExpressionAttributeValues=item({":tenant": tenant}),
                    ConsistentRead=True,
                    **start,
                )
            yield from (plain(found) for found in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _name(tenant: str, sort_key: str) -> dict[str, str]:
    return {"tenant": tenant, "fingerprint": sort_key}


def _read(kind: Any, found: dict[str, Any]) -> Any:
    return kind(**{field.name: found[field.name] for field in fields(kind) if field.name in found})
