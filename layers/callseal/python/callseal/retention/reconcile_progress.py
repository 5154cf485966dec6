"""How far a comparison of the archive with the cards has come, in one item of the retention table.

The item's partition is none of a tenant: `#reconcile` cannot be a tenant's name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from callseal.aws.calls import calling
from callseal.aws.items import item, plain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = {"tenant": "#reconcile", "id": "pass"}
FINDINGS = ("FileWithoutCard", "CardWithoutFile", "KeptTooLong", "LockedTooLong")


@dataclass(frozen=True, slots=True)
class Pass:
    """A comparison that began at a time (RFC 3339).

    `tenants` are left, the first of them in work: its `files` are listed first, then its `cards` are read, from
    `position`. `counts` are of the tenant in work, `totals` of the whole comparison.
    """

    began: str
    tenants: tuple[str, ...] = ()
    part: Literal["files", "cards"] = "files"
    position: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    totals: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether all tenants were compared."""
        return not self.tenants

    @property
    def has_finding(self) -> bool:
        """Whether something was found at the tenant in work."""
        return any(self.counts.get(name) for name in FINDINGS)

    def after(self, position: str | None, counts: Mapping[str, int]) -> Pass:
        """Return the pass after a batch with these counts. Without a position the part is over."""
        done = replace(self, counts=_sum(self.counts, counts), totals=_sum(self.totals, counts), position=position)
        return done if position else replace(done, part="cards")

    def next_tenant(self) -> Pass:
        """Return the pass after all of a tenant was compared."""
        return replace(self, tenants=self.tenants[1:], part="files", position=None, counts={})


class ReconcilePasses:
    """Reads and writes the item."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client, and the table's name."""
        self._client, self._table = client, table

    def read(self) -> Pass | None:
        """Return the last comparison, or None if there was none."""
        with calling("Reading the progress of a comparison"):
            found = self._client.get_item(TableName=self._table, Key=item(KEY), ConsistentRead=True)
        members: dict[str, Any] = plain(found.get("Item", {}))
        if not members:
            return None
        stored = json.loads(members["pass"])
        return Pass(**{**stored, "tenants": tuple(stored["tenants"])})

    def write(self, state: Pass) -> None:
        """Write how far a comparison has come."""
        with calling("Writing the progress of a comparison"):
            self._client.put_item(TableName=self._table, Item=item({**KEY, "pass": json.dumps(asdict(state))}))


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in dict.fromkeys((*one, *other))}
