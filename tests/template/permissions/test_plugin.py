"""The plugin: the verdict ends a complete run, alone or with workers, and decides its exit status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.template.permissions.stack import TEMPLATE

CONFTEST = """
from pathlib import Path
from tests.template.permissions.plugin import Permissions
from tests.template.permissions.verdict import Verdict

def judge(noted):
    return Verdict(len(noted), tuple(sorted(str(one) for one in noted if one.operation == "Forbidden")), ())

def pytest_configure(config):
    config.pluginmanager.register(Permissions(Path(__file__).parent / "delivery", judge))
"""
TEST = """
from tests.template.permissions import calls

def test_first():
    calls.NOTED.add(calls.call("sweep_landing", "s3", {first!r}))

def test_second():
    calls.NOTED.add(calls.call("sweep_landing", "s3", "Second"))
"""
LINE = "permissions: {} kinds of calls, {} not allowed, 0 permissions unused"


class Runner:
    """Runs pytest on a small separate project."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "test_other.py").write_text("def test_other(): pass\n")
        (folder / "delivery").mkdir()
        self.write("HeadObject")

    def write(self, first: str) -> None:
        (self._folder / "delivery/test_one.py").write_text(TEST.format(first=first))
        (self._folder / "delivery/test_two.py").write_text("def test_third(): pass\n")

    def __call__(self, *arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "."]
        path = {"PYTHONPATH": f"{TEMPLATE.parent}:{TEMPLATE.parent}/layers/callseal/python"}
        ran = subprocess.run([*command, *arguments], cwd=self._folder, env=path, capture_output=True, text=True)
        return ran.returncode, ran.stdout


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["alone", "two workers"])
def test_complete_run_ends_with_the_verdict(run: Runner, workers: list[str]) -> None:
    status, printed = run(*workers)
    assert LINE.format(2, 0) in printed
    assert status == 0


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["alone", "two workers"])
def test_a_call_that_is_not_allowed_fails_a_run_in_which_all_tests_pass(run: Runner, workers: list[str]) -> None:
    run.write("Forbidden")
    status, printed = run(*workers)
    assert LINE.format(2, 1) in printed
    assert "sweep_landing: s3.Forbidden()" in printed
    assert status == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["-k", "second"],
        ["delivery/test_one.py"],
        ["delivery/test_one.py::test_first", "delivery/test_two.py"],
        ["--deselect", "delivery/test_one.py::test_first"],
        ["test_other.py"],
        ["--collect-only"],
    ],
    ids=" ".join,
)
def test_partial_run_has_no_verdict(run: Runner, arguments: list[str]) -> None:
    run.write("Forbidden")
    status, printed = run(*arguments)
    assert "permissions:" not in printed
    assert status == 0


def test_other_tests_may_be_left_out(run: Runner) -> None:
    assert LINE.format(2, 0) in run("delivery")[1]
    assert LINE.format(2, 0) in run("--deselect", "test_other.py")[1]
