"""How often each key was used: counted in the register once for each event, however often the event comes.

An event's id is kept for longer than the queue keeps its message. The ids and the counts of several events are written
in one transaction: all of it, or nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The queue keeps a message for 14 days, and its dead-letter queue for as long again.
REMEMBERED = timedelta(days=30)
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
MAX_ACTIONS = 100
COUNTED_BEFORE = "ConditionalCheckFailed"
# Another batch is writing to the same key's row: nothing that is worth the queue's delay.
PASSING = {"TransactionConflict", "ThrottlingError"}
TRIES, PAUSE_SECONDS = 8, 0.05


@dataclass(frozen=True, slots=True)
class Use:
    """A recording that was sealed to a tenant's keys: the event that told it, and when."""

    event_id: str
    tenant: str
    fingerprints: tuple[str, ...]
    time: str


class KeyUses:
    """Counts uses."""

    def __init__(self, client: DynamoDBClient, register: str, seen: str) -> None:
        """Take the client, and the names of the register and of the table of events that were counted."""
        self._client, self._register, self._seen = client, register, seen

    def count(self, uses: Sequence[Use], now: datetime) -> None:
        """Count uses that were not counted before; raises TransientError where that must be tried again."""
        left = list({use.event_id: use for use in uses}.values())
        while left:
            some = _fitting(left)
            left = left[len(some) :]
            while some and (repeated := self._write(some, now)):
                some = [use for use in some if use.event_id not in repeated]

    def _write(self, uses: Sequence[Use], now: datetime) -> set[str]:
        """Write some uses; where some were counted before, gives their ids and writes nothing."""
        ends = int((now + REMEMBERED).timestamp())
        actions = [self._mark(use, ends) for use in uses] + self._counts(uses)
        for attempt in range(1, TRIES + 1):
            try:
                with calling("Counting the uses of keys"):
                    self._client.transact_write_items(TransactItems=actions)
            except TransientError as exc:
                reasons = _reasons(exc)
                repeated = {use.event_id for use, why in zip(uses, reasons, strict=False) if why == COUNTED_BEFORE}
                if repeated:
                    return repeated
                if attempt == TRIES or not PASSING & set(reasons):
                    raise
                time.sleep(PAUSE_SECONDS * attempt)
            else:
                break
        return set()

    def _mark(self, use: Use, ends: int) -> Any:
        item = {"event_id": {"S": use.event_id}, "expires_at": {"N": str(ends)}}
        condition = "attribute_not_exists(event_id)"
        return {"Put": {"TableName": self._seen, "Item": item, "ConditionExpression": condition}}

    def _counts(self, uses: Sequence[Use]) -> list[Any]:
        counts = Counter((use.tenant, fingerprint) for use in uses for fingerprint in use.fingerprints)
        last = {
            (use.tenant, one): use.time for use in sorted(uses, key=lambda use: use.time) for one in use.fingerprints
        }
        return [self._add(tenant, one, number, last[tenant, one]) for (tenant, one), number in counts.items()]

    def _add(self, tenant: str, fingerprint: str, number: int, last: str) -> Any:
        # The newest of a batch; another batch may be older, by seconds as a rule: a month is what this is read for.
        return {
            "Update": {
                "TableName": self._register,
                "Key": {"tenant": {"S": tenant}, "fingerprint": {"S": fingerprint}},
                "UpdateExpression": "ADD use_count :number SET last_used = :last",
                "ExpressionAttributeValues": {":number": {"N": str(number)}, ":last": {"S": last}},
            }
        }


def _reasons(exc: TransientError) -> list[str]:
    """Tell why a transaction was cancelled, action by action."""
    answer = getattr(exc.__cause__, "response", {})
    return [str(reason.get("Code")) for reason in answer.get("CancellationReasons", [])]


def _fitting(uses: Sequence[Use]) -> list[Use]:
    """Take as many of the uses as one transaction has room for, one at least."""
    some: list[Use] = []
    named: set[tuple[str, str]] = set()
    for use in uses:
        named |= {(use.tenant, fingerprint) for fingerprint in use.fingerprints}
        if some and len(some) + 1 + len(named) > MAX_ACTIONS:
            break
        some.append(use)
    return some
