"""The members of a policy's classes and outcomes: each one's values, its default and its JSON Schema.

`calls.conditions` declares those of `when`. `make docs` writes schemas/tenant-policy.schema.json from both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from callseal.calls import classes

# A rule's name appears in audit events, so it cannot contain what may be a telephone number.
NAME = r"(?!.*[0-9]{7})[A-Za-z0-9]([A-Za-z0-9 ._-]{0,62}[A-Za-z0-9])?"
MAX_TEXT = 200
# No control characters, and no spaces around it: a spreadsheet would lose these.
UNSPACED = r"(?!\s)(?!.*\s$)"
CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
TEXT = rf"{UNSPACED}[^{CONTROLS}]{{1,{MAX_TEXT}}}"


@dataclass(frozen=True, slots=True)
class Member:
    """The values of a member.

    `read` returns the value as the policy uses it, or raises ValueError. `wanted` describes the values for people,
    `schema` for a JSON Schema, and `default` is the value of a member that is absent.
    """

    read: Callable[[Any], Any]
    wanted: str
    schema: Mapping[str, Any]
    default: Any = None


def matching(pattern: str) -> Callable[[Any], str]:
    """Return a function that returns a text of this pattern, and raises ValueError for any other value."""
    compiled = re.compile(pattern)

    def read(value: Any) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise ValueError(pattern)
        return value

    return read


def schema_of(pattern: str) -> dict[str, Any]:
    """Return the JSON Schema of texts of this pattern."""
    # Python's $ also matches before a line feed at the end.
    return {"type": "string", "pattern": rf"^({pattern})$(?!\n)"}


def one_of(*values: str) -> Callable[[Any], str]:
    """Return a function that returns one of these texts, and raises ValueError for any other value."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in values:
            raise ValueError(values)
        return value

    return read


def boolean(value: Any) -> bool:
    """Return true or false. Raise ValueError for any other value."""
    if not isinstance(value, bool):
        raise ValueError(bool)
    return value


def _duration_or_null(value: Any) -> classes.Duration | None:
    return None if value is None else classes.parse_duration(matching(classes.DURATION)(value))


def _choice(default: str, *values: str) -> Member:
    return Member(one_of(*values), f"one of {', '.join(values)}", {"enum": list(values)}, default)


def flag(default: bool) -> Member:
    """Return a member that is true or false."""
    return Member(boolean, "true or false", {"type": "boolean"}, default)


NAMES = Member(
    matching(NAME),
    "1 to 64 letters (A to Z), digits, spaces, dots, hyphens and underscores, without 7 digits in a row",
    schema_of(NAME),
)
_DURATION = Member(
    _duration_or_null,
    "null, or a number of hours, days, months or years such as 72h, 90d, 6m or 5y",
    {**schema_of(classes.DURATION), "type": ["string", "null"]},
)
CLASS: Mapping[str, Member] = {
    "keep": _DURATION,
    "delete_after": _DURATION,
    "lock": _choice("none", *classes.LOCKS),
    "basis": Member(
        matching(f"({TEXT})?"),
        f"at most {MAX_TEXT} characters on one line, without spaces around them",
        schema_of(f"({TEXT})?"),
        "",
    ),
}
OUTCOME: Mapping[str, Member] = {
    "class": Member(NAMES.read, "the name of a class", NAMES.schema, classes.DEFAULT),
    "record": _choice("may", "may", "must", "never"),
    "consent": _choice("none", "none", "required"),
    "restricted": flag(False),
    "sensitive": flag(False),
    "archive": flag(True),
}
