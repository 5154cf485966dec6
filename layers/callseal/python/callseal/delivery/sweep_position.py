"""The sweep's memory: an item of DynamoDB with the progress of each share that a run could not complete.

One item, compressed, and not one for each share: a run reads it once and writes it once. DynamoDB takes 400 KB an item
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html), several thousand shares.
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
    """Reads and writes the state of the sweeps of all of landing."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client and the table's name."""
        self._client, self._table = client, table

    def read(self) -> State:
        """Return what the last run has left."""
        with calling("Reading the sweep's memory"):
            found = self._client.get_item(TableName=self._table, Key=NAME, ConsistentRead=True).get("Item")
        return _read(found["state"]["B"]) if found else State()

    def write(self, state: State) -> None:
        """Leave a state to the next run.

        Of more shares than an item has room for, some by chance lose their progress: their next pass begins anew.
        """
        written, shares = _written(state), dict(state.shares)
        while len(written) > MAX_BYTES:
            kept = Random(len(written)).sample(sorted(shares), len(shares) // 2)  # noqa: S311  # no secret
            shares = {name: shares[name] for name in kept}
            written = _written(State(state.last_run, shares, state.stuck))
        with calling("Writing the sweep's memory"):
            self._client.put_item(TableName=self._table, Item={**NAME, "state": {"B": written}})


def _written(state: State) -> bytes:
    shares = {name: _members(one) for name, one in state.shares.items()}
    members = {"last_run": _written_moment(state.last_run), "shares": shares, "stuck": sorted(state.stuck)}
    return zlib.compress(json.dumps(members).encode())


def _members(one: Progress) -> list[Any]:
    moments = (one.previous, one.visited, one.began)
    return [*map(_written_moment, moments), one.after, sorted(one.failed)]


def _read(written: bytes) -> State:
    members: Mapping[str, Any] = json.loads(zlib.decompress(written))
    shares = {name: _progress(*one) for name, one in members["shares"].items()}
    return State(_moment(members["last_run"]) or NEVER, shares, frozenset(members["stuck"]))


def _progress(previous: str | None, visited: str | None, began: str | None, after: str, failed: list[str]) -> Progress:
    return Progress(_moment(previous) or NEVER, _moment(visited) or NEVER, _moment(began), after, frozenset(failed))


def _written_moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment and moment > NEVER else None


def _moment(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None
