"""`callseal holds` and the report of holds: scopes, refusals, two people, and what the command waits for."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from callseal_cli import holds as command
from callseal_cli.errors import CannotError
from callseal_cli.person import person
from callseal_cli.stack import find_stack
from tests.e2e.cli.conftest import Operator
from tests.support.clock import Clock
from tests.support.holds import CALLER, HoldScene
from tests.support.stack import STACK

ARCHIVE = {"deliver_to_archive": True, "encrypt": False, "default_region": "DK", "own_numbers": ["+4570"]}
BLIND = {**ARCHIVE, "encrypt": True, "require_key_proof": False}
MEMBERS = [
    "tenant", "name", "reason", "state", "scope", "calls", "gone", "placed_by", "placed_at", "held_at", "asked_by",
    "asked_at", "approved_by", "approved_at", "released_at",
]  # fmt: skip
SCOPE = {"calls": [], "party": None, "queue": None, "agent": None, "from": None, "to": None, "future": False}
BECAUSE = ("--reason", "Claim 12 of the insurance")


@pytest.fixture
def scene(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> HoldScene:
    """A tenant with an archive. lock_recordings works while the command waits."""
    operator.stack.tenant("acme", settings=ARCHIVE)
    scene = HoldScene(operator.stack, Clock())
    monkeypatch.setattr("callseal.retention.hold_messages.SETTLE_SECONDS", 0)
    monkeypatch.setattr("callseal_cli.holds.time.sleep", lambda _: scene.work())
    return scene


@pytest.fixture
def by(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets who calls the command."""

    def set_person(name: str) -> None:
        monkeypatch.setattr("callseal_cli.holds.person", lambda _: name)

    set_person("kari")
    return set_person


def test_a_hold_from_its_creation_to_its_release(
    operator: Operator, scene: HoldScene, by: Callable[[str], None]
) -> None:
    call, other = scene.deliver("1", caller=CALLER), scene.deliver("2", caller="+4733445566")
    made = operator.json("holds", "create", "acme", "case 1", *BECAUSE, "--caller", "22 33 44 55")
    assert [*made] == MEMBERS
    assert (made["tenant"], made["name"], made["state"], made["calls"], made["gone"]) == (
        "acme", "case 1", "held", 1, []
    )  # fmt: skip
    assert made["scope"] == {**SCOPE, "party": CALLER, "blind": False}
    assert (made["placed_by"], made["reason"]) == ("kari", BECAUSE[1])
    assert scene.held([call, other]) == [("case 1",), ()]
    assert operator.json("calls", "show", "acme", call)["holds"] == ["case 1"]
    assert operator.json("holds", "show", "acme", "case 1") == made
    assert operator.json("holds", "list", "acme") == {
        "tenant": "acme", "holds": [{name: made[name] for name in MEMBERS[1:]}]
    }  # fmt: skip
    asked = operator.json("holds", "release", "acme", "case 1")
    assert (asked["state"], asked["asked_by"], asked["calls"]) == ("release_asked", "kari", 1)
    refused = operator.json("holds", "approve", "acme", "case 1", code=1)
    assert (refused["refused"], refused["name"]) == ("SecondPersonNeeded", "case 1")
    assert scene.held([call]) == [("case 1",)]
    by("ola")
    done = operator.json("holds", "approve", "acme", "case 1")
    assert (done["state"], done["approved_by"], done["calls"]) == ("released", "ola", 0)
    assert scene.held([call]) == [()]
    assert operator.json("holds", "list", "acme")["holds"] == []
    assert [hold["state"] for hold in operator.json("holds", "list", "acme", "--all")["holds"]] == ["released"]


@pytest.mark.parametrize(("step", "options", "code"), [
    ("create", [*BECAUSE, "--caller", CALLER], "NameTaken"), ("approve", [], "ReleaseNotAsked"),
])  # fmt: skip
def test_refused_steps(
    operator: Operator, scene: HoldScene, by: Callable[[str], None], step: str, options: list[str], code: str
) -> None:
    operator.json("holds", "create", "acme", "case", *BECAUSE, "--caller", CALLER)
    before = operator.json("holds", "show", "acme", "case")
    assert operator.json("holds", step, "acme", "case", *options, code=1)["refused"] == code
    plain = operator("holds", step, "acme", "case", *options)
    assert (plain.code, plain.err) == (1, "")
    assert plain.out.startswith(("acme has a hold case already.", "The hold case is held"))
    assert operator.json("holds", "show", "acme", "case") == before


