"""Policies by country and by law that a tenant can begin with. They are copied and changed, never applied."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DISCLAIMER = (
    "This is no legal advice. A preset is a starting point that a lawyer must check: the law of both ends of a call, "
    "and what works councils, regulators and contracts require, may say more or something else."
)
_FOLDER = Path(__file__).parent / "presets"


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset: what it is for, its sources (`text` and `url` of each legal text), the date when it was written.

    `policy` are the members of the policy as in its JSON text.
    """

    name: str
    title: str
    summary: str
    date: str
    source: tuple[Mapping[str, str], ...]
    policy: Mapping[str, Any]


def presets() -> list[Preset]:
    """Return all presets by name."""
    return [_read(path) for path in sorted(_FOLDER.glob("*.json"))]


def _read(path: Path) -> Preset:
    members = json.loads(path.read_text(encoding="utf-8"))
    return Preset(path.stem, **{**members, "source": tuple(members["source"])})
