"""samconfig.toml: complete for each environment, and without members that template.yaml does not accept."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from house_rules import Template, of_type
from rie import ROOT

ENVIRONMENTS = ("default", "dev", "staging", "prod")
COMPLETE = {
    "global": {"stack_name", "region", "parameter_overrides"},
    "build": {"parallel", "cached"},
    "validate": {"lint"},
    "deploy": {
        "capabilities", "confirm_changeset", "fail_on_empty_changeset", "resolve_s3", "s3_prefix", "tags",
    },
    "local_invoke": {"env_vars"},
    "local_start_lambda": {"env_vars"},
}  # fmt: skip


def config() -> dict[str, Any]:
    return tomllib.loads((ROOT / "samconfig.toml").read_text())


def overrides(environment: str) -> dict[str, str]:
    pairs: list[str] = config()[environment]["global"]["parameters"]["parameter_overrides"]
    return dict(pair.split("=", 1) for pair in pairs)


def test_the_environments_are_these_four() -> None:
    assert list(config()) == ["version", *ENVIRONMENTS]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_has_every_table_and_every_member(environment: str) -> None:
    tables = config()[environment]
    assert {command: set(table["parameters"]) for command, table in tables.items()} == COMPLETE


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_template_accepts_every_parameter_value(environment: str, template: Template) -> None:
    declared = template["Parameters"]
    for name, value in overrides(environment).items():
        allowed = [str(each) for each in declared[name].get("AllowedValues", [value])]
        assert value in allowed, f"{name}={value}"
        if declared[name]["Type"] == "Number":
            low, high = (int(declared[name].get(limit, value)) for limit in ("MinValue", "MaxValue"))
            assert low <= int(value) <= high, f"{name}={value}"


def test_stacks_do_not_share_a_name() -> None:
    names = [config()[environment]["global"]["parameters"]["stack_name"] for environment in ENVIRONMENTS]
    assert len(set(names)) == len(ENVIRONMENTS)


def test_only_the_audit_lock_of_prod_cannot_be_removed() -> None:
    modes = {environment: overrides(environment)["AuditLockMode"] for environment in ENVIRONMENTS}
    assert modes == {"default": "GOVERNANCE", "dev": "GOVERNANCE", "staging": "GOVERNANCE", "prod": "COMPLIANCE"}


def test_a_developers_stack_has_no_sftp_server_that_costs_by_the_hour(template: Template) -> None:
    fronts = {environment: overrides(environment).get("SftpFront") for environment in ENVIRONMENTS}
    assert fronts == {"default": None, "dev": "none", "staging": None, "prod": None}
    assert template["Parameters"]["SftpFront"]["Default"] == "transfer"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_first_deploy_has_no_protected_tables(environment: str) -> None:
    """A protected table would survive the rollback of a failed first deployment, and block the next deployment."""
    assert overrides(environment)["TableDeletionProtection"] == "off"


def test_prod_shows_its_changes_before_it_deploys_them() -> None:
    assert config()["prod"]["deploy"]["parameters"]["confirm_changeset"] is True


def test_capability_suffices_for_roles_without_explicit_names(template: Template) -> None:
    named = any("RoleName" in role["Properties"] for role in of_type(template, "AWS::IAM::Role").values())
    needed = "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"
    assert {config()[each]["deploy"]["parameters"]["capabilities"] for each in ENVIRONMENTS} == {needed}
