"""Fixtures for the tests of the permissions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.template.permissions.stack import TEMPLATE, Deployed, deployed


@pytest.fixture(scope="session")
def stack() -> Deployed:
    return deployed()


@pytest.fixture(scope="session")
def linters() -> Path:
    """Return the folder of the linters' commands. If they are missing, fail in CI and skip elsewhere."""
    folder = TEMPLATE.parent / ".venv-checkov/bin"
    missing = [name for name in ("checkov", "parliament") if not (folder / name).exists()]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"There is no {missing[0]} in .venv-checkov: run `make .venv-checkov/.done`.")
    assert not missing, f"There is no {missing[0]} in .venv-checkov: run `make .venv-checkov/.done`."
    return folder
