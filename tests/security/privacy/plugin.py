"""The pytest plugin: it merges what all workers have read, and fails a run with a leak, naming the test."""

from __future__ import annotations

from typing import Any

import pytest

from tests.security.privacy.watch import KINDS, NAMED, WATCH, Leak, Watch

READ, LEAKS = "privacy-read", "privacy-leaks"


class Privacy:
    """What this process has read. In the controller of pytest-xdist, it includes what the workers have read."""

    def __init__(self, watch: Watch) -> None:
        """Take the watch."""
        self.watch = watch
        # The kinds of output of which a complete run has read nothing, so that the watch has missed them.
        self.blind: list[str] = []

    def pytest_runtest_setup(self) -> None:
        """Begin a test."""
        self.watch.forget_landed()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Merge what a worker has read."""
        output = getattr(node, "workeroutput", {})
        self.watch.read.update(output.get(READ, {}))
        self.watch.leaks.update(Leak(*leak) for leak in output.get(LEAKS, []))

    # After the permissions' plugin, which reports whether the run was complete.
    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send the results to the controller, or fail the run."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput.update(
                {READ: dict(self.watch.read), LEAKS: [list(one) for one in self.watch.leaks]}
            )
            return
        permissions = session.config.pluginmanager.get_plugin("callseal-permissions")
        if getattr(permissions, "verdict", None):
            self.blind = [kind for kind in KINDS if not self.watch.read[kind]]
        if (self.watch.leaks or self.blind) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Report what was read, and what leaked."""
        for kind in self.blind:
            terminalreporter.write_line(f"privacy: no {kind} was read in a whole run: the watch is blind", red=True)
        if not (read := self.watch.read):
            return
        counts = ", ".join(f"{read[kind]:,} {kind}s" for kind in KINDS)
        leaks = sorted(self.watch.leaks)
        terminalreporter.write_line(f"privacy: {counts} read, {len(leaks)} leaks", green=not leaks, red=bool(leaks))
        if read[NAMED]:
            terminalreporter.write_line(f"privacy: {read[NAMED]:,} times an {NAMED}, as landing keys had it")
        for leak in leaks:
            terminalreporter.write_line(f"  {leak}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin."""
    config.pluginmanager.register(Privacy(WATCH), "callseal-privacy")
