"""Audit events as receivers see them: the schema of their detail, and the catalogue."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from callseal.core.event_types import EventType

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "audit-event.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
IN_EVERY_EVENT = {"schema", "id", "time"}


def check_event(detail_type: str, detail: dict[str, Any]) -> None:
    """Check an event against the schema, and its members that are not null against the catalogue."""
    VALIDATOR.validate(detail)
    kind = next(each for each in EventType if each == detail_type)
    least = IN_EVERY_EVENT.union(kind.always)
    found = {name for name, value in detail.items() if value is not None}
    assert least <= found, f"{detail_type}: null, and core/event_types.py says never: {sorted(least - found)}"
    most = least.union(kind.sometimes)
    assert found <= most, f"{detail_type}: not null, and core/event_types.py says always: {sorted(found - most)}"
