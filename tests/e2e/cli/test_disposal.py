"""`callseal dispose confirm` and the report of disposals."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest

from tests.e2e.cli.conftest import Operator
from tests.support import functions
from tests.support.disposal import card_of, outcome, put_call, records
from tests.support.stack import REGION


@pytest.fixture
def dispose_recordings(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setattr("callseal.retention.brake.FREE_CALLS", 2)
    operator.stack.tenant("acme", settings={})
    return functions.load("dispose_recordings")


def in_days(days: float) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT00:00:00.000Z}"


def test_a_stopped_disposal_is_confirmed_once(operator: Operator, dispose_recordings: ModuleType) -> None:
    nothing = operator.json("dispose", "confirm", "acme", code=1)
    assert nothing == {"tenant": "acme", "confirmed": False, "calls": None, "since": None}
    for name in "123":
        put_call(operator.stack, name)
    assert dispose_recordings.lambda_handler({}, None) == {"braked": 1}

    confirmed = operator.json("dispose", "confirm", "acme")
    assert (confirmed["confirmed"], confirmed["calls"]) == (True, 3)
    assert confirmed["since"][:10] == f"{datetime.now(UTC):%Y-%m-%d}"
    again = operator("dispose", "confirm", "acme")
    assert (again.code, "confirmed already" in again.out) == (1, True)
    assert dispose_recordings.lambda_handler({}, None) == {"disposed": 3}
    assert operator("dispose", "confirm", "acme").code == 1


def test_what_was_disposed_of(operator: Operator, dispose_recordings: ModuleType) -> None:
    for name, class_ in (("1", "default"), ("+4522334455", "orders")):
        put_call(operator.stack, name, decided=outcome(**{"class": class_}))
    dispose_recordings.lambda_handler({}, None)
    today = f"{datetime.now(UTC):%Y-%m-%d}"

    found = operator.json("reports", "disposal", "acme")

    assert set(found) == {"tenant", "from", "to", "rows"}
    assert [{name: row[name] for name in ("day", "class", "calls", "files", "bytes")} for row in found["rows"]] == [
        {"day": today, "class": class_, "calls": 1, "files": 2, "bytes": 8} for class_ in ("default", "orders")
    ]
    hashes = {
        detail["law"]["object"]: detail["law"]["sha256"]
        for detail in operator.stack.audit_details("RecordingsDisposed")
    }
    assert {row["object"]: row["sha256"] for row in found["rows"]} == hashes
    printed = operator("reports", "disposal", "acme", "--csv")
    assert [row["class"] for row in csv.DictReader(io.StringIO(printed.out))] == ["default", "orders"]
    assert "4522334455" not in printed.out + operator("reports", "disposal", "acme").out
    assert operator.json("reports", "disposal", "acme", "--to", "2026-01-01")["rows"] == []
    assert operator.json("reports", "disposal", "beta")["rows"] == []


def test_when_a_call_was_disposed_of(operator: Operator, dispose_recordings: ModuleType) -> None:
    call = put_call(operator.stack, "1").call.id
    put_call(operator.stack, "2")
    dispose_recordings.lambda_handler({}, None)
    (row,) = operator.json("reports", "disposal", "acme", "--call", call)["rows"]
    assert (row["id"], row["files"], row["dispose_on"]) == (call, 2, "2026-01-01T00:00:00.000Z")
    assert row["deleted_at"] == card_of(operator.stack, "1").gone_at
    assert row["object"] in records(operator.stack)


def test_what_is_due(operator: Operator, dispose_recordings: ModuleType) -> None:
    put_call(operator.stack, "late")
    put_call(operator.stack, "1", decided=outcome(in_days(3)))
    put_call(operator.stack, "2", decided=outcome(in_days(3)), holds=["case"])
    put_call(operator.stack, "3", decided=outcome(in_days(3), **{"class": "orders"}))
    put_call(operator.stack, "4", decided=outcome(in_days(9)))
    day = in_days(3)[:10]
    rows = [
        {"day": "2026-01-01", "class": "default", "calls": 1, "held": 0},
        {"day": day, "class": "default", "calls": 2, "held": 1},
        {"day": day, "class": "orders", "calls": 1, "held": 0},
    ]
    assert operator.json("reports", "disposal", "acme", "--due", "7") == {"tenant": "acme", "due": 7, "rows": rows}
    assert operator.json("reports", "disposal", "acme", "--due", "0")["rows"] == rows[:1]
    assert "Choose" in operator.refused("reports", "disposal", "acme", "--due", "7", "--call", "x")
