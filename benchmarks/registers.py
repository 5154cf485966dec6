"""The registers: requests and time for full batches of audit events on moto, compared with one event per invocation."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

from benchmarks.measure import Row, seconds
from callseal.core.audit import event
from tests.support import functions
from tests.support.network import Network
from tests.support.stack import sqs_event, stack

FULL, ROUNDS, TENANTS = 100, 5, 10
START = datetime(2026, 11, 24, 8, tzinfo=UTC)
Event = Mapping[str, Any]


@dataclass(frozen=True)
class Mix:
    """A typical batch: the function that handles it, and its events for the number of a round."""

    function: str
    name: str
    events: Callable[[int], list[Event]]


def register_requests_per_event() -> list[Row]:
    """Count the requests of full batches and time them. The peer handles the same events, one per invocation."""
    found = {mix: (measured(mix, FULL), measured(mix, 1)) for mix in MIXES}
    full = {mix: ours.requests / ours.events for mix, (ours, _) in found.items()}
    single = {mix: peer.requests / peer.events for mix, (_, peer) in found.items()}
    worst = max(full, key=lambda mix: full[mix])
    note = "batches of 100 on moto: " + "; ".join(f"{mix.name} {value:g}" for mix, value in full.items())
    requests = Row(
        "register_requests_per_event", full[worst], round(single[worst], 2), "requests", full[worst], "<= 0.3",
        f"{note}; the peer is one event an invocation",
    )  # fmt: skip
    return [requests, *(_rate(name, found) for name in ("track_files", "register_keys"))]


@dataclass(frozen=True)
class Measured:
    """The cost of a mix: events and requests of all rounds, and the median seconds without the first round."""

    events: int
    requests: int
    seconds: float


def measured(mix: Mix, size: int) -> Measured:
    """Handle one full batch a round, in invocations of `size` events. The first round warms the caches."""
    with environment() as network:
        handler = functions.load(mix.function, watch=False).lambda_handler
        network.requests.clear()
        times = []
        for number in range(ROUNDS + 1):
            events = mix.events(number)
            batches = [sqs_event(*events[start : start + size]) for start in range(0, len(events), size)]
            times.append(seconds(partial(_handle, handler, batches)))
        return Measured(FULL * (ROUNDS + 1), len(network.requests), sorted(times[1:])[ROUNDS // 2])


@contextmanager
def environment() -> Iterator[Network]:
    """Create a stack in moto in this process, and yield the network that counts requests to it."""
    with stack() as cloud, patch.dict(os.environ, {"LOG_LEVEL": "ERROR"}):
        network = Network(cloud.s3)
        with patch("callseal.wiring.container.Session", network.session):
            yield network


def _handle(handler: Callable[[Any, object], Any], batches: Iterable[Mapping[str, Any]]) -> None:
    for batch in batches:
        failed = handler(batch, None)["batchItemFailures"]
        assert not failed, failed


def _rate(function: str, found: Mapping[Mix, tuple[Measured, Measured]]) -> Row:
    mine = {mix: pair for mix, pair in found.items() if mix.function == function}
    ours, peer = (len(mine) * FULL / sum(pair[side].seconds for pair in mine.values()) for side in (0, 1))
    note = "events a second, one process, moto in it: " + "; ".join(
        f"{mix.name} {FULL / pair[0].seconds:.0f}" for mix, pair in mine.items()
    )
    name = f"{function}_events_per_second"
    return Row(name, round(ours), round(peer), "events/s", round(ours / peer, 2), ">= 1.5", note)


def deliveries(number: int) -> list[Event]:
    """Return the events of 100 recordings that were sealed to their tenants' keys."""
    return [_delivery(number * FULL + index) for index in range(FULL)]


def downloads(number: int) -> list[Event]:
    """Return the events of 100 files that were fetched."""
    return [_event("FileFetched", index, source=_source(index)) for index in range(number * FULL, (number + 1) * FULL)]


def keys_and_uses(number: int) -> list[Event]:
    """Return the events of 80 recordings, and those of 10 tenants' keys that were accepted and proven."""
    start = number * FULL
    keys = [_key_event(kind, start + tenant) for tenant in range(TENANTS) for kind in ("KeyAccepted", "KeyProven")]
    return [*deliveries(number)[: FULL - len(keys)], *keys]


MIXES = (
    Mix("track_files", "deliveries", deliveries),
    Mix("track_files", "downloads", downloads),
    Mix("register_keys", "uses of keys", deliveries),
    Mix("register_keys", "uses with 20 key events of 10 tenants", keys_and_uses),
)


def _delivery(number: int) -> Event:
    key = f"{_source(number)['key']}.p7m"
    output = {"destination": "sftp", "bucket": "sftp", "key": key, "size": 4, "sha256": "0" * 64, "sealed": "cms"}
    return _event(
        "RecordingDelivered", number, source=_source(number), outputs=[output], recipients=[_recipient(number)]
    )


def _key_event(kind: str, number: int) -> Event:
    key = _recipient(number) | {"algorithm": "RSA", "strength": 3072}
    return _event(kind, number, recipients=[key], key_version=f"version-{number}")


def _recipient(number: int) -> dict[str, Any]:
    return {"fingerprint": f"{number % TENANTS:064X}", "kind": "x509", "not_after": None}


def _source(number: int) -> dict[str, Any]:
    return {"bucket": "landing", "key": f"{_tenant(number)}/2026/{number}.wav", "etag": "e", "size": 4}


def _tenant(number: int) -> str:
    return f"tenant-{number % TENANTS}"


def _event(kind: str, number: int, **members: Any) -> Event:
    made = event(kind, START + timedelta(seconds=number), {"tenant": _tenant(number), **members}, [kind, number])
    return {"detail-type": made.detail_type, "detail": json.loads(json.dumps(made.detail))}
