"""How the command finds its stack, and its sentences if it cannot."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.e2e.cli.command import Answer, call, run
from tests.e2e.cli.conftest import Operator
from tests.support.functions import ROOT
from tests.support.keys import x509_tenant
from tests.support.stack import REGION, STACK

# No metadata service is asked for credentials, and no configuration file is read.
BARE = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}
KEYS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def assert_said(answer: Answer, *words: str) -> None:
    """Expect a failure, reported in one sentence on standard error."""
    assert (answer.code, answer.out) == (2, ""), answer
    assert "Traceback" not in answer.err
    assert answer.err.count("\n") == 1
    for word in words:
        assert word in answer.err


@pytest.mark.parametrize(
    "command", [("status",), ("selftest",), ("tenants", "list"), ("held", "list"), ("keys", "list", "--all")]
)
def test_missing_configuration_is_reported_in_a_sentence(command: tuple[str, ...]) -> None:
    assert_said(run(*command, env=BARE), "No AWS region is set", "AWS_REGION")
    assert_said(run(*command, env=BARE | {"AWS_REGION": REGION}), "There are no AWS credentials", "AWS_PROFILE")
    profile = BARE | {"AWS_REGION": REGION, "AWS_PROFILE": "nobody"}
    assert_said(run(*command, env=profile), "nobody", "AWS_PROFILE")
    answer = run(*command, "--json", env=BARE)
    assert list(json.loads(answer.err)) == ["error"]


def test_endpoint_without_a_server_is_reported() -> None:
    endpoint = f"http://127.0.0.1:{closed_port()}"
    # A local endpoint accepts any credentials, so none are needed.
    answer = run("status", env=BARE | {"AWS_REGION": REGION, "AWS_ENDPOINT_URL": endpoint, "AWS_MAX_ATTEMPTS": "1"})
    assert_said(answer, f"Nothing answers at AWS_ENDPOINT_URL={endpoint}", "make local")


def test_missing_stack_is_reported(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"no stack 'other' in {REGION}" in operator.refused("status", "--stack", "other")
    monkeypatch.delenv("CALLSEAL_STACK")
    assert f"no stack 'callseal' in {REGION}" in operator.refused("status")
    assert operator.json("status", "--stack", STACK)["stack"] == STACK


def test_foreign_stack_is_reported(operator: Operator) -> None:
    boto3.client("cloudformation").create_stack(StackName="other", TemplateBody='{"Resources": {}}')
    assert "has no output LandingBucketName" in operator.refused("held", "list", "--stack", "other")


def test_refusal_of_aws_is_quoted(operator: Operator) -> None:
    operator.stack.s3.delete_bucket(Bucket="landing")
    assert operator.refused("held", "list").startswith("AWS refused ListObjectsV2: NoSuchBucket: The specified bucket")


def local_outputs(folder: Path, **members: str) -> None:
    (folder / ".local").mkdir()
    (folder / ".local" / "outputs.json").write_text(json.dumps(members))


def test_running_local_cloud_is_the_default_for_its_own_endpoint(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = "http://127.0.0.1:5555"
    local_outputs(tmp_path, EndpointUrl=endpoint, StackName="the-local-one", Region="eu-west-1")
    monkeypatch.delenv("CALLSEAL_STACK")
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    asked = []

    def describe(session: object, name: str) -> dict[str, str]:
        asked.append((name, session.region_name, session.get_credentials().access_key))  # type: ignore[attr-defined]
        raise ClientError({"Error": {"Code": "Throttling"}}, "DescribeStacks")

    monkeypatch.setattr("callseal_cli.stack._outputs", describe)
    call("status")
    call("status", "--stack", "mine")
    monkeypatch.setenv("AWS_REGION", REGION)
    call("status")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:6666")
    call("status")
    assert asked == [
        ("the-local-one", "eu-west-1", "local"), ("mine", "eu-west-1", "local"), ("the-local-one", REGION, "local"),
        ("callseal", REGION, "local"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"', "\xff"])
def test_invalid_outputs_file_is_ignored(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "outputs.json").write_bytes(text.encode("latin-1"))
    assert operator.json("status", "--stack", STACK)["stack"] == STACK


# The command as a whole.

COMMANDS = (
    "tenants add", "tenants list", "tenants show", "tenants set", "keys check", "keys put", "keys list", "keys prove",
    "keys export", "held list", "held show", "held release", "status", "selftest",
    "policy show", "policy try", "policy put", "policy export", "policy import",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_and_json(command: str) -> None:
    answer = call(*command.split(), "--help")
    assert answer.code == 0
    assert "--json" in answer.out
    assert ("--stack" in answer.out) == (command != "keys check")


def test_the_documentation_has_every_command() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    for command in COMMANDS:
        assert f"`{command}" in text, command


def test_help_has_the_exit_codes_and_each_group() -> None:
    answer = call("--help")
    assert answer.code == 0
    for word in ("Exit codes:", "\n    0  done", "\n    1  the answer is no", "\n    2  wrong use", *COMMANDS):
        assert word.split()[0] in answer.out or word in answer.out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("tenant",), "No such command 'tenant'"),
        (("tenants", "ad"), "No such command 'ad'"),
        (("tenants", "list", "--jsn"), "No such option"),
        (("tenants", "add"), "Missing argument 'TENANT'"),
        (("keys", "check"), "Missing argument 'FILE'"),
        (("keys", "export", "--format", "xml"), "'xml' is not one of"),
        (("held", "show"), "Missing argument 'KEY'"),
        (("status", "now"), "unexpected extra argument"),
    ],
)
def test_usage_error_gives_exit_code_2_and_a_sentence(arguments: tuple[str, ...], word: str) -> None:
    answer = call(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert word in answer.err
    assert "--help" in answer.err
    formed = call(*arguments, "--json")
    assert (formed.code, formed.out) == (2, "")
    assert word in json.loads(formed.err)["error"]


def test_internal_error_is_no_answer(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("a bug")

    monkeypatch.setattr("callseal_cli.store.tenants_with_settings", broken)
    answer = operator("tenants", "list")
    assert (answer.code, answer.out) == (2, "")
    assert "a bug" in answer.err


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_closed_pipe_causes_no_error(form: tuple[str, ...]) -> None:
    for algorithm, code in (("rsa2048", 0), ("rsa1024", 1)):
        reading, writing = os.pipe()
        os.close(reading)
        answer = run("keys", "check", x509_tenant(algorithm).certificate, *form, out=writing)
        os.close(writing)
        assert (answer.code, answer.err) == (code, "")
