"""The key register in DynamoDB: a tenant's keys, and the state of their challenges.

Each tenant has one partition, which one query reads. The sort key is a key's fingerprint for its record,
`challenge#<fingerprint>` for its challenge, and `refused#<day>` for the count of refused answers.
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
# A record's tenant and fingerprint.
RecordName = tuple[str, str]
REFUSED = "refused#"


@dataclass(frozen=True, slots=True)
class KeyInventory:
    """All that the register has of a tenant."""

    records: tuple[KeyRecord, ...]
    challenges: tuple[Challenge, ...]
    # The number of this tenant's answers that were refused with an audit event, by day (YYYY-MM-DD, UTC).
    refused: Mapping[str, int] = field(default_factory=dict)

    def challenge(self, fingerprint: str) -> Challenge | None:
        """Return a key's challenge, or None."""
        return next((challenge for challenge in self.challenges if challenge.fingerprint == fingerprint), None)


class KeyRegister:
    """Reads and writes a tenant's items. Safe to use from several threads."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client, and the table's name."""
        self._client, self._table = client, table

    def read(self, tenant: str) -> KeyInventory:
        """Return what the register has of a tenant, read consistently."""
        records, challenges, refused = [], [], {}
        for found in self._items(tenant):
            name = str(found["fingerprint"])
            if FINGERPRINT.fullmatch(name):
                records.append(_read(KeyRecord, found))
            elif name.startswith(CHALLENGE):
                challenges.append(_read(Challenge, found | {"fingerprint": name.removeprefix(CHALLENGE)}))
            elif name.startswith(REFUSED):
                refused[name.removeprefix(REFUSED)] = int(found["count"])
        return KeyInventory(tuple(records), tuple(challenges), refused)

    def count_refusal(self, tenant: str, count: int, now: datetime) -> None:
        """Write the number of a tenant's refused answers today. Two at the same time may count as one."""
        day = f"{now.astimezone(UTC):%Y-%m-%d}"
        members = {"count": count, "expires_at": int((now + timedelta(days=2)).timestamp())}
        with calling("Counting a refused answer"):
            self._client.put_item(TableName=self._table, Item=item(members | _name(tenant, REFUSED + day)))

    def save_challenge(self, new: Challenge, old: Challenge | None) -> None:
        """Write a challenge's state over `old`, the state that was read.

        Raise ChangedMeanwhileError if that is no longer the state.
        """
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
        with conditionally("Saving a challenge"):
            self._client.put_item(TableName=self._table, Item=made, **condition)

    def save_records(
        self, changes: Iterable[tuple[str, KeyRecord, KeyRecord | None]]
    ) -> dict[RecordName, CallsealError]:
        """Write tenants' records, each over the one that was read before, without changing their uses.

        Up to 100 records are one request. Return the error of each record that was not written: ChangedMeanwhileError
        if the record is no longer as it was read.
        """
        updates = {
            (tenant, record.fingerprint): {"Update": self._update(tenant, record, before)}
            for tenant, record, before in changes
        }
        return write_each(self._client, "Writing to the key register", updates)

    def _update(self, tenant: str, record: KeyRecord, before: KeyRecord | None) -> Any:
        members = {name: getattr(record, name) for name in LIFE_MEMBERS}
        given = {f":{name}": value for name, value in members.items() if value is not None}
        gone = ", ".join(f"#{name}" for name, value in members.items() if value is None)
        update = "SET " + ", ".join(f"#{name[1:]} = {name}" for name in given)
        condition, were = as_it_was({name: getattr(before, name, None) for name in LIFE_MEMBERS})
        return {
            "TableName": self._table,
            "Key": item(_name(tenant, record.fingerprint)),
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
