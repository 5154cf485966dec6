"""`callseal access`: what is stored, what is refused, and who may do what with a call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from callseal.archive.access import ACTIONS
from callseal.archive.user_table import UserTable
from callseal.calls.facts import Flags
from tests.e2e.cli.conftest import NOW, Operator
from tests.support.stack import STACK
from tests.unit.archive.test_access import EXAMPLE

NAME = f"/{STACK}/tenants/acme/access"
PLAIN = {"deliver_to_archive": True, "only_encrypt_sftp": True}
KARI = "Kari@Firma.no"


@pytest.fixture
def tenant(operator: Operator) -> Operator:
    operator.stack.tenant("acme", settings=PLAIN)
    return operator


def a_file(content: Any) -> Path:
    path = Path("access.json")
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def stored(operator: Operator) -> str | None:
    found = operator.stack.ssm.get_parameters(Names=[NAME])["Parameters"]
    return found[0]["Value"] if found else None


def test_access_is_stored_and_shown_as_it_is(tenant: Operator) -> None:
    assert tenant.json("access", "show", "acme", code=1) == {"tenant": "acme", "access": None}
    assert "no user may see its calls" in tenant("access", "show", "acme").out
    assert tenant.json("access", "put", "acme", a_file(EXAMPLE)) == {"tenant": "acme", "stored": True}
    assert stored(tenant) == json.dumps(EXAMPLE)
    assert tenant.json("access", "show", "acme") == {"tenant": "acme", "access": EXAMPLE}
    assert tenant("access", "put", "acme", "-", data=b'{"grants": []}').code == 0
    assert tenant("access", "show", "acme").out == '{"grants": []}\n'


def test_wrong_access_is_refused_and_the_stored_one_stays(tenant: Operator) -> None:
    tenant("access", "put", "acme", a_file(EXAMPLE))
    wrong = a_file({"grants": [{"group": "agents", "may": ["listen"]}]})
    assert "grant number 1: may must be a list of search, play" in tenant.refused("access", "put", "acme", wrong)
    assert "ACME" in tenant.refused("access", "put", "ACME", a_file(EXAMPLE))
    assert stored(tenant) == json.dumps(EXAMPLE)


def test_pattern_for_queues_is_refused_if_calls_are_indexed_blind(operator: Operator) -> None:
    operator.stack.tenant("acme", settings={"deliver_to_archive": True})
    sentence = operator.refused("access", "put", "acme", a_file(EXAMPLE))
    assert (
        "grant number 2: the tenant's calls are indexed blind, so the pattern invoice_* would match no queue"
        in sentence
    )
    grants = [
        {"group": "leads", "may": ["play"], "queues": ["*"]},
        {"group": "n", "may": ["play"], "queues": ["invoice"]},
    ]
    assert operator("access", "put", "acme", a_file({"grants": grants})).code == 0


def test_decision_names_the_grant_or_the_code(tenant: Operator, put: Any) -> None:
    own = put("1", 1, agent="kari@firma.no", queue="support")
    restricted = put("2", 1, agent="kari@firma.no", queue="support", flags=Flags(restricted=True))
    tenant("access", "put", "acme", a_file(EXAMPLE))
    agent = ("access", "test", "acme", KARI)

    assert tenant.json(*agent, own, "--groups", "agents", "--action", "play") == {"allowed": {"play": True}}
    assert tenant.json(*agent, own, "--groups", "agents", code=1) == {
        "allowed": {name: name in ("search", "play") or "NotAllowed" for name in ACTIONS}
    }
    assert tenant.json(*agent, restricted, "--groups", " agents,x ", "--action", "play", code=1) == {
        "allowed": {"play": "RestrictedRecording"}
    }
    assert tenant.json(*agent, restricted, "--groups", "compliance") == {"allowed": dict.fromkeys(ACTIONS, True)}
    assert tenant.json(*agent, own, "--groups", "", "--action", "play", code=1) == {"allowed": {"play": "NotAllowed"}}
    shown = tenant(*agent, own, "--groups", "agents", "--action", "play")
    assert "play\tyes\tgrant number 1, of the group agents" in shown.out
    assert "no call " + "0" * 32 in tenant.refused(*agent, "0" * 32, "--groups", "agents")
    assert "no action listen" in tenant.refused(*agent, own, "--groups", "agents", "--action", "listen")


def test_blind_call_is_found_by_its_hashes(operator: Operator, put: Any) -> None:
    operator.stack.tenant("acme", settings={"deliver_to_archive": True})
    call = put("1", 1, blind=True, agent="4711", queue="invoice")
    grants = [
        {"group": "agents", "may": ["play"], "scope": "own"},
        {"group": "n", "may": ["play"], "queues": ["invoice"]},
    ]
    operator("access", "put", "acme", a_file({"grants": grants}))
    test = ("access", "test", "acme", KARI, call, "--action", "play")
    assert operator.json(*test, "--groups", "agents", "--agent", "4711") == {"allowed": {"play": True}}
    assert operator.json(*test, "--groups", "n") == {"allowed": {"play": True}}
    assert operator.json(*test, "--groups", "agents", "--agent", "4712", code=1) == {"allowed": {"play": "NotAllowed"}}


def test_tenant_without_access_allows_nothing(tenant: Operator, put: Any) -> None:
    call = put("1", 1)
    answer = tenant.json("access", "test", "acme", KARI, call, "--groups", "agents,compliance", code=1)
    assert answer == {"allowed": dict.fromkeys(ACTIONS, "NotAllowed")}


def test_settings_are_listed_beside_policy_and_access(tenant: Operator) -> None:
    """Their parameters stand beside each other, and only that of the settings has settings."""
    tenant("access", "put", "acme", a_file(EXAMPLE))
    for name in ("policy", "access"):
        tenant.stack.ssm.put_parameter(Name=f"/{STACK}/tenants/only-{name}/{name}", Value="{}", Type="String")
        tenant.stack.ssm.put_parameter(
            Name=f"/{STACK}/tenants/acme/{name}", Value="no settings", Type="String", Overwrite=True
        )
    assert tenant.json("tenants", "list")["tenants"] == [{"tenant": "acme", "settings": "ok", "has_key": False}]


def test_users_who_have_accepted_the_terms_and_who_have_not(tenant: Operator) -> None:
    assert tenant.json("access", "terms", "acme") == {"tenant": "acme", "version": None, "users": []}
    tenant("access", "put", "acme", a_file(EXAMPLE))
    users = UserTable(tenant.stack.dynamodb, f"{STACK}-archive-users", lambda: NOW)
    for email, terms in {"ada": "2026-11", "ben": "2025-01", "cleo": None}.items():
        users.sign_in("acme", email)
        if terms:
            users.accept("acme", email, terms)
    users.sign_in("globex", "dora")

    answer = tenant.json("access", "terms", "acme")

    assert answer["version"] == "2026-11"
    assert [(user["user"], user["accepted"], user["version"]) for user in answer["users"]] == [
        ("ada", True, "2026-11"), ("ben", False, "2025-01"), ("cleo", False, None),
    ]  # fmt: skip
    assert [user["time"] is None for user in answer["users"]] == [False, False, True]
    shown = tenant("access", "terms", "acme").out
    assert "The present terms are 2026-11." in shown and "dora" not in shown
