"""The truth table of the law: recordings in each state by each action, as the rules want it."""

from __future__ import annotations

import pytest

from tests.functions.law.page import PAGE, render
from tests.functions.law.run import see, wrong
from tests.functions.law.states import STATES, every_third


def test_a_third_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make law` takes all states."""
    states = every_third(STATES)
    assert wrong(states, see(states, monkeypatch)) == []


def test_page_is_current() -> None:
    assert PAGE.read_text() == render(), "run `make docs`"
