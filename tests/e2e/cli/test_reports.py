"""`callseal reports`: consent, denials and classes, and that none has a caller's number."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest

from callseal.calls.facts import Flags
from callseal.calls.policy import parse_policy
from tests.e2e.cli.conftest import NOW, Operator
from tests.support.calls import TABLE

CALLER = "+4522334455"
POLICY = parse_policy(json.dumps({
    "schema": 1,
    "classes": {"default": {"delete_after": "90d"}, "orders": {"keep": "5y", "lock": "governance"}},
    "rules": [
        {"rule": "orders", "when": {"queue": ["orders"]}, "class": "orders", "record": "must"},
        {"rule": "refused", "when": {"denied": True}, "record": "never"},
    ],
    "default": {"consent": "required"},
}))  # fmt: skip
REPORTS = ("consent", "denied", "classes")


@pytest.fixture
def tenant(operator: Operator, put: Any) -> Operator:
    operator.stack.tenant("acme", settings={"default_region": "DK"})
    for name, days, members in (
        ("given", 1, {"flags": Flags(consent="given", informed=True)}),
        ("unknown", 2, {"flags": Flags(informed=True)}),
        ("refused", 3, {"flags": Flags(denied=True)}),
        ("kept", 4, {"flags": Flags(denied=True, consent="denied"), "queue": "orders"}),
        ("old", 40, {"flags": Flags(denied=True)}),
    ):
        put(name, days, policy=POLICY, caller=CALLER, callee="+4521890000", direction="incoming", **members)
    put("other", 1, tenant="beta", caller=CALLER)
    return operator


def rows(operator: Operator, report: str, *options: str) -> dict[str, dict[str, Any]]:
    found = operator.json("reports", report, "acme", *options)["rows"]
    return {row["name"]: row for row in found}


def test_consent(tenant: Operator) -> None:
    found = tenant.json("reports", "consent", "acme")
    assert set(found) == {"tenant", "from", "to", "rows", "counts"}
    assert found["counts"] == {"given": 1, "denied": 1, "not_asked": 0, "unknown": 2}
    assert [row["name"] for row in found["rows"]] == ["unknown", "refused", "kept"]
    identifier, started = (found["rows"][0][name] for name in ("id", "started"))
    assert found["rows"][0] == {
        "id": identifier, "name": "unknown", "started": started, "consent": "unknown", "informed": True,
        "rule": "default", "held": "ConsentMissing",
    }  # fmt: skip
    assert tenant.json("calls", "show", "acme", identifier)["started"] == started
    assert [row["held"] for row in found["rows"][1:]] == ["RecordingDenied", None]


def test_denied(tenant: Operator) -> None:
    found = rows(tenant, "denied")
    assert set(found) == {"refused", "kept"}
    decided = {
        name: tuple(row[each] for each in ("denied", "consent", "rule", "held", "kept")) for name, row in found.items()
    }
    assert decided == {
        "refused": (True, "unknown", "refused", "RecordingDenied", False),
        "kept": (True, "denied", "orders", None, True),
    }
    assert set(rows(tenant, "denied", "--from", f"{NOW - timedelta(days=41):%Y-%m-%d}")) == {"refused", "kept", "old"}


def test_recording_that_a_rule_forbids_without_a_denial_is_listed(operator: Operator, put: Any) -> None:
    operator.stack.tenant("acme", settings={})
    never = parse_policy(json.dumps({"schema": 1, "rules": [], "default": {"record": "never"}}))
    put("1", 1, policy=never)
    assert rows(operator, "denied")["1"]["denied"] is False


def test_classes(tenant: Operator, put: Any) -> None:
    put("unjudged", 1)
    found = tenant.json("reports", "classes", "acme")["rows"]
    assert [(row["class"], row["calls"], row["without_end"]) for row in found] == [
        (None, 1, 1), ("default", 3, 0), ("orders", 1, 1)
    ]  # fmt: skip
    _, default, orders = found
    assert (default["keep_until_first"], orders["dispose_on_last"]) == (None, None)
    assert default["dispose_on_first"] < default["dispose_on_last"]
    assert orders["keep_until_first"] == orders["keep_until_last"] > default["dispose_on_last"]


@pytest.mark.parametrize("report", REPORTS)
def test_csv_has_the_rows_of_the_json(tenant: Operator, report: str) -> None:
    document = tenant.json("reports", report, "acme")["rows"]
    answer = tenant("reports", report, "acme", "--csv")
    found = list(csv.DictReader(io.StringIO(answer.out)))
    assert found == [{name: "" if value is None else str(value) for name, value in row.items()} for row in document]
    assert "Choose --csv or --json" in json.loads(tenant("reports", report, "acme", "--csv", "--json").err)["error"]


def test_person_reads_a_table(tenant: Operator) -> None:
    assert "given: 1\ndenied: 1\nnot_asked: 0\nunknown: 2\nid\tname\t" in tenant("reports", "consent", "acme").out
    assert "\trefused\t" in tenant("reports", "denied", "acme").out
    assert tenant("reports", "denied", "acme", "--to", "2020-01-01").out == "There is no such call.\n"


@pytest.mark.parametrize("form", [(), ("--csv",), ("--json",)], ids=str)
@pytest.mark.parametrize("report", REPORTS)
def test_no_report_has_a_number(tenant: Operator, put: Any, report: str, form: tuple[str, ...]) -> None:
    for number, name in enumerate(("22334455", "x_+4522334455", "2026/11/4711_22334455")):
        put(name, 5 + number, policy=POLICY, caller=CALLER, flags=Flags(denied=True))
    answer = tenant("reports", report, "acme", *form)
    assert answer.code == 0
    assert "22334455" not in answer.out + answer.err
    assert report == "classes" or len(rows(tenant, report)) > 2


def test_name_is_no_formula_in_a_spreadsheet(tenant: Operator, put: Any) -> None:
    put("=1+1", 1, policy=POLICY, flags=Flags(denied=True))
    assert ",'=1+1," in tenant("reports", "denied", "acme", "--csv").out
    assert "=1+1" in rows(tenant, "denied")


def test_days_are_included_and_times_are_not(tenant: Operator) -> None:
    day = f"{NOW - timedelta(days=3):%Y-%m-%d}"
    assert set(rows(tenant, "denied", "--from", day, "--to", day)) == {"refused"}
    before = (NOW - timedelta(days=3)).isoformat(timespec="milliseconds")
    assert set(rows(tenant, "denied", "--to", before)) == {"kept"}


def test_what_cannot_be_reported_is_refused(tenant: Operator) -> None:
    assert "neither a day" in tenant.refused("reports", "denied", "acme", "--from", "soon")
    assert "is not before" in tenant.refused("reports", "denied", "acme", "--from", "2026-02-01", "--to", "2026-01-01")
    assert "no settings" in tenant.refused("reports", "denied", "gamma")
    tenant.stack.dynamodb.delete_table(TableName=TABLE)
    assert "has no index of calls yet" in tenant.refused("reports", "denied", "acme")
