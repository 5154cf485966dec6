"""Read a JSON metadata file strictly and within bounds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from callseal.calls.metadata_bounds import MAX_NODES, Budget, Entry, Step, bounded, passed

# A whole string, closed or not, or a character of the structure.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)


def json_entries(text: str) -> Iterator[Entry]:
    """Return the values of a document.

    Raise UnreadableMetadataError if it passes a bound, ValueError if it is malformed.
    """
    _bound_structure(text)
    parsed = json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant, parse_int=str, parse_float=str)
    if not isinstance(parsed, dict | list):
        raise passed("it is neither a JSON object nor an array")
    return _walk((), parsed)


def _bound_structure(text: str) -> None:
    """Count depth, values and texts before anything is built: Python's parser is recursive and has no bounds."""
    budget, depth, texts = Budget(), 0, 0
    budget.spend(1, depth)
    for found in _TOKEN.finditer(text):
        mark = found[0][0]
        depth += (mark in "[{") - (mark in "]}")
        if depth < 0:
            return  # json refuses it
        # A value follows each opening bracket and each comma. It has one text and one name at most.
        if mark in "[{,":
            budget.spend(1, depth)
        texts += mark == '"'
        if texts > 2 * MAX_NODES:
            raise passed(f"it has more than {2 * MAX_NODES} names and texts")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise passed("an object in it has the same member twice")
    return members


def _no_constant(_: str) -> Any:
    raise passed("it has NaN or Infinity")


def _walk(path: tuple[Step, ...], value: Any) -> Iterator[Entry]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _member(path, _bounded_name(name), member)
    elif isinstance(value, list):
        yield from _member(path, "item", value)
    elif value is not None:
        text = bounded(value if isinstance(value, str) else str(value).lower())
        if text:
            yield Entry(path, text)


def _member(path: tuple[Step, ...], name: str, value: Any) -> Iterator[Entry]:
    """Yield the values of a member. The items of an array have the member's name, and those of arrays in it `item`."""
    for index, item in enumerate(value if isinstance(value, list) else [value]):
        yield from _walk((*path, Step(name, index)), item)


def _bounded_name(name: str) -> str:
    bounded(name)
    return name
