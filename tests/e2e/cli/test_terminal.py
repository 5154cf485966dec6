"""The command's output on a terminal: real, on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from tests.e2e.cli.command import PATHS
from tests.support.keys import x509_tenant


def on_terminal(*arguments: str, **env: str) -> str:
    """Run the command on a terminal of 60 columns, and return its output."""
    ours, its = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, PATHS)), "TERM": "xterm",
                   "COLUMNS": "60", **env}  # fmt: skip
    command = [sys.executable, "-m", "callseal_cli", *arguments]
    shown = b""
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment):
        os.close(its)
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # how Linux reports that the other end is closed
                break
            shown += piece
    os.close(ours)
    return shown.decode()


def test_a_table_has_its_columns_aligned_and_nothing_cut_off() -> None:
    key = x509_tenant()
    shown = on_terminal("keys", "check", str(key.certificate))
    header, row = [line for line in shown.splitlines() if "x509" in line or "fingerprint" in line]
    assert "\x1b[1m" in header
    fingerprint = row.split()[0]
    assert len(fingerprint) == 64
    assert row.startswith(f"{fingerprint}  x509  RSA        2048      ")


def test_no_colour_is_respected() -> None:
    key = x509_tenant()
    assert "\x1b[1m" not in on_terminal("keys", "check", str(key.certificate), TERM="dumb")
    assert "\x1b[3" not in on_terminal("keys", "check", str(key.certificate), NO_COLOR="1")
