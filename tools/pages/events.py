"""Audit events, from `EventType`, `Reason` and `Refusal`: the table in docs/operations.md, and the schema's reasons."""

from __future__ import annotations

import json
import re
import textwrap

from callseal.core.errors import Reason
from callseal.core.event_types import EventType
from callseal.sftp.login import Refusal

from .markers import code, replace_part, table

# The only list of the schema that has a line of its own for null.
REASONS = re.compile(r'("enum": \[\n)\s*null,[^]]*?(\n\s*\])')


def operations(page: str) -> str:
    """Return docs/operations.md with its table of audit events."""
    head = ("event", "what happened", "put by", "never null", "null in some")
    rows = (
        (f"`{kind}`", kind.meaning, code(kind.emitters), code(kind.always), code(kind.sometimes)) for kind in EventType
    )
    return replace_part(page, "events", table(head, rows))


def schema(before: str) -> str:
    """Return schemas/audit-event.schema.json with the reasons; everything else in it is written by hand."""
    names = json.dumps([None, *Reason, *Refusal])[1:-1]
    lines = textwrap.fill(names, 110, initial_indent=" " * 8, subsequent_indent=" " * 8)
    text, count = REASONS.subn(rf"\1{lines}\2", before)
    if count != 1:
        raise ValueError('schemas/audit-event.schema.json must have one list `"enum": [` that begins with null.')
    return text
