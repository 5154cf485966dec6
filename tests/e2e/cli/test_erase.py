"""`callseal erase`: two people, what they are shown, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from callseal.calls.call_name import CallName
from tests.e2e.cli.conftest import Operator
from tests.support import calls
from tests.support.clock import Clock
from tests.support.erasures import RETENTION
from tests.support.stack import AUDIT, SFTP, STACK

CALLER = "+4522334455"
BASIS = ("--basis", "GDPR, article 17")


@pytest.fixture(autouse=True)
def _people(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two people, as the local cloud knows them."""
    operator.stack.tenant("acme", None, {"default_region": "DK"})
    monkeypatch.setattr("callseal_cli.stack._is_this_machine", lambda _: True)
    monkeypatch.setenv("CALLSEAL_USER", "kari@acme.example")


@pytest.fixture
def call(operator: Operator, put: Any) -> str:
    operator.stack.s3.put_object(Bucket=SFTP, Key="acme/1.wav.p7m", Body=b"sealed")
    return str(put("1", 1, caller=CALLER, session_id="s-1"))


def start(operator: Operator, *subject: str) -> dict[str, Any]:
    found: dict[str, Any] = operator.json("erase", "start", "acme", *(subject or ("--caller", CALLER)), *BASIS)
    return found


@pytest.mark.parametrize("subject", [("--caller", "22 33 44 55"), ("--call", "{call}"), ("--call", "s-1")], ids=str)
def test_start_shows_what_would_go(operator: Operator, call: str, subject: tuple[str, str]) -> None:
    shown = start(operator, *(each.format(call=call) for each in subject))
    assert {"request", "counts", "files", "coverage_from", "due"} <= set(shown)
    assert (shown["state"], shown["counts"], shown["by"]) == ("requested", {"pending": 1}, "kari@acme.example")
    assert shown["files"] == [{"call": call, "place": "sftp", "state": "pending", "until": None}]
    assert start(operator, *(each.format(call=call) for each in subject)) == shown
    assert "acme/1.wav.p7m" in operator.stack.objects(SFTP)
    lines = operator("erase", "start", "acme", *(each.format(call=call) for each in subject), *BASIS).out
    assert "An earlier one is found by its session's id only." in lines
    kept = json.dumps(operator.stack.dynamodb.scan(TableName=RETENTION)["Items"])
    assert "2334455" not in kept
    assert "kari@acme.example" in str(operator.stack.audit_details("ErasureRequested")[0]["message"])


def test_nothing_found_is_not_kept(operator: Operator, call: str) -> None:
    answer = operator("erase", "start", "acme", "--caller", "22 33 44 66", *BASIS)
    assert (answer.code, "nothing to erase" in answer.out) == (1, True)
    assert operator.json("erase", "list", "acme") == {"erasures": []}


@pytest.mark.parametrize(("arguments", "sentence"), [
    ((*BASIS,), "either --caller or --call"), (("--caller", CALLER, "--call", "1", *BASIS), "either"),
    (("--caller", "anonymous", *BASIS), "no number"), (("--caller", CALLER), "--basis"),
    (("--caller", CALLER, "--basis", f"mail of {CALLER}"), "holds a telephone number"),
])  # fmt: skip
def test_wrong_use(operator: Operator, call: str, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in operator.refused("erase", "start", "acme", *arguments)


def test_no_person_named(operator: Operator, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CALLSEAL_USER")
    assert "CALLSEAL_USER" in operator.refused("erase", "start", "acme", "--call", call, *BASIS)
    assert "CALLSEAL_USER" in operator.refused("erase", "approve", "acme", "0" * 16)


def test_approve_needs_a_second_person(operator: Operator, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    request = start(operator)["request"]
    refused = operator("erase", "approve", "acme", request)
    assert (refused.code, "Another person" in refused.out) == (1, True)
    monkeypatch.setenv("CALLSEAL_USER", "ola@acme.example")

    shown = operator.json("erase", "approve", "acme", request)

    assert (shown["state"], shown["approved_by"]) == ("running", "ola@acme.example")
    assert operator.json("calls", "list", "acme")["calls"] == []
    (message,) = operator.stack.take(operator.stack.environment["ERASURE_QUEUE_URL"])
    assert json.loads(message) == {"tenant": "acme", "request": request}
    (listed,) = operator.json("erase", "list", "acme")["erasures"]
    assert (listed["request"], listed["state"]) == (request, "running")


@pytest.mark.parametrize("command", ["approve", "status", "certificate"])
def test_an_unknown_request(operator: Operator, command: str) -> None:
    answer = operator("erase", command, "acme", "0" * 16)
    assert (answer.code, "no request" in answer.out) == (1, True)


def test_certificate_is_saved(operator: Operator, call: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    request = start(operator)["request"]
    assert "no certificate yet" in operator("erase", "certificate", "acme", request).out
    table, name = f"{STACK}-retention", {"tenant": {"S": "acme"}, "id": {"S": f"erasure#{request}"}}
    operator.stack.dynamodb.update_item(
        TableName=table, Key=name, UpdateExpression="SET certificates = :n, certified = :s",
        ExpressionAttributeValues={":n": {"N": "1"}, ":s": {"S": "ab" * 32}},
    )  # fmt: skip
    key = f"erasures/acme/{request}/0001-{'ab' * 16}.json"
    for suffix in ("", ".sig"):
        operator.stack.s3.put_object(Bucket=AUDIT, Key=f"{key}{suffix}", Body=f"c{suffix}".encode())

    shown = operator.json("erase", "certificate", "acme", request, "--to", tmp_path / "new")

    assert (shown["number"], shown["sha256"]) == (1, "ab" * 32)
    assert Path(shown["certificate"]).read_bytes() == b"c"
    assert (tmp_path / "new" / f"erasure-{request}.json.sig").read_bytes() == b"c.sig"


def test_anonymised_calls_are_reported(operator: Operator) -> None:
    row = {"day": "2026-11-23", "queue": "q-1", "direction": "incoming", "seconds": 14, "class": "default"}
    item = {"tenant": {"S": "acme"}, "id": {"S": "anonymised#row#2026-11-23#x"}, "row": {"S": json.dumps(row)}}
    operator.stack.dynamodb.put_item(TableName=RETENTION, Item=item)
    assert operator.json("reports", "anonymised", "acme") == {"tenant": "acme", "rows": [row]}
    lines = operator("reports", "anonymised", "acme", "--csv").out.splitlines()
    assert lines == ["day,queue,direction,seconds,class", "2026-11-23,q-1,incoming,14,default"]


def test_a_call_under_a_hold_is_shown_as_held(operator: Operator, call: str) -> None:
    table = calls.table(operator.stack, Clock())
    assert table.apply({CallName("acme", "1"): [lambda card: card.with_holds(["case-7"])]}) == {}
    assert start(operator)["counts"] == {"held": 1}
