"""The function that the benchmarks measure starts in their environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.subject import environment
from callseal.wiring.env import read_env
from tests.support import functions


@pytest.mark.usefixtures("cloud")
def test_benchmarks_set_each_variable_of_the_function() -> None:
    env = functions.load("encrypt_recording", watch=False).Env
    read_env(env, environment("https://127.0.0.1:1", Path("certificate.pem")))
