"""A tenant's access: a JSON object in an SSM parameter that grants actions on calls to groups of users.

A tenant without the parameter grants nothing to anyone, and so does a parameter that cannot be read: one unknown
member or value refuses all of it, because a misspelt limit must not become no limit.

Values are checked here and not by schemas/tenant-access.schema.json, because loading a validator would slow each cold
start. tests/unit/archive/test_access.py compares the parser with the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from callseal.calls.conditions import PATTERN
from callseal.calls.members import TEXT, Member, flag, matching, one_of, schema_of
from callseal.calls.strict_json import StrictJsonError, object_of, parse_json, read_members, read_value
from callseal.core.errors import CallsealError

ACTIONS = ("search", "play", "download", "share", "hold", "erase", "audit")
# For these a user may have to state a reason.
REASONED = ("play", "download", "share")
SCOPES = ("all", "own")
ALL_QUEUES = ("*",)
MAX_DAYS = 36_500
MAX_TERMS = 6_000


class AccessInvalidError(CallsealError):
    """A tenant's access cannot be used, so no user has any. The message completes "The access cannot be used: "."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What the users of a group may do with the calls of a scope.

    `queues` are patterns with `*` at either end. `days` is the age that a call may have at most, None for any.
    """

    group: str
    may: tuple[str, ...]
    scope: str = "all"
    queues: tuple[str, ...] = ALL_QUEUES
    days: int | None = None
    restricted: bool = False
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What a user accepts before anything else. Each version is accepted once."""

    version: str
    text: str


@dataclass(frozen=True, slots=True)
class Access:
    """A tenant's grants, the actions that need a reason, and the terms. The default grants nothing."""

    grants: tuple[Grant, ...] = ()
    reason_for: tuple[str, ...] = ()
    terms: Terms | None = None

    def check_blind(self) -> None:
        """Raise AccessInvalidError if a grant has a pattern for queues, which no hash on a blind card can match."""
        for number, grant in enumerate(self.grants, 1):
            if pattern := next((each for each in grant.queues if "*" in each and each != "*"), None):
                raise AccessInvalidError(
                    f"grant number {number}: the tenant's calls are indexed blind, so the pattern {pattern} would "
                    "match no queue. Name each queue, or use * for all"
                )


def parse_access(text: str) -> Access:
    """Return the access in a JSON text. Raise AccessInvalidError if the text is no access."""
    try:
        members = object_of(parse_json(text), "the access", TOP)
        if not isinstance(members.get("grants"), list):
            raise StrictJsonError("grants is missing, or no list")
        grants = tuple(_grant(f"grant number {number}", each) for number, each in enumerate(members["grants"], 1))
        reason_for = read_value("the access", "reason_for", members.get("reason_for", []), REASON_FOR)
        return Access(grants, reason_for, _terms(members.get("terms")))
    except StrictJsonError as exc:
        raise AccessInvalidError(str(exc)) from exc


def _grant(where: str, value: Any) -> Grant:
    given = object_of(value, where, GRANT)
    if missing := next((name for name in REQUIRED if name not in given), None):
        raise StrictJsonError(f"{where}: {missing} is missing")
    return Grant(**read_members(where, given, GRANT))


def _terms(value: Any) -> Terms | None:
    if value is None:
        return None
    given = object_of(value, "terms", TERMS)
    if missing := next((name for name in TERMS if name not in given), None):
        raise StrictJsonError(f"terms: {missing} is missing")
    return Terms(**read_members("terms", given, TERMS))


def _list(item: Member, least: int) -> Member:
    """Return a member that is a list of another's values, each of them once."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) < least:
            raise ValueError(list)
        items = tuple(item.read(each) for each in value)
        if len(set(items)) != len(items):
            raise ValueError("twice")
        return items

    schema = {"type": "array", "items": item.schema, "minItems": least, "uniqueItems": True}
    return Member(read, f"a list of {item.wanted}, each once", schema)


def _choices(*values: str) -> Member:
    return Member(one_of(*values), ", ".join(values), {"enum": list(values)})


def _days(value: Any) -> int | None:
    if value is None:
        return None
    # A schema takes 30.0 for an integer.
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 or not 1 <= value <= MAX_DAYS:
        raise ValueError(int)
    return int(value)


_QUEUE = Member(matching(PATTERN), "queues, which may have * at either end", schema_of(PATTERN))
_LINE = Member(matching(TEXT), "a text on one line, without spaces around it", schema_of(TEXT))
# Several lines, but no other control characters.
_LINES = rf"[^\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]{{1,{MAX_TERMS}}}"
GRANT: Mapping[str, Member] = {
    "group": _LINE,
    "may": _list(_choices(*ACTIONS), 1),
    "scope": Member(one_of(*SCOPES), f"one of {', '.join(SCOPES)}", {"enum": list(SCOPES)}, "all"),
    "queues": replace(_list(_QUEUE, 1), default=ALL_QUEUES),
    "days": Member(_days, f"null, or a number of days from 1 to {MAX_DAYS}", {
        "type": ["integer", "null"], "minimum": 1, "maximum": MAX_DAYS
    }),
    "restricted": flag(False),
    "sensitive": flag(False),
}  # fmt: skip
REQUIRED = ("group", "may")
TERMS: Mapping[str, Member] = {
    "version": _LINE,
    "text": Member(matching(_LINES), f"a text of 1 to {MAX_TERMS} characters", schema_of(_LINES)),
}
REASON_FOR = replace(_list(_choices(*REASONED), 0), default=())
TOP = ("grants", "reason_for", "terms")
