"""What the tests of the SAM project share."""

from __future__ import annotations

import pytest
from house_rules import Template
from rie import ROOT

from localcloud.template import load_template


@pytest.fixture(scope="session")
def template() -> Template:
    """Translate template.yaml, as CloudFormation gets it."""
    return load_template(ROOT / "template.yaml", "eu-north-1")