@pytest.mark.parametrize("step", ["show", "release", "approve"])
def test_unknown_names(operator: Operator, scene: HoldScene, by: Callable[[str], None], step: str) -> None:
    assert operator.json("holds", step, "acme", "case", code=1)["refused"] == "NoSuchHold"
    assert operator("holds", step, "acme", "case").out == "acme has no hold case.\n"


@pytest.mark.parametrize(("options", "expected"), [
    ([], "A hold needs a scope"),
    (["--future"], "A hold needs a scope"),
    (["--call", "1"], "is no call's id"),
    (["--call", "0" * 32], "has no call 0000"),
    (["--call", "0" * 32, "--queue", "orders"], "takes no other filter"),
    (["--caller", "anonymous"], "withheld, no number, or the tenant's own"),
    (["--caller", "+4570123456"], "withheld, no number, or the tenant's own"),
    (["--caller", "+452233*"], "withheld, no number, or the tenant's own"),
    (["--queue", ""], "The queue is empty"),
    (["--agent", "a*b"], "The agent is empty, too long or no text"),
    (["--from", "2026-11-24", "--to", "2026-11-23"], "not before the filter to"),
    (["--from", "yesterday"], "neither a day"),
    (["--caller", CALLER, "--reason", " "], "A hold needs a reason"),
    (["--caller", CALLER, "--reason", "Of +45 and +4522334455"], "The reason holds a telephone number"),
])  # fmt: skip
def test_holds_that_cannot_be_placed(
    operator: Operator, scene: HoldScene, by: Callable[[str], None], options: list[str], expected: str
) -> None:
    reason = () if "--reason" in options else BECAUSE
    assert expected in operator.refused("holds", "create", "acme", "case", *reason, *options)
    assert scene.table.all("acme") == []


@pytest.mark.parametrize("name", ["", "#", "a#b", "-a", "a-", "a/b", "å", "a" * 65, "a\n"])
def test_names_that_no_hold_can_have(
    operator: Operator, scene: HoldScene, by: Callable[[str], None], name: str
) -> None:
    arguments = ("holds", "create", "acme", *BECAUSE, "--caller", CALLER, "--", name)
    assert operator(*arguments).code == 2
    assert scene.table.all("acme") == []


@pytest.mark.parametrize(("members", "expected"), [
    ({"deliver_to_archive": False, "call_index": "plain"}, "has no archive"),
    ({"call_index": "off"}, "are not indexed"),
])  # fmt: skip
def test_tenants_whose_calls_cannot_be_held(
    operator: Operator, scene: HoldScene, by: Callable[[str], None], members: Mapping[str, Any], expected: str
) -> None:
    operator.stack.tenant("acme", settings={**ARCHIVE, **members})
    assert expected in operator.refused("holds", "create", "acme", "case", *BECAUSE, "--caller", CALLER)


def test_a_tenant_without_settings(operator: Operator, scene: HoldScene, by: Callable[[str], None]) -> None:
    assert "has no settings" in operator.refused("holds", "create", "beta", "case", *BECAUSE, "--caller", CALLER)


def test_a_call_that_has_not_landed(operator: Operator, scene: HoldScene, by: Callable[[str], None]) -> None:
    call = scene.deliver("1", caller=CALLER)
    unknown = "0" * 32
    made = operator.json(
        "holds", "create", "acme", "case", *BECAUSE, "--future", "--call", unknown, "--call", call, "--call", call
    )
    assert (made["scope"]["calls"], made["scope"]["future"], made["calls"]) == ([unknown, call], True, 1)


def test_blind_scopes_are_hashed(operator: Operator, scene: HoldScene, by: Callable[[str], None]) -> None:
    operator.stack.tenant("acme", settings=BLIND)
    plain = scene.deliver("old", caller=CALLER, queue="orders")
    blind = scene.deliver("1", blind=True, caller=CALLER, queue="orders")
    other = scene.deliver("2", blind=True, caller="+4733445566", queue="sales")
    made = operator.json("holds", "create", "acme", "case", *BECAUSE, "--caller", CALLER, "--queue", "orders")
    hashes = {name: scene.blind.hashed("acme", kind, value) for name, kind, value in (
        ("party", "number", CALLER), ("queue", "queue", "orders"),
    )}  # type: ignore[arg-type]  # fmt: skip
    assert made["scope"] == {**SCOPE, **hashes, "blind": True}
    assert scene.held([plain, blind, other]) == [("case",), ("case",), ()]
    stored = str(scene.cloud.dynamodb.scan(TableName=f"{STACK}-retention")["Items"])
    assert CALLER not in stored and "orders" not in stored


