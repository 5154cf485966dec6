"""A JSON object of an SSM parameter or a request, read strictly: no unknown or double member, no wrong value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from callseal.calls.members import Member

# https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
MAX_BYTES = 8192
_LIKE_A_NAME = re.compile(r"[A-Za-z_ -]{1,32}")


class StrictJsonError(ValueError):
    """A text or a value that is refused. The message is what is wrong, without the refused value."""


def parse_json(text: str, most: int = MAX_BYTES) -> Any:
    """Return the value of a JSON text. Raise StrictJsonError if it is none, or has over `most` bytes."""
    try:
        if len(text.encode()) > most:
            raise StrictJsonError(f"it has over {most} bytes")
    except UnicodeEncodeError as exc:
        raise StrictJsonError("it is no proper text") from exc
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise StrictJsonError(f"it is no proper JSON ({exc})") from exc


def object_of(value: Any, where: str, known: Iterable[str]) -> dict[str, Any]:
    """Return a copy of a JSON object of which all members are known. Raise StrictJsonError for any other value."""
    if not isinstance(value, dict):
        raise StrictJsonError(f"{where} must be an object")
    names = [*known]
    for name in value:
        if name not in names:
            # Only a name that looks like a member's is repeated. Any other text may be a caller's number.
            shown = repr(name) if _LIKE_A_NAME.fullmatch(name) else "of such a name"
            raise StrictJsonError(f"{where} has no member {shown}; known are {', '.join(names)}")
    return dict(value)


def read_members(where: str, given: Mapping[str, Any], members: Mapping[str, Member]) -> dict[str, Any]:
    """Return each member's value, or its default if it is absent. Raise StrictJsonError for a wrong value."""
    absent = {name: member.default for name, member in members.items()}
    return absent | {name: read_value(where, name, value, members[name]) for name, value in given.items()}


def read_value(where: str, name: str, value: Any, member: Member) -> Any:
    """Return a member's value. Raise StrictJsonError if it is a wrong one."""
    try:
        return member.read(value)
    except ValueError as exc:
        raise StrictJsonError(f"{where}: {name} must be {member.wanted}") from exc


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has a member twice")
    return members


def _refuse_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are no numbers")
