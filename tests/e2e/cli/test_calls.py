"""`callseal calls list` and `show`: what they find, print, refuse and audit."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from callseal.calls.call_name import CallName
from tests.e2e.cli.conftest import NOW, Operator
from tests.support.calls import TABLE

CALLER = "+4522334455"


def names(found: dict[str, Any]) -> list[str]:
    return [call["name"] for call in found["calls"]]


def test_calls_are_listed_newest_first(operator: Operator, put: Any) -> None:
    put("old", 40)
    identifier = put("b", 2, caller=CALLER, direction="incoming", agent="kari", queue="q-1")
    put("a", 1)
    put("other", 1, tenant="acme-two")
    found = operator.json("calls", "list", "acme")
    assert set(found) == {"calls", "cursor", "searched_until"}
    assert (names(found), found["cursor"], found["searched_until"]) == (["a", "b"], None, None)
    assert operator.json("calls", "show", "acme", identifier) == found["calls"][1]
    answer = operator("calls", "list", "acme")
    first, *rows = [line.split("\t") for line in answer.out.splitlines()]
    assert first == ["started", "seconds", "direction", "caller", "callee", "agent", "queue", "name", "id"]
    assert rows[1][1:] == ["61", "incoming", CALLER, "-", "kari", "q-1", "b", identifier]


@pytest.mark.parametrize("blind", [False, True], ids=["plain", "blind"])
@pytest.mark.parametrize("option", [
    ("--caller", "22 33 44 55"), ("--caller", "0045 2233 4455"), ("--agent", "kari"), ("--queue", "q-1"),
    ("--session", "s-1"), ("--from", "{day}", "--to", "{day}"), ("--min-seconds", "61", "--max-seconds", "61"),
], ids=str)  # fmt: skip
def test_filters(operator: Operator, put: Any, blind: bool, option: tuple[str, ...]) -> None:
    operator.stack.tenant("acme", None, {"default_region": "DK"})
    put("1", 1, blind=blind, caller=CALLER, agent="kari", queue="q-1", session_id="s-1")
    arguments = [each.format(day=f"{NOW - timedelta(days=1):%Y-%m-%d}") for each in option]
    assert names(operator.json("calls", "list", "acme", *arguments)) == ["1"]
    nothing = [*arguments, "--queue", "another"] if "--queue" not in option else ["--queue", "another"]
    assert names(operator.json("calls", "list", "acme", *nothing)) == []
    assert operator("calls", "list", "acme", *nothing).out == "There is no such call.\n"


def test_pages(operator: Operator, put: Any) -> None:
    for number in range(5):
        put(str(number), number + 1)
    first = operator.json("calls", "list", "acme", "--limit", "2")
    second = operator.json("calls", "list", "acme", "--limit", "2", "--cursor", first["cursor"])
    third = operator.json("calls", "list", "acme", "--cursor", second["cursor"])
    assert [names(page) for page in (first, second, third)] == [["0", "1"], ["2", "3"], ["4"]]
    assert third["cursor"] is None
    last = operator("calls", "list", "acme", "--limit", "2").out.splitlines()[-1]
    assert "repeat the command with --cursor " in last
    for other in (("beta",), ("acme", "--agent", "kari")):
        assert "without a cursor" in operator.refused("calls", "list", *other, "--cursor", first["cursor"])


@pytest.mark.parametrize(("arguments", "sentence"), [
    (("--caller", "anonymous"), "Withheld"), (("--caller", "Unknown"), "Withheld"), (("--caller", ""), "empty"),
    (("--from", "2026-01-01", "--to", "2026-02-02"), "31 days at most"), (("--from", "soon"), "neither a day"),
    (("--min-seconds", "long"), "no number of seconds"), (("--limit", "0"), "--limit"), (("--cursor", "x"), "cursor"),
])  # fmt: skip
def test_what_cannot_be_searched_is_refused(operator: Operator, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in operator.refused("calls", "list", "acme", *arguments)
    assert operator.stack.audit_details("CallsSearched") == []


def test_a_search_is_audited_by_the_kinds_of_its_filters(operator: Operator, put: Any) -> None:
    put("1", 1, blind=True, caller=CALLER, agent="kari")
    operator("calls", "list", "acme", "--caller", CALLER, "--agent", "kari")
    operator("calls", "list", "acme")
    first, second = operator.stack.audit_details("CallsSearched")
    assert (first["tenant"], first["message"]) == (
        "acme", "An operator searched the tenant's calls. Filters: agent, caller."
    )  # fmt: skip
    assert second["message"].endswith("Filters: none.")
    assert first["id"] != second["id"]
    assert CALLER[1:] not in json.dumps(first)


def test_an_unaudited_search_has_no_answer(operator: Operator, put: Any) -> None:
    put("1", 1)
    operator.stack.events.delete_event_bus(Name=operator.stack.environment["AUDIT_BUS"])
    answer = operator("calls", "list", "acme", "--json")
    assert (answer.code, answer.out) == (2, "")


def test_a_blind_call_shows_what_is_hashed(operator: Operator, put: Any) -> None:
    identifier = put("1", 1, blind=True, caller=CALLER, queue="q-1")
    found = operator.json("calls", "show", "acme", identifier)
    assert (found["caller"], found["queue"], found["blind"]) == (None, None, ["caller", "queue"])
    answer = operator("calls", "show", "acme", identifier)
    assert "blind: caller, queue\n" in answer.out
    assert "0\tsftp\tdelivered\tcms\t454300\tacme/1.wav.p7m\n" in answer.out


@pytest.mark.parametrize("identifier", ["0" * 32, "salt", "x", CallName("beta", "1").id])
def test_an_unknown_call_is_a_no(operator: Operator, put: Any, identifier: str) -> None:
    put("1", 1, blind=True, caller=CALLER)
    put("1", 1, tenant="beta")
    assert operator.json("calls", "show", "acme", identifier, code=1)["found"] is False
    assert operator("calls", "show", "acme", identifier).out == "There is no such call.\n"


def test_a_stack_without_the_index_says_so(operator: Operator) -> None:
    operator.stack.dynamodb.delete_table(TableName=TABLE)
    assert "has no index of calls yet" in operator.refused("calls", "list", "acme")
    assert "has no index of calls yet" in operator.refused("calls", "show", "acme", "0" * 32)
    assert "no tenant's name" in operator.refused("calls", "list", "ACME")