def test_patterns(operator: Operator, scene: HoldScene, by: Callable[[str], None]) -> None:
    call = scene.deliver("1", queue="orders-1")
    every = [call, scene.deliver("2", queue="sales")]
    assert operator.json("holds", "create", "acme", "one", *BECAUSE, "--queue", "orders-*")["calls"] == 1
    operator.stack.tenant("acme", settings=BLIND)
    sentence = operator.refused("holds", "create", "acme", "two", *BECAUSE, "--queue", "orders-*")
    assert "indexed blind, so the pattern orders-* would match no queue" in sentence
    assert operator.json("holds", "create", "acme", "all", *BECAUSE, "--queue", "*")["calls"] == 2
    assert scene.held(every) == [("all", "one"), ("all",)]


def test_a_hold_that_takes_too_long(
    operator: Operator, scene: HoldScene, by: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work on it goes on. The same command waits for it again."""
    call = scene.deliver("1", caller=CALLER)
    with monkeypatch.context() as patch:
        patch.setattr("callseal_cli.holds.time.sleep", lambda _: None)
        patch.setattr(command, "WAIT_SECONDS", 1.0)
        answer = operator("holds", "create", "acme", "case", *BECAUSE, "--caller", CALLER)
    assert answer.code == 2
    assert "The hold case is still placing after" in answer.err
    assert operator.json("holds", "show", "acme", "case")["state"] == "placing"
    assert operator.json("holds", "create", "acme", "case", *BECAUSE, "--caller", CALLER)["state"] == "held"
    assert scene.held([call]) == [("case",)]


def test_the_report(operator: Operator, scene: HoldScene, by: Callable[[str], None]) -> None:
    call = scene.deliver("1", caller=CALLER)
    scene.deliver(f"call of {CALLER}", caller=CALLER)
    operator.json("holds", "create", "acme", "case", *BECAUSE, "--caller", CALLER)
    operator.json("holds", "create", "acme", "none", *BECAUSE, "--queue", "no-such-queue")
    report = operator.json("reports", "holds", "acme")
    assert report["counts"] == {"case": 2, "none": 0}
    assert {(row["hold"], row["name"]) for row in report["rows"]} == {("case", "1"), ("case", None), ("none", None)}
    row = next(row for row in report["rows"] if row["id"] == call)
    assert (row["state"], row["placed_by"]) == ("held", "kari")
    text = operator("reports", "holds", "acme", "--csv").out
    assert [line["hold"] for line in csv.DictReader(io.StringIO(text))] == ["case", "case", "none"]
    assert CALLER not in text and CALLER not in str(report)
    assert "case" in operator("reports", "holds", "acme").out


def test_the_list_for_a_person(operator: Operator, scene: HoldScene, by: Callable[[str], None]) -> None:
    assert operator("holds", "list", "acme").out == "There is no hold.\n"
    operator.json("holds", "create", "acme", "case", *BECAUSE, "--caller", CALLER)
    lines = operator("holds", "list", "acme").out.splitlines()
    assert lines[0].split("\t") == [*command.LISTED]
    assert lines[1].split("\t")[:4] == ["case", "held", "0", "kari"]
    assert "state: held" in operator("holds", "show", "acme", "case").out


def test_the_person(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_stack(STACK)
    monkeypatch.setenv("CALLSEAL_USER", "kari@acme.example")
    assert person(found).startswith("arn:aws:sts::123456789012:"), "on AWS, the variable does not count"
    local = replace(found, is_local=True)
    assert person(local) == "kari@acme.example"
    for name in ("", "  ", "a\x1bb"):
        monkeypatch.setenv("CALLSEAL_USER", name)
        with pytest.raises(CannotError, match="Set CALLSEAL_USER"):
            person(local)


@pytest.mark.parametrize("step", ["create", "release", "approve"])
def test_steps_need_a_person(operator: Operator, scene: HoldScene, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: Any) -> str:
        raise CannotError("The local cloud knows no people.")

    monkeypatch.setattr("callseal_cli.holds.person", unknown)
    options = [*BECAUSE, "--caller", CALLER] if step == "create" else []
    assert operator.refused("holds", step, "acme", "case", *options) == "The local cloud knows no people."
    assert scene.table.all("acme") == []


def test_a_stack_without_the_table(operator: Operator, scene: HoldScene, by: Callable[[str], None]) -> None:
    operator.stack.dynamodb.delete_table(TableName=f"{STACK}-retention")
    assert "has no holds yet" in operator.refused("holds", "list", "acme")
