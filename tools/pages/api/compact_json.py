"""JSON for people: a value that fits into a line is on one."""

from __future__ import annotations

import json
from typing import Any

WIDTH, STEP = 140, 2


def compact_json(value: Any, indent: int = 0) -> str:
    """Return a value as JSON, of which the first line begins after `indent` spaces."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or indent + len(line) <= WIDTH:
        return line
    inner = indent + STEP
    begin, end = ("{", "}") if isinstance(value, dict) else ("[", "]")
    if isinstance(value, dict):
        items = [f"{json.dumps(name)}: {compact_json(each, inner)}" for name, each in value.items()]
    else:
        items = [compact_json(each, inner) for each in value]
    separator = ",\n" + " " * inner
    return f"{begin}\n{' ' * inner}{separator.join(items)}\n{' ' * indent}{end}"
