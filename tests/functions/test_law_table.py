"""The truth table of the law: recordings in each state by each action, as the rules want it."""

from __future__ import annotations

import subprocess
import sys

from tests.functions.law.page import PAGE, render


def test_a_third_of_the_table() -> None:
    """`make law` takes all states."""
    command = [sys.executable, "-m", "tests.functions.law.run", "--third"]
    compared = subprocess.run(command, capture_output=True, text=True, check=False)
    assert compared.stdout.endswith(" 0 differ\n"), compared.stdout + compared.stderr
    assert compared.returncode == 0


def test_page_is_current() -> None:
    assert PAGE.read_text() == render(), "run `make docs`"
