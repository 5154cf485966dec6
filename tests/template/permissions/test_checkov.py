"""checkov on the translated template: no check fails, and each suppression is explained in the resource's Metadata."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localcloud.template import load_template
from tests.support.stack import REGION
from tests.template.permissions.stack import TEMPLATE

Checkov = Callable[[dict[str, Any]], dict[str, Any]]
FEW_WORDS = 10


@pytest.fixture(scope="module")
def translated() -> dict[str, Any]:
    return load_template(TEMPLATE, REGION)


@pytest.fixture
def checkov(linters: Path, tmp_path: Path) -> Checkov:
    def run(template: dict[str, Any]) -> dict[str, Any]:
        file = tmp_path / "template.json"
        file.write_text(json.dumps(template, indent=1))
        # Without --skip-download it requests guidelines from its vendor's server. There is no API key, and nothing is
        # sent.
        options = ["--framework", "cloudformation", "--compact", "--skip-download", "--output", "json"]
        ran = subprocess.run([linters / "checkov", "--file", file, *options], capture_output=True, text=True)
        return dict(json.loads(ran.stdout))

    return run


def test_no_check_fails_and_each_suppression_has_its_reason(checkov: Checkov, translated: dict[str, Any]) -> None:
    report = checkov(translated)
    failed = [f"{one['check_id']} {one['resource']}" for one in report["results"]["failed_checks"]]
    skipped = {
        (one["check_id"], one["resource"].rpartition(".")[2]): one["check_result"]["suppress_comment"]
        for one in report["results"]["skipped_checks"]
    }
    # `pytest -s` shows this output.
    print(f"\ncheckov: {report['summary']['passed']} passed, {len(failed)} failed, {len(skipped)} suppressed:")
    for (check, resource), why in sorted(skipped.items()):
        print(f"  {check} {resource}: {why}")

    assert failed == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > len(skipped)
    assert [which for which, why in skipped.items() if len(why.split()) < FEW_WORDS] == []


def test_each_suppression_has_its_cause(checkov: Checkov, translated: dict[str, Any]) -> None:
    bare, suppressed = copy.deepcopy(translated), set()
    for name, resource in bare["Resources"].items():
        metadata = resource.pop("Metadata", {})
        suppressed |= {(each["id"], name) for each in metadata.get("checkov", {}).get("skip", [])}

    failed = checkov(bare)["results"]["failed_checks"]

    assert {(one["check_id"], one["resource"].rpartition(".")[2]) for one in failed} == suppressed


def test_checkov_detects_a_fault(checkov: Checkov, translated: dict[str, Any]) -> None:
    broken = copy.deepcopy(translated)
    del broken["Resources"]["LandingBucket"]["Properties"]["PublicAccessBlockConfiguration"]
    del broken["Resources"]["StackKey"]["Properties"]["EnableKeyRotation"]

    failed = {one["resource"].rpartition(".")[2] for one in checkov(broken)["results"]["failed_checks"]}

    assert failed == {"LandingBucket", "StackKey"}
