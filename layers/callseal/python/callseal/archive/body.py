"""The JSON bodies of requests: each route names its members, and everything else is refused.

`make docs` writes schemas/archive-api.openapi.json from the same members.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callseal.calls.members import Member, matching, one_of, schema_of
from callseal.calls.strict_json import StrictJsonError, object_of, parse_json, read_members
from callseal.inbound.http import MAX_BODY_BYTES, Request, invalid

MAX_REASON, MAX_TEXT = 200, 2_000
# Of no control characters, and not only of spaces.
_CONTROLS = r"\x00-\x1f\x7f-\x9f\ud800-\udfff"
REQUIRED = object()


def line(most: int) -> Member:
    """Return a member that is a text of 1 to `most` characters on one line."""
    return text_of(rf"(?=.*\S)[^{_CONTROLS}]{{1,{most}}}", f"a text of 1 to {most} characters on one line", 1, most)


def lines(most: int) -> Member:
    """Return an optional member that is null, or a text of at most `most` characters, which may have several lines."""
    pattern = rf"[^\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]{{0,{most}}}"
    return optional(text_of(pattern, f"a text of at most {most} characters", 0, most))


def text_of(pattern: str, wanted: str, least: int, most: int) -> Member:
    """Return a member that is a text of this pattern, which `wanted` describes, and which has these lengths."""
    schema = {**schema_of(pattern), "minLength": least, "maxLength": most}
    return Member(matching(pattern), wanted, schema, REQUIRED)


def whole(least: int, most: int) -> Member:
    """Return a member that is a whole number within these bounds."""

    def read(value: Any) -> int:
        # A schema takes 3.0 for an integer.
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most or value % 1:
            raise ValueError(int)
        return int(value)

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Member(read, f"a whole number from {least} to {most}", schema, REQUIRED)


def choice(*values: str) -> Member:
    """Return a member that is one of these texts."""
    return Member(one_of(*values), f"one of {', '.join(values)}", {"enum": list(values)}, REQUIRED)


def optional(member: Member, default: Any = None) -> Member:
    """Return a member of texts that may be absent or null."""
    schema = {**member.schema, "type": ["string", "null"]}
    return Member(
        lambda value: default if value is None else member.read(value), f"null, or {member.wanted}", schema, default
    )


REASON, TEXT = optional(line(MAX_REASON)), lines(MAX_TEXT)


def read_body(request: Request, members: Mapping[str, Member]) -> dict[str, Any]:
    """Return the members of a request's body. Raise RefusedRequestError `InvalidRequest`."""
    try:
        text = request.body.decode()
        given = object_of(parse_json(text or "{}", MAX_BODY_BYTES), "The body", members)
        found = read_members("The body", given, members)
    except UnicodeDecodeError as exc:
        raise invalid("The body is not UTF-8.") from exc
    except StrictJsonError as exc:
        raise invalid(f"{str(exc)[:1].upper()}{str(exc)[1:]}.") from exc
    if missing := next((name for name, value in found.items() if value is REQUIRED), None):
        raise invalid(f"The body has no member {missing}.")
    return found
