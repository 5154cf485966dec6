"""`callseal policy`: what is stored, what is refused, and what a compliance officer gets and gives."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from callseal.calls.policy import parse_policy
from callseal.calls.strict_json import MAX_BYTES
from tests.e2e.cli import command
from tests.e2e.cli.conftest import Operator
from tests.support.stack import STACK
from tests.unit.calls.policies import DESIGN

NAME = f"/{STACK}/tenants/acme/policy"
TEXT = json.dumps(DESIGN)


@pytest.fixture
def tenant(operator: Operator) -> Operator:
    operator.stack.tenant("acme", settings={"deliver_to_archive": True})
    return operator


def stored(operator: Operator) -> str | None:
    found = operator.stack.ssm.get_parameters(Names=[NAME])["Parameters"]
    return found[0]["Value"] if found else None


def a_file(content: str | bytes, name: str = "policy.json") -> Path:
    path = Path(name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_policy_is_stored_as_it_is(tenant: Operator) -> None:
    version = sha256(TEXT.encode()).hexdigest()
    assert tenant.json("policy", "put", "acme", a_file(TEXT), "--yes") == {
        "tenant": "acme", "stored": True, "version": version,
    }  # fmt: skip
    assert stored(tenant) == TEXT
    (described,) = tenant.stack.ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [NAME]}])[
        "Parameters"
    ]
    assert described["Tier"] == "Advanced"
    shown = tenant.json("policy", "show", "acme")
    assert (shown["tenant"], shown["version"], shown["policy"]["rules"][0]["rule"]) == ("acme", version, "orders")
    assert parse_policy(json.dumps(shown["policy"])) == parse_policy(TEXT)
    assert tenant("policy", "show", "acme").out == f"{TEXT}\nVersion {version}.\n"
    assert "Nothing to change" in tenant("policy", "put", "acme", a_file(TEXT)).out


def test_without_an_answer_nothing_is_stored(tenant: Operator) -> None:
    answer = tenant("policy", "put", "acme", a_file(TEXT))
    assert (answer.code, stored(tenant)) == (1, None)
    assert "--yes" in answer.out
    assert tenant.json("policy", "put", "acme", a_file(TEXT), code=1)["stored"] is False
    tenant.json("policy", "put", "acme", a_file(TEXT), "--yes")
    assert tenant("policy", "put", "acme", a_file(TEXT.replace("90d", "9d"))).code == 1
    assert stored(tenant) == TEXT


def test_spreadsheet_goes_out_and_comes_in(tenant: Operator) -> None:
    tenant.json("policy", "put", "acme", a_file(TEXT), "--yes")
    assert tenant("policy", "export", "acme", "--csv", "policy.csv").code == 0
    table = Path("policy.csv").read_bytes()
    assert table.startswith(b"\xef\xbb\xbfkind,name,")
    on_screen = tenant("policy", "export", "acme").out
    assert on_screen.splitlines() == table.decode("utf-8-sig").splitlines()

    changed = a_file(table.decode("utf-8-sig").replace(",", ";").replace("90d", "60d").encode("cp1252"), "changed.csv")
    assert tenant("policy", "import", "acme", "--csv", changed).code == 1
    assert stored(tenant) == TEXT
    assert tenant("policy", "import", "acme", "--csv", changed, "--yes").code == 0
    assert parse_policy(stored(tenant) or "") == parse_policy(TEXT.replace("90d", "60d"))
    assert tenant("policy", "import", "acme", "--csv", "-", "--yes", data=table).code == 0
    assert parse_policy(stored(tenant) or "") == parse_policy(TEXT)


def test_tenant_without_a_policy(tenant: Operator) -> None:
    assert tenant.json("policy", "show", "acme", code=1) == {"tenant": "acme", "policy": None, "version": None}
    assert tenant("policy", "export", "acme", "--csv", "policy.csv").code == 1
    assert not Path("policy.csv").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "it is no proper JSON"),
        (TEXT.replace("must", "shall"), "rule orders: record must be one of may, must, never"),
        (TEXT + " " * MAX_BYTES, "over 8192 bytes"),
        (TEXT + " " * 1_000_000, "over 1,000,000 bytes"),
        (b"\xff\xfe{", "not UTF-8"),
    ],
    ids=["json", "rule", "8 KB", "1 MB", "UTF-16"],
)
def test_wrong_policy_is_refused(tenant: Operator, content: str | bytes, words: str) -> None:
    sentence = tenant.refused("policy", "put", "acme", a_file(content), "--yes")
    assert words in sentence
    assert ".../policy" not in sentence
    assert stored(tenant) is None


def test_spreadsheet_that_makes_over_8_kb_is_refused(tenant: Operator) -> None:
    rows = "".join(f"rule,rule-{number},{'q' * 100}\n" for number in range(100))
    table = a_file(f"kind,name,if queue\n{rows}default,,\n", "policy.csv")
    assert "over 8192 bytes" in tenant.refused("policy", "import", "acme", "--csv", table, "--yes")
    assert "row 2: kind must be" in tenant.refused(
        "policy", "import", "acme", "--csv", a_file("kind,name\nx,y\n"), "--yes"
    )
    assert stored(tenant) is None


def test_policy_must_fit_the_settings(operator: Operator) -> None:
    operator.stack.tenant("acme", settings={})
    sentence = operator.refused("policy", "put", "acme", a_file(TEXT), "--yes")
    assert "class orders: keep needs an archive" in sentence
    assert "no settings" in operator.refused("policy", "put", "beta", a_file(TEXT), "--yes")
    assert stored(operator) is None


def test_stored_policy_that_is_wrong_is_reported_and_replaced(tenant: Operator) -> None:
    tenant.stack.ssm.put_parameter(Name=NAME, Value="{}", Type="String")
    assert "schema must be 1" in tenant.refused("policy", "show", "acme")
    assert tenant("policy", "put", "acme", a_file(TEXT), "--yes").code == 0
    assert stored(tenant) == TEXT


def test_presets_are_listed_with_their_sources(operator: Operator) -> None:
    listed = operator.json("policy", "presets")
    assert listed["disclaimer"].startswith("This is no legal advice.")
    assert {"no", "de", "us-ca-all-party"} < {preset["name"] for preset in listed["presets"]}
    text = operator("policy", "presets").out
    assert text.startswith("This is no legal advice.")
    assert "Strafgesetzbuch § 201" in text


def test_preset_is_copied_and_stored_by_hand(tenant: Operator) -> None:
    preset: dict[str, Any] = tenant.json("policy", "presets", "eu-mifid-orders")
    assert preset["disclaimer"].startswith("This is no legal advice.")
    assert preset["source"][0]["url"].startswith("https://eur-lex.europa.eu/")
    policy = a_file(tenant("policy", "presets", "eu-mifid-orders").out)
    assert tenant("policy", "put", "acme", policy, "--yes").code == 0
    assert parse_policy(stored(tenant) or "") == parse_policy(json.dumps(preset["policy"]))
    assert "The presets are de, dk" in tenant.refused("policy", "presets", "xx")


@pytest.mark.parametrize(("answer", "is_stored"), [("y", True), ("n", False), ("", False)])
def test_on_a_terminal_the_change_is_shown_and_asked_for(
    tenant: Operator, monkeypatch: pytest.MonkeyPatch, answer: str, is_stored: bool
) -> None:
    tenant.json("policy", "put", "acme", a_file(TEXT), "--yes")
    monkeypatch.setattr(command._Text, "isatty", lambda _: True)
    asked = tenant("policy", "put", "acme", a_file(TEXT.replace("90d", "60d")), data=f"{answer}\n".encode())
    assert asked.code == (0 if is_stored else 1)
    assert '-  "default": {"delete_after": "90d"' in asked.err
    assert '+  "default": {"delete_after": "60d"' in asked.err
    assert "Recordings of orders will be locked" in asked.err
    assert ("60d" in (stored(tenant) or "")) is is_stored
