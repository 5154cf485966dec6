"""The sweep's position: a DynamoDB item with the progress of each share that a run could not complete.

All shares are in one compressed item, so a run reads once and writes once. DynamoDB's limit of 400 KB for an item
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html) is enough for several thousand
shares.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.delivery.sweep_shares import NEVER, Progress, State

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NAME: Any = {"id": {"S": "sweep"}}
MAX_BYTES = 390_000


class SweepPosition:
    """Reads and writes the state between sweeps of the whole landing bucket."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client and the table's name."""
        self._client, self._table = client, table

    def read(self) -> State:
        """Return the state that the last run wrote, or an empty one."""
        with calling("Reading the sweep's memory"):
            found = self._client.get_item(TableName=self._table, Key=NAME, ConsistentRead=True).get("Item")
        return _read(found["state"]["B"]) if found else State()

    def write(self, state: State) -> None:
        """Write the state for the next run.

        If an item has no room for all shares, a random selection loses its progress. Their next pass starts from the
        beginning.
        """
        written, shares = _written(state), dict(state.shares)
        while len(written) > MAX_BYTES:
            kept = Random(len(written)).sample(sorted(shares), len(shares) // 2)  # noqa: S311  # no secret
            shares = {name: shares[name] for name in kept}
            written = _written(State(state.last_run, shares, state.stuck))
        with calling("Writing the sweep's memory"):
            self._client.put_item(TableName=self._table, Item={**NAME, "state": {"B": written}})


def _written(state: State) -> bytes:
    shares = {name: _members(progress) for name, progress in state.shares.items()}
    members = {"last_run": _written_moment(state.last_run), "shares": shares, "stuck": sorted(state.stuck)}
    return zlib.compress(json.dumps(members).encode())


def _members(progress: Progress) -> list[Any]:
    moments = (progress.previous, progress.visited, progress.began)
    return [*map(_written_moment, moments), progress.after, sorted(progress.failed)]


def _read(written: bytes) -> State:
    members: Mapping[str, Any] = json.loads(zlib.decompress(written))
    shares = {name: _progress(*share) for name, share in members["shares"].items()}
    return State(_moment(members["last_run"]) or NEVER, shares, frozenset(members["stuck"]))


def _progress(previous: str | None, visited: str | None, began: str | None, after: str, failed: list[str]) -> Progress:
    return Progress(_moment(previous) or NEVER, _moment(visited) or NEVER, _moment(began), after, frozenset(failed))


def _written_moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment and moment > NEVER else None


def _moment(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None
