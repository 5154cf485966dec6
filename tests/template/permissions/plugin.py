"""The pytest plugin: it merges the calls of all workers, and ends a run of all delivery tests with the verdict.

Such a run fails if a call would be refused or a permission is not used, although every test passed.
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
    """Judge by template.yaml. The import is here, so that runs of other tests do not need its libraries."""
    from tests.template.permissions.stack import deployed
    from tests.template.permissions.verdict import judge

    return judge(noted, deployed())


class Permissions:
    """The calls of this process. In the controller of pytest-xdist, they include the workers' calls."""

    def __init__(self, folder: Path, judge: Callable[[set[calls.Call]], Verdict]) -> None:
        """Take the folder whose tests make all calls, and the judge."""
        self.folder, self.judge = folder, judge
        self.whole = self.left_out = False
        self.verdict: Verdict | None = None

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Record that tests are left out (-k, -m, --deselect, --lf)."""
        self.left_out = self.left_out or any(self.folder in item.path.parents for item in items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record whether all tests will run."""
        collected = {item.path for item in session.items}
        single = any("::" in argument for argument in session.config.args)
        self.whole = not self.left_out and not single and set(self.folder.glob("test_*.py")) <= collected

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Merge the calls of a worker."""
        output = getattr(node, "workeroutput", {})
        calls.NOTED.update(calls.loads(output.get(CALLS, "[]")))
        self.whole = self.whole or output.get(WHOLE, False)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send the calls to the controller, or judge them. An interrupted run has no verdict."""
        broken_off = session.shouldstop or session.shouldfail or session.config.option.collectonly
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput.update({CALLS: calls.dumps(calls.NOTED), WHOLE: self.whole})
        elif self.whole and not broken_off:
            self.verdict = self.judge(calls.NOTED)
            if not self.verdict.holds and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Report the verdict, and each fault."""
        if self.verdict:
            holds = self.verdict.holds
            terminalreporter.write_line(self.verdict.line, green=holds, red=not holds)
            for wrong in (*self.verdict.not_allowed, *self.verdict.unused):
                terminalreporter.write_line(f"  {wrong}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin."""
    config.pluginmanager.register(Permissions(DELIVERY, judge_by_the_template), "callseal-permissions")
