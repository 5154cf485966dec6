"""What the law costs: the requests for a recording with its metadata, by what AWS bills, counted on moto.

`make bench ROWS=law_costs` writes law_costs.json, from which docs/retention.md has its table (tools/pages/costs.py).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import Any
from unittest.mock import patch

from benchmarks.disposal import REQUEST_SECONDS
from benchmarks.measure import Row
from benchmarks.units import MeteredNetwork
from callseal.calls.facts import Facts
from callseal.core.clock import now
from tests.support import functions
from tests.support.clock import Clock
from tests.support.disposal import TABLE, outcome, put_call
from tests.support.erasures import RETENTION, Desk
from tests.support.holds import HoldScene
from tests.support.stack import AUDIT, Stack, failures, sqs_event, stack

HERE = Path(__file__).resolve().parent
# Calls of a step that is done in batches, calls of one erasure, and messages that lock_recordings takes at once.
CALLS, ERASED, MESSAGES = 100, 20, 10
GIGABYTES = 1769 / 1024
CALLER = "+4790000001"
Counts = dict[str, float]


@dataclass
class Scene:
    """A stack with calls, and the functions that are measured."""

    cloud: Stack
    network: MeteredNetwork

    def call(self, number: int, **members: Any) -> str:
        """Write a call with all facts that are indexed."""
        facts = Facts(
            session_id=str(number), started=now() - timedelta(days=400), ended=now() - timedelta(days=400),
            caller=CALLER, agent="1042", queue="invoice",
        )  # fmt: skip
        return put_call(self.cloud, f"2026/11/30/{number:012}_1", facts=facts, **members).call.id

    def measured(self, work: Callable[[], object], calls: int) -> Counts:
        """Return the units of some work for each of its calls."""
        self.network.clear()
        started = process_time()
        work()
        own = process_time() - started - self.network.carried
        seconds = own + REQUEST_SECONDS * len(self.network.requests)
        units = {**self.network.units, "lambda_gb_s": GIGABYTES * seconds}
        return {name: round(number / calls, 4) for name, number in sorted(units.items()) if number}

    def take(self, app: Any, bodies: list[str], size: int = MESSAGES) -> None:
        """Let a function take messages in batches."""
        for first in range(0, len(bodies), size):
            if failures(app.lambda_handler(sqs_event(*bodies[first : first + size]), None)):
                raise RuntimeError("A message failed.")


@contextmanager
def _scene() -> Iterator[Scene]:
    with stack() as cloud, redirect_stdout(sys.stderr):
        network = MeteredNetwork(cloud.s3, dynamodb=cloud.dynamodb)
        with patch("callseal.wiring.container.Session", network.session):
            cloud.tenant("acme", settings={"deliver_to_archive": True, "encrypt": False})
            yield Scene(cloud, network)


def law_costs() -> Row:
    """Count each step, and write the counts. The peer deletes object by object and keeps no index."""
    steps = {"lock": _lock(), "hold": {}, "release": {}, **_dispose(), "erase": _erase()}
    steps["hold"], steps["release"] = _hold()
    (HERE / "law_costs.json").write_text(json.dumps({"calls": CALLS, "steps": steps}, indent=2) + "\n")
    writes = steps["dispose"].get("dynamodb_write", 0)
    note = (
        f"write units to dispose of a recording with its metadata, in batches of {CALLS}; the peer is one unit a file"
    )
    return Row("law_costs", writes, 2, "units", round(writes / 2, 2), "<= 8", note)


def _dispose() -> dict[str, Counts]:
    """Dispose of calls. Return the units, and the bytes that stay of each call."""
    with _scene() as scene, patch("callseal.retention.brake.FREE_CALLS", CALLS):
        for number in range(CALLS):
            scene.call(number)
        app = functions.load("dispose_recordings", watch=False)
        measured = scene.measured(lambda: app.lambda_handler({}, None), CALLS)
        records = sum(len(data) for key, data in scene.cloud.objects(AUDIT).items() if key.startswith("disposals/"))
        cards = _bytes(scene.cloud, TABLE)
    return {"dispose": measured, "kept of a disposal": {"s3_bytes": records / CALLS, "dynamodb_bytes": cards / CALLS}}


def _lock() -> Counts:
    """Make the locks of calls longer whose class is known only after their delivery: the most that a lock costs."""
    until = datetime.now(UTC) + timedelta(days=900)
    decided = outcome("9999-01-01T00:00:00.000Z", lock="governance", keep_until=f"{until:%Y-%m-%dT00:00:00.000Z}")
    with _scene() as scene:
        ids = [scene.call(number, decided=decided) for number in range(CALLS)]
        app = functions.load("lock_recordings", watch=False)
        bodies = [json.dumps({"tenant": "acme", "call": id_}) for id_ in ids]
        return scene.measured(lambda: scene.take(app, bodies), CALLS)


def _hold() -> tuple[Counts, Counts]:
    """Place a hold on calls, and release it."""
    with _scene() as scene, patch("callseal.retention.hold_messages.SETTLE_SECONDS", 0):
        for number in range(CALLS):
            scene.call(number)
        people, app = HoldScene(scene.cloud, Clock()), functions.load("lock_recordings", watch=False)
        url = scene.cloud.environment["LOCK_QUEUE_URL"]
        people.create("case", party=CALLER)
        placed = scene.measured(lambda: scene.take(app, scene.cloud.take(url)), CALLS)
        people.people.ask_release("acme", "case", "kari")
        people.people.approve_release("acme", "case", "ola")
        return placed, scene.measured(lambda: scene.take(app, scene.cloud.take(url)), CALLS)


def _erase() -> Counts:
    """Carry out one erasure of a caller's calls, with its notice and its certificate."""
    with _scene() as scene:
        for number in range(ERASED):
            scene.call(number, decided=outcome(None))
        app = functions.load("erase_recordings", watch=False)
        desk = Desk(scene.cloud, app, Clock())
        request = desk.start(caller=CALLER)["request"]
        desk.approve(request)
        message = [json.dumps({"tenant": "acme", "request": request})]
        measured = scene.measured(lambda: scene.take(app, message), ERASED)
        if desk.status(request)["state"] != "done":
            raise RuntimeError("The erasure is not done.")
        return measured | {"dynamodb_bytes": round(_bytes(scene.cloud, RETENTION) / ERASED)}


def _bytes(cloud: Stack, table: str) -> int:
    pages = cloud.dynamodb.get_paginator("scan").paginate(TableName=table)
    items = [each for page in pages for each in page["Items"]]
    return sum(len(name) + len(str(next(iter(value.values())))) for each in items for name, value in each.items())
