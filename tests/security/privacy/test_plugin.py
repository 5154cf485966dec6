"""The plugin: a leak in any test, alone or with workers, fails a run in which all tests pass, and names the test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TEST = """
from tests.security.privacy.watch import WATCH

def test_first():
    WATCH.log('{{"message": "{first}"}}')
    WATCH.metric("{{}}")

def test_second():
    WATCH.landed("acme/+46701234567.wav")
    WATCH.audit({{"source": {{"key": "acme/+46701234567.wav"}}, "outputs": None}})
"""


def run(folder: Path, first: str, *arguments: str) -> tuple[int, str]:
    """Run pytest on a small separate project."""
    (folder / "conftest.py").write_text('pytest_plugins = ["tests.security.privacy.plugin"]\n')
    (folder / "test_one.py").write_text(TEST.format(first=first))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "."]
    ran = subprocess.run(
        [*command, *arguments], cwd=folder, env={"PYTHONPATH": f"{ROOT}:{folder}"}, capture_output=True, text=True
    )
    return ran.returncode, ran.stdout


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["alone", "two workers"])
def test_run_without_leaks_reports_what_was_read(tmp_path: Path, workers: list[str]) -> None:
    status, printed = run(tmp_path, "delivered", *workers)
    assert "privacy: 1 log lines, 1 metrics, 1 audit events read, 0 leaks" in printed
    assert "privacy: 1 times an audit event with a caller's number in its file's name" in printed
    assert status == 0


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["alone", "two workers"])
def test_leak_fails_a_run_in_which_all_tests_pass(tmp_path: Path, workers: list[str]) -> None:
    status, printed = run(tmp_path, "delivered +46701234567, what was said", *workers)
    assert "privacy: 1 log lines, 1 metrics, 1 audit events read, 2 leaks" in printed
    assert "  a caller's number in a log line of test_one.py::test_first" in printed
    assert "  what was said in a log line of test_one.py::test_first" in printed
    assert "46701234567" not in printed
    assert status == 1


def test_complete_run_that_reads_none_of_a_kind_fails(tmp_path: Path) -> None:
    """The permissions' plugin reports whether a run is complete: it has a verdict then."""
    whole = "class Whole:\n    verdict = True\n\ndef pytest_configure(config):\n"
    whole += '    config.pluginmanager.register(Whole(), "callseal-permissions")\n'
    (tmp_path / "whole.py").write_text(whole)
    status, printed = run(tmp_path, "x", "-p", "whole", "-k", "first")
    assert "privacy: no audit event was read in a whole run: the watch is blind" in printed
    assert "no metric was" not in printed
    assert status == 1
    assert run(tmp_path, "x", "-p", "whole")[0] == 0


def test_run_that_reads_nothing_reports_nothing(tmp_path: Path) -> None:
    status, printed = run(tmp_path, "x", "--collect-only")
    assert "privacy:" not in printed
    assert status == 0
