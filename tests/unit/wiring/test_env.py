"""Environment variables: each function's class reads them once, and template.yaml sets exactly those."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from callseal.wiring.env import EnvironmentInvalidError, Optional, read_env
from localcloud.template import load_template
from tests.support import functions

ROOT = Path(__file__).resolve().parents[3]
# The runtimes of Lambda and Powertools read these, or Lambda sets them.
OTHERS = {"AWS_ENDPOINT_URL", "LOG_LEVEL", "POWERTOOLS_SERVICE_NAME"}
RESERVED = {"AWS_REGION"}


@dataclass(frozen=True)
class Env:
    bucket: str
    days: int
    mode: Literal["GOVERNANCE", "COMPLIANCE"]
    server: Optional


GOOD = {"BUCKET": "b", "DAYS": "30", "MODE": "COMPLIANCE", "SERVER": "", "OTHER": "x"}


def test_each_field_is_read_from_its_variable() -> None:
    assert read_env(Env, GOOD) == Env("b", 30, "COMPLIANCE", "")


@pytest.mark.parametrize("variable", ["BUCKET", "DAYS", "MODE", "SERVER"])
def test_a_missing_variable_is_named(variable: str) -> None:
    with pytest.raises(EnvironmentInvalidError, match=f"variable {variable} is missing"):
        read_env(Env, {name: value for name, value in GOOD.items() if name != variable})


@pytest.mark.parametrize("variable", ["BUCKET", "DAYS", "MODE"])
def test_an_empty_variable_is_named(variable: str) -> None:
    with pytest.raises(EnvironmentInvalidError, match=f"variable {variable} is empty"):
        read_env(Env, GOOD | {variable: ""})


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "3e1", "x", " 3", "\u0663"])
def test_an_illegal_number_is_refused_without_its_value(days: str) -> None:
    with pytest.raises(EnvironmentInvalidError, match="variable DAYS is not a whole number") as refused:
        read_env(Env, GOOD | {"DAYS": days})
    assert f" {days} " not in str(refused.value)


def test_an_illegal_choice_is_refused() -> None:
    with pytest.raises(EnvironmentInvalidError, match="variable MODE is none of GOVERNANCE, COMPLIANCE"):
        read_env(Env, GOOD | {"MODE": "governance"})


def _variables() -> tuple[set[str], dict[str, set[str]]]:
    """Return the variables of all functions, and those of each function's own."""
    resources = load_template(ROOT / "template.yaml", "eu-north-1")["Resources"]
    found: dict[str, Any] = {
        resource["Properties"]["Code"]["S3Key"].split("/")[1]: set(resource["Properties"]["Environment"]["Variables"])
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    common = set.intersection(*found.values())
    return common, {name: variables - common for name, variables in found.items()}


def _fields(name: str) -> set[str]:
    return {field.name.upper() for field in dataclasses.fields(functions.load(name, watch=False).Env)}


def test_template_sets_exactly_the_variables_that_functions_read() -> None:
    common, own = _variables()
    assert set(own) == set(functions.NAMES)
    for name in functions.NAMES:
        assert _fields(name) <= common | own[name] | RESERVED, name
        assert own[name] <= _fields(name), name
    assert common - OTHERS <= set().union(*map(_fields, functions.NAMES))
