"""`callseal policy diff`, and the question of `put` and `import`: what a new policy changes for the calls so far."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from callseal.calls.facts import Flags
from callseal.calls.policy import parse_policy
from tests.e2e.cli import command
from tests.e2e.cli.conftest import Operator
from tests.support.calls import TABLE
from tests.support.stack import STACK

NAME = f"/{STACK}/tenants/acme/policy"
NOTHING = dict.fromkeys(
    ("calls", "class_changes", "would_be_held", "deletable_tonight", "locked_longer", "not_judged"), 0
)
CALLER = "+4522334455"


def text(*rules: dict[str, Any], delete_after: str = "90d", **sales: str) -> str:
    classes = {"default": {"delete_after": delete_after}, "sales": sales}
    return json.dumps({"schema": 1, "classes": classes, "rules": rules, "default": {}})


OLD = text()
DENIED = {"rule": "refused", "when": {"denied": True}, "record": "never"}
SALES = {"rule": "sales", "when": {"queue": ["sales"]}, "class": "sales"}


def a_file(content: str, name: str = "new.json") -> Path:
    Path(name).write_text(content)
    return Path(name)


@pytest.fixture
def tenant(operator: Operator) -> Operator:
    operator.stack.tenant("acme", settings={"deliver_to_archive": True})
    operator.stack.ssm.put_parameter(Name=NAME, Value=OLD, Type="String")
    return operator


def stored(operator: Operator) -> str:
    return str(operator.stack.ssm.get_parameter(Name=NAME)["Parameter"]["Value"])


def diff(operator: Operator, new: str, *options: str) -> dict[str, int]:
    found = operator.json("policy", "diff", "acme", "--policy", a_file(new), *options)
    assert list(found) == list(NOTHING)
    return {name: count for name, count in found.items() if count}


@pytest.mark.parametrize("blind", [False, True], ids=["plain", "blind"])
def test_calls_are_compared_by_their_cards(tenant: Operator, put: Any, blind: bool) -> None:
    old = parse_policy(OLD)
    put("sold", 20, blind=blind, policy=old, caller=CALLER, queue="sales")
    put("denied", 3, blind=blind, policy=old, queue="other", flags=Flags(denied=True))
    put("plain", 3, blind=blind, policy=old)
    put("before", 31, blind=blind, policy=old, queue="sales")
    put("other", 3, blind=blind, tenant="beta")
    new = text(DENIED, SALES, keep="1y", lock="governance")
    assert diff(tenant, OLD) == {"calls": 3}
    assert diff(tenant, new) == {"calls": 3, "class_changes": 1, "would_be_held": 1, "locked_longer": 1}
    assert diff(tenant, text(delete_after="10d")) == {"calls": 3, "deletable_tonight": 1}
    assert diff(tenant, new, "--days", "40")["class_changes"] == 2
    shown = tenant("policy", "diff", "acme", "--policy", a_file(new)).out
    assert "class changes: 1\nwould be held: 1\ndeletable tonight: 0\nlocked longer: 1\nnot judged: 0\n" in shown
    assert "after 3 days" in shown
    assert stored(tenant) == OLD


def test_pattern_cannot_be_judged_on_a_blind_card(tenant: Operator, put: Any) -> None:
    put("1", 1, blind=True, policy=parse_policy(OLD), queue="sales")
    put("2", 1, blind=True, policy=parse_policy(OLD))
    by_pattern = {**SALES, "when": {"queue": ["sal*"]}}
    assert diff(tenant, text(by_pattern)) == {"calls": 2, "not_judged": 1}


def test_outcome_of_the_stored_version_was_judged_before_the_facts_were_hashed(tenant: Operator, put: Any) -> None:
    by_pattern = text({**SALES, "when": {"queue": ["sal*"]}})
    tenant.stack.ssm.put_parameter(Name=NAME, Value=by_pattern, Type="String", Overwrite=True)
    put("1", 1, blind=True, policy=parse_policy(by_pattern), queue="sales")
    assert diff(tenant, text(SALES)) == {"calls": 1}
    assert diff(tenant, OLD) == {"calls": 1, "class_changes": 1}


def test_call_of_an_earlier_version_is_judged_by_the_stored_one(tenant: Operator, put: Any) -> None:
    put("1", 1, policy=parse_policy(text(SALES)), queue="sales")
    assert diff(tenant, OLD) == {"calls": 1}
    assert diff(tenant, text(SALES)) == {"calls": 1, "class_changes": 1}


def test_over_a_hundred_calls_are_each_counted_once(tenant: Operator, put: Any) -> None:
    for number in range(101):
        put(str(number), 2, queue="sales")
    assert diff(tenant, text(SALES)) == {"calls": 101, "class_changes": 101}


def test_tenants_first_policy(operator: Operator, put: Any) -> None:
    operator.stack.tenant("acme", settings={})
    put("1", 20)
    assert diff(operator, text(delete_after="10d")) == {"calls": 1, "class_changes": 1, "deletable_tonight": 1}
    assert "follow it at once" in operator("policy", "diff", "acme", "--policy", "new.json").out


def test_what_cannot_be_compared_is_refused(tenant: Operator) -> None:
    new = a_file(text(keep="1y"))
    assert "no settings" in tenant.refused("policy", "diff", "beta", "--policy", new)
    assert "no tenant's name" in tenant.refused("policy", "diff", "ACME", "--policy", new)
    assert "schema must be 1" in tenant.refused("policy", "diff", "acme", "--policy", a_file("{}", "wrong.json"))
    tenant.refused("policy", "diff", "acme", "--policy", new, "--days", "0")
    tenant.stack.tenant("acme", settings={})
    assert "keep needs an archive" in tenant.refused("policy", "diff", "acme", "--policy", new)
    tenant.stack.tenant("acme", settings={"deliver_to_archive": True})
    tenant.stack.dynamodb.delete_table(TableName=TABLE)
    assert "has no index of calls yet" in tenant.refused("policy", "diff", "acme", "--policy", new)


@pytest.mark.parametrize("how", ["put", "import"])
def test_changes_are_shown_before_the_question(
    tenant: Operator, put: Any, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    put("denied", 3, policy=parse_policy(OLD), flags=Flags(denied=True))
    arguments: tuple[Any, ...] = ("policy", "put", "acme", a_file(text(DENIED)))
    if how == "import":
        table = a_file(
            "kind,name,if denied,record,delete_after\nrule,refused,yes,never,\nclass,default,,,90d\ndefault,,,,\n"
        )
        arguments = ("policy", "import", "acme", "--csv", table)

    answer = tenant(*arguments)
    assert (answer.code, stored(tenant), answer.err) == (1, OLD, "")
    for words in ('"record": "never"', "calls of the last 30 days", "would be held: 1", "after 3 days", "Nothing was"):
        assert words in answer.out
    refused = tenant.json(*arguments, code=1)
    assert refused["changes"] == NOTHING | {"calls": 1, "would_be_held": 1}

    monkeypatch.setattr(command._Text, "isatty", lambda _: True)
    asked = tenant(*arguments, data=b"n\n")
    assert (asked.code, stored(tenant)) == (1, OLD)
    assert asked.err.index("would be held: 1") < asked.err.index("after 3 days") < asked.err.index("Store this")
    assert "would be held" not in asked.out
    assert tenant(*arguments, data=b"y\n").code == 0
    assert "refused" in stored(tenant)


def test_with_yes_no_call_is_read(tenant: Operator) -> None:
    tenant.stack.dynamodb.delete_table(TableName=TABLE)
    assert tenant("policy", "put", "acme", a_file(text(DENIED)), "--yes").code == 0
    assert "has no index of calls yet" in tenant.refused("policy", "put", "acme", a_file(text()))
