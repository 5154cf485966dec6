"""The metrics that a function has written to its log, as CloudWatch reads them."""

import json
from typing import Any

import pytest


def emitted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the lines of the Embedded Metric Format that were written since the last call."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]
