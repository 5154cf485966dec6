"""The seconds of a recording that were played: a list of spans, as the page reports them."""

from __future__ import annotations

from typing import Any

from callseal.archive.body import REQUIRED
from callseal.calls.members import Member

MAX_SPANS, MAX_SECONDS = 1_000, 360_000


def seconds_member() -> Member:
    """Return the member of a body that is a list of spans `[from, to]` in seconds."""
    second = {"type": "number", "minimum": 0, "maximum": MAX_SECONDS}
    span = {"type": "array", "items": second, "minItems": 2, "maxItems": 2}
    schema = {"type": "array", "items": span, "minItems": 1, "maxItems": MAX_SPANS}
    return Member(_spans, f"a list of up to {MAX_SPANS} pairs [from, to] of seconds, from before to", schema, REQUIRED)


def _spans(value: Any) -> list[list[float]]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_SPANS:
        raise ValueError(list)
    return [_span(each) for each in value]


def _span(value: Any) -> list[float]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(list)
    begin, end = (_second(each) for each in value)
    if begin > end:
        raise ValueError("reversed")
    return [begin, end]


def _second(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
        raise ValueError(float)
    return round(float(value), 3)
