"""How often each key was used: counted in the register once for each event, however often the event comes.

An event's id is kept for longer than the queue keeps its message. The ids and the counts of several events are written
in one transaction.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from callseal.aws.item_batches import CONDITION_FAILED, CONFLICT, MAX_ITEMS, in_batches, transact
from callseal.core.errors import CallsealError, TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The queue keeps a message for 14 days, and its dead-letter queue for another 14.
REMEMBERED = timedelta(days=30)
DOING = "Counting the uses of keys"
# Another batch is writing to the same record. That is retried here, without the queue's delay.
PASSING = {CONFLICT, "ThrottlingError"}
TRIES, PAUSE_SECONDS = 8, 0.05
# What an action writes: an event's id, or tenant and fingerprint.
Name = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """A recording that was sealed to a tenant's keys: the id and the time of the event that reports it."""

    event_id: str
    tenant: str
    fingerprints: tuple[str, ...]
    time: str

    @property
    def records(self) -> list[tuple[str, str]]:
        """The records of the register that count the use: tenant and fingerprint of each."""
        return [(self.tenant, fingerprint) for fingerprint in self.fingerprints]


class UsageTable:
    """Counts the uses of keys."""

    def __init__(self, client: DynamoDBClient, register: str, seen: str) -> None:
        """Take the client, and the names of the register and of the table of counted events."""
        self._client, self._register, self._seen = client, register, seen

    def count(self, uses: Iterable[KeyUsage], now: datetime) -> dict[str, CallsealError]:
        """Count uses that were not counted before. Return the error of each uncounted one, by its event's id."""
        by_id, ends = {use.event_id: use for use in uses}, int((now + REMEMBERED).timestamp())

        def write(names: Sequence[str]) -> dict[str, CallsealError]:
            return self._count([by_id[name] for name in names], ends)

        return in_batches(write, _fitting(by_id.values()))

    def _count(self, uses: list[KeyUsage], ends: int) -> dict[str, CallsealError]:
        """Count uses that fit into one transaction, apart from those that were counted before."""
        failed, newer, attempt = dict[str, CallsealError](), set[Name](), 1
        while uses and (blamed := transact(self._client, DOING, self._actions(uses, ends, newer))):
            refused = {name for name, code in blamed.items() if code == CONDITION_FAILED}
            done = refused.intersection(use.event_id for use in uses)
            newer |= refused - done
            if not refused and attempt < TRIES and PASSING & set(blamed.values()):
                time.sleep(PAUSE_SECONDS * attempt)
                attempt += 1
            elif not refused:
                failed |= _errors(uses, blamed)
            uses = [use for use in uses if use.event_id not in done | failed.keys()]
        return failed

    def _actions(self, uses: Sequence[KeyUsage], ends: int, newer: Container[Name]) -> dict[Name, Any]:
        """Return the writes by their targets: an event's id, or the tenant and fingerprint of a key's record.

        `newer` are the records that have a later use than these already.
        """
        return {use.event_id: self._mark(use, ends) for use in uses} | self._counts(uses, newer)

    def _mark(self, use: KeyUsage, ends: int) -> Any:
        item = {"event_id": {"S": use.event_id}, "expires_at": {"N": str(ends)}}
        condition = "attribute_not_exists(event_id)"
        return {"Put": {"TableName": self._seen, "Item": item, "ConditionExpression": condition}}

    def _counts(self, uses: Sequence[KeyUsage], newer: Container[Name]) -> dict[Name, Any]:
        counts = Counter(record for use in uses for record in use.records)
        last = {record: use.time for use in sorted(uses, key=lambda use: use.time) for record in use.records}
        return {
            record: self._add(*record, number, None if record in newer else last[record])
            for record, number in counts.items()
        }

    def _add(self, tenant: str, fingerprint: str, number: int, last: str | None) -> Any:
        update: Any = {
            "TableName": self._register,
            "Key": {"tenant": {"S": tenant}, "fingerprint": {"S": fingerprint}},
            "UpdateExpression": "ADD use_count :number",
            "ExpressionAttributeValues": {":number": {"N": str(number)}},
        }
        if last:
            update["UpdateExpression"] += " SET last_used = :last"
            update["ConditionExpression"] = "attribute_not_exists(last_used) OR last_used <= :last"
            update["ExpressionAttributeValues"][":last"] = {"S": last}
        return {"Update": update}


def _errors(uses: Sequence[KeyUsage], blamed: Mapping[Name, str]) -> dict[str, TransientError]:
    """Return an error for each use that takes part in a write that DynamoDB reports as failed."""
    errors = {}
    for use in uses:
        names: list[Name] = [use.event_id, *use.records]
        if code := next((blamed[name] for name in names if name in blamed), None):
            errors[use.event_id] = TransientError(f"{DOING} failed: {code}.")
    return errors


def _fitting(uses: Iterable[KeyUsage]) -> Iterator[list[str]]:
    """Return the uses' ids in batches, each as large as fits into one transaction, with at least one."""
    batch, records = list[str](), set[tuple[str, str]]()
    for use in uses:
        if batch and len(batch) + 1 + len(records.union(use.records)) > MAX_ITEMS:
            yield batch
            batch, records = [], set()
        batch.append(use.event_id)
        records.update(use.records)
    if batch:
        yield batch
