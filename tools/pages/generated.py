"""The files that are generated, or have a generated part, and what writes each: `make docs` writes all of them.

The pages of key files and readers are not here: they need every reader's program, see tests/vectors/page.py and
tests/interop/page.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from . import access, alarms, costs, environments, events, policy, profiles, reasons, settings
from .api import description

ROOT = Path(__file__).resolve().parents[2]
# A generator returns the text of the file; it gets the text before, which has the parts that are written by hand.
GENERATED: Mapping[str, tuple[Callable[[str], str], ...]] = {
    "schemas/tenant-settings.schema.json": (settings.schema,),
    "schemas/tenant-policy.schema.json": (policy.schema,),
    "schemas/tenant-access.schema.json": (access.schema,),
    "schemas/audit-event.schema.json": (events.schema,),
    "schemas/archive-api.openapi.json": (description.description,),
    "docs/settings.md": (settings.page,),
    "docs/metadata.md": (profiles.page,),
    "docs/retention.md": (costs.page,),
    "docs/operations.md": (alarms.operations, reasons.operations, events.operations),
    "events/env.json": (environments.env_json,),
}


def generate(name: str, before: str) -> str:
    """Return the text of a generated file. Raise ValueError if it has no markers for a generated part."""
    text = before
    for generator in GENERATED[name]:
        text = generator(text)
    return text


def write_all() -> None:
    """Write every generated file."""
    for name in GENERATED:
        path = ROOT / name
        path.write_text(generate(name, path.read_text() if path.exists() else ""))
