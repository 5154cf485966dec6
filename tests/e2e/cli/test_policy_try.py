"""`callseal policy try`: what a policy decides about metadata files, with a tenant's settings and offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli.command import call
from tests.e2e.cli.conftest import Operator
from tests.support.functions import ROOT
from tests.support.stack import STACK
from tests.unit.calls.policies import DESIGN

VERBA = ROOT / "tests" / "samples" / "metadata" / "verba.xml"
PATHS = {"queue": "/call/queue", "denied": "/call/denied", "restricted": "/call/restricted", "ended": "/call/end"}
SETTINGS = {"deliver_to_archive": True, "only_encrypt_sftp": True, "metadata_paths": PATHS}
ENDED = "2026-11-23T10:11:12Z"
SEALED, PLAIN_ARCHIVE = {"destination": "sftp", "sealed": True}, {"destination": "archive", "sealed": False}


def metadata(name: str, **members: Any) -> Path:
    path = Path("calls") / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"call": {"end": ENDED, **members}}))
    return path


def a_policy(document: dict[str, Any] = DESIGN) -> Path:
    path = Path("policy.json")
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def tenant(operator: Operator) -> Operator:
    operator.stack.tenant("acme", settings=SETTINGS)
    operator.stack.ssm.put_parameter(Name=f"/{STACK}/tenants/acme/policy", Value=json.dumps(DESIGN), Type="String")
    return operator


def test_folder_is_decided_by_the_tenants_policy_and_settings(tenant: Operator) -> None:
    for name, members in {
        "1": {"queue": "trading-oslo"},
        "2": {"denied": True},
        "3": {"restricted": True},
        "4": {},
    }.items():
        metadata(name, **members)
    files = tenant.json("policy", "try", "acme", "calls")["files"]
    decided = {
        Path(each["file"]).stem: {name: each[name] for name in each if name not in ("file", "fields")} for each in files
    }
    default = {
        "rule": "default", "held": None, "outputs": [PLAIN_ARCHIVE, SEALED], "class": "default", "keep_until": None,
        "dispose_on": "2027-02-22T00:00:00Z",
    }  # fmt: skip
    kept = {"class": "orders", "keep_until": "2031-11-24T00:00:00Z", "dispose_on": "2033-11-24T00:00:00Z"}
    assert decided == {
        "1": {**default, "rule": "orders", **kept},
        "2": {**default, "rule": "caller-refused", "held": "RecordingDenied", "outputs": []},
        "3": {**default, "rule": "by-law-only", "outputs": [{**PLAIN_ARCHIVE, "sealed": True}, SEALED]},
        "4": default,
    }
    assert files[0]["fields"]["queue"] == {"path": "/call/queue", "value": "trading-oslo"}
    assert files[1]["fields"]["queue"] is None
    assert "archive plain, sftp sealed" in tenant("policy", "try", "acme", "calls").out


def test_another_policy_is_tried_before_it_is_stored(tenant: Operator) -> None:
    other = a_policy({"schema": 1, "rules": [], "default": {"sensitive": True, "archive": False}})
    (decided,) = tenant.json("policy", "try", "acme", metadata("1"), "--policy", other)["files"]
    assert decided["outputs"] == [SEALED]


def test_nothing_but_the_archive_that_the_policy_forbids(operator: Operator) -> None:
    operator.stack.tenant("acme", settings={**SETTINGS, "deliver_to_sftp": False})
    other = a_policy({"schema": 1, "rules": [], "default": {"archive": False}})
    (decided,) = operator.json("policy", "try", "acme", metadata("1"), "--policy", other)["files"]
    assert (decided["outputs"], decided["held"]) == ([], "NothingToDeliver")


def test_format_is_that_of_the_recording_beside_it(tenant: Operator) -> None:
    file = metadata("1")
    file.with_suffix(".wav").touch()
    (decided,) = tenant.json("policy", "try", "acme", file)["files"]
    assert decided["outputs"] == [SEALED]  # the archive takes mp3 only


def test_unreadable_file_is_reported_and_the_others_are_decided(tenant: Operator) -> None:
    metadata("1")
    (Path("calls") / "0.xml").write_text("<!DOCTYPE x><x/>")
    first, second = tenant.json("policy", "try", "acme", "calls", code=1)["files"]
    assert (first["rule"], first["fields"], first["outputs"]) == (None, None, [])
    assert first["message"]
    assert second["rule"] == "default"
    assert first["message"] in tenant("policy", "try", "acme", "calls").out


def test_offline_it_needs_no_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    policy = a_policy({"schema": 1, "rules": [{"rule": "r", "when": {"direction": ["incoming"]}}], "default": {}})
    answer = call(
        "policy", "try", VERBA, "--policy", policy, "--profile", "verba", "--set", "deliver_to_archive=true", "--json"
    )
    assert answer.code == 0, answer
    (decided,) = json.loads(answer.out)["files"]
    assert decided["rule"] == "r"
    assert [each["destination"] for each in decided["outputs"]] == ["archive", "sftp"]
    Path("paths.json").write_text(json.dumps({"queue": "/call/queue"}))
    answer = call("policy", "try", metadata("1", queue="x"), "--policy", policy, "--paths", "paths.json", "--json")
    assert json.loads(answer.out)["files"][0]["fields"]["queue"]["value"] == "x"


def test_wrong_use_is_refused(tenant: Operator) -> None:
    file, policy = metadata("1"), a_policy()
    assert "name --policy FILE" in tenant.refused("policy", "try", file)
    assert "name --policy FILE" in tenant.refused("policy", "try", file, "--policy", policy)
    Path("paths.json").write_text("caller: //from")
    offline = ("policy", "try", file, "--policy", policy, "--paths", "paths.json")
    assert "paths.json is not JSON" in tenant.refused(*offline)
    Path("paths.json").write_text('{"who": "//from"}')
    assert "metadata_paths must be" in tenant.refused(*offline)
    assert "leave out --profile" in tenant.refused("policy", "try", "acme", file, "--profile", "verba")
    assert "no settings" in tenant.refused("policy", "try", "beta", file)
    assert "must end in .xml or .json" in tenant.refused("policy", "try", "acme", "policy.txt")
    Path("empty").mkdir()
    assert "has no file that ends" in tenant.refused("policy", "try", "acme", "empty")
    tenant.stack.tenant("beta", settings=SETTINGS)
    assert "beta has no policy" in tenant.refused("policy", "try", "beta", file)
