"""Pytest's part: the calls of all workers come together, and a run of all delivery tests ends with the verdict.

Such a run fails where a call would be refused or a permission is of no use, although every test passed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.template.permissions import calls

if TYPE_CHECKING:
    from tests.template.permissions.verdict import Verdict

DELIVERY = Path(__file__).resolve().parents[2] / "functions"
CALLS, WHOLE = "permissions-calls", "permissions-whole-run"


def judge_by_the_template(noted: set[calls.Call]) -> Verdict:
    """Judge by template.yaml; what that takes to import, a run of other tests does without."""
    from tests.template.permissions.stack import deployed
    from tests.template.permissions.verdict import judge

    return judge(noted, deployed())


class Permissions:
    """What this process has seen; in the controller of pytest-xdist, what the workers have seen."""

    def __init__(self, folder: Path, judge: Callable[[set[calls.Call]], Verdict]) -> None:
        """Take the folder whose tests make all calls that there are, and the judge."""
        self.folder, self.judge = folder, judge
        self.whole = self.left_out = False
        self.verdict: Verdict | None = None

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Notice tests that are left out (-k, -m, --deselect, --lf)."""
        self.left_out = self.left_out or any(self.folder in item.path.parents for item in items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Notice whether all tests are to run."""
        collected = {item.path for item in session.items}
        single = any("::" in argument for argument in session.config.args)
        self.whole = not self.left_out and not single and set(self.folder.glob("test_*.py")) <= collected

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker has seen."""
        output = getattr(node, "workeroutput", {})
        calls.NOTED.update(calls.loads(output.get(CALLS, "[]")))
        self.whole = self.whole or output.get(WHOLE, False)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand over to the controller, or judge; a run that was broken off has nothing to say."""
        broken_off = session.shouldstop or session.shouldfail or session.config.option.collectonly
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput.update({CALLS: calls.dumps(calls.NOTED), WHOLE: self.whole})
        elif self.whole and not broken_off:
            self.verdict = self.judge(calls.NOTED)
            if not self.verdict.holds and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what the verdict is, and what is wrong."""
        if self.verdict:
            holds = self.verdict.holds
            terminalreporter.write_line(self.verdict.line, green=holds, red=not holds)
            for wrong in (*self.verdict.not_allowed, *self.verdict.unused):
                terminalreporter.write_line(f"  {wrong}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """Join in."""
    config.pluginmanager.register(Permissions(DELIVERY, judge_by_the_template), "callseal-permissions")
