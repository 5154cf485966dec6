"""The OpenAPI description of the archive's API: it is valid, has the template's routes, and every code of an error."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from callseal.archive.body import read_body
from callseal.archive.may import Code
from callseal.inbound.http import RefusedRequestError, Request
from tools.pages.api.compact_json import compact_json
from tools.pages.api.description import description, template_routes
from tools.pages.api.errors import ERRORS
from tools.pages.api.operations import OPERATIONS

ROOT = Path(__file__).parents[2]
DESCRIPTION = json.loads((ROOT / "schemas" / "archive-api.openapi.json").read_text())
PACKAGE = ROOT / "layers" / "callseal" / "python" / "callseal"
# Functions that make a refusal of a code.
REFUSING = {"RefusedRequestError", "refusal", "refused", "_refused"}
CODE = re.compile(r"[A-Z][A-Za-z]+")
TEXTS = (
    "",
    " ",
    "x",
    "x" * 40,
    "x" * 41,
    "x" * 200,
    "x" * 201,
    "x" * 2000,
    "x" * 2001,
    "a\nb",
    "x\n",
    "\x00",
    "\x7f",
    "é",
)
ADDRESSES = (
    "a@b.cd", "A@B.Cd", "a b@c.de", "a@b", "a@@b.cd", "a@b.c", ".a@b.cd", "a.@b.cd", "a@-b.cd", "a@b.cd\n", "é@b.cd",
    f"{'x' * 64}@b.cd", f"{'x' * 65}@b.cd", f"a@{'x' * 63}.{'y' * 63}.{'z' * 63}.{'v' * 57}.com",
    f"a@{'x' * 63}.{'y' * 63}.{'z' * 63}.{'v' * 58}.com", "a@b.1d", "Name <a@b.cd>", "a@b.cd,c@d.ef",
)  # fmt: skip
NUMBERS = (-1, 0, 1, 2, 30, 31, 9999, 10000, 1.0, 1.5, True, 1e300)
SPANS: tuple[Any, ...] = (
    [],
    [[0, 1]],
    [[0]],
    [[0, 1, 2]],
    [[0, True]],
    [[-1, 0]],
    [[0, 360000]],
    [[0, 360001]],
    [["0", 1]],
)
VALUES: tuple[Any, ...] = (*TEXTS, *ADDRESSES, *NUMBERS, *SPANS, None, {}, "play", "nb", "search")


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DESCRIPTION["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def raised_codes() -> set[str]:
    """Return the codes of refusals in the code of the archive."""
    found = {str(code) for code in Code}
    rooms = (PACKAGE / name for name in ("archive", "governance"))
    for path in (*(each for room in rooms for each in room.rglob("*.py")), PACKAGE / "inbound" / "http.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _name(node.func) in REFUSING:
                values = [each.value for each in node.args if isinstance(each, ast.Constant)]
                found |= {each for each in values if isinstance(each, str) and CODE.fullmatch(each)}
    return found


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_description_has_the_routes_of_the_template() -> None:
    assert {route for route, _ in operations()} == template_routes() == {*OPERATIONS}


def test_description_of_other_routes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.pages.api.description.template_routes", lambda: {*OPERATIONS} - {"GET /api/me"})
    with pytest.raises(ValueError, match=r"lacks: \['GET /api/me'\]"):
        description("")


def test_every_code_that_is_raised_is_described() -> None:
    assert raised_codes() == {*ERRORS}
    described: set[str] = set()
    for _, operation in operations():
        for answer in operation["responses"].values():
            schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
            described |= {*schema.get("properties", {}).get("error", {}).get("enum", ())}
    assert described == {*ERRORS}


def test_schemas_are_valid_and_used() -> None:
    schemas, text = DESCRIPTION["components"]["schemas"], json.dumps(DESCRIPTION)
    for name, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        assert f'"#/components/schemas/{name}"' in text
    for name in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert name in schemas


def test_each_operation_has_its_own_id_and_its_parameters() -> None:
    ids = [operation["operationId"] for _, operation in operations()]
    assert len(ids) == len({*ids})
    for route, operation in operations():
        parameters = [each for each in operation.get("parameters", ()) if each["in"] == "path"]
        assert [each["name"] for each in parameters] == re.findall(r"\{(\w+)\}", route)


@pytest.mark.parametrize("route", [route for route, operation in OPERATIONS.items() if operation.body is not None])
def test_parser_and_description_accept_the_same_bodies(route: str) -> None:
    members = OPERATIONS[route].body or {}
    schema = dict(operations())[route]["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    good: dict[str, Any] = {
        name: next(value for value in VALUES if validator.evolve(schema=of).is_valid(value))
        for name, of in schema["properties"].items()
    }
    bodies = [good, {}, good | {"other": 1}]
    bodies += [{name: value for name, value in good.items() if name != left} for left in good]
    bodies += [good | {name: value} for name in good for value in VALUES]
    for body in bodies:
        assert validator.is_valid(body) == _is_read(body, members), body


def _is_read(body: dict[str, Any], members: Any) -> bool:
    try:
        read_body(Request("POST /", body=json.dumps(body).encode()), members)
    except RefusedRequestError as refused:
        assert refused.code == "InvalidRequest"
        return False
    return True


@pytest.mark.parametrize("value", [{"a": [1, "é", None], "b": {}}, {"a": "x" * 150, "b": [["y" * 70] * 3, {}]}, []])
def test_compact_json_is_the_same_value(value: Any) -> None:
    assert json.loads(compact_json(value)) == value
