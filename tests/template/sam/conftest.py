"""Fixtures for the tests of the SAM project."""

from __future__ import annotations

import os

import pytest
from house_rules import Template
from rie import ROOT

from localcloud.template import load_template

NEED_THE_BUILD = ("test_build_tools.py", "test_emulator_harness.py", "test_gnupg_layer.py", "test_runtime_interface")


@pytest.fixture(scope="session")
def template() -> Template:
    """Translate template.yaml, as CloudFormation gets it."""
    return load_template(ROOT / "template.yaml", "eu-north-1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests that need the build, with a message, if `make test` could not build. In CI they run and fail."""
    not_built = ROOT / ".aws-sam/not-built"
    if os.environ.get("CI") or not not_built.exists():
        return
    reason = pytest.mark.skip(reason=f"not built: {not_built.read_text().strip()}")
    for item in items:
        if item.path.name.startswith(NEED_THE_BUILD):
            item.add_marker(reason)
