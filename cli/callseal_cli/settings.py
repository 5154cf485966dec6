"""A tenant's settings on a command line: `member=value`, whatever members the functions know."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from callseal.core.errors import HeldError
from callseal.tenants.settings import TenantSettings, parse_settings
from callseal_cli.errors import CannotError

DEFAULTS = TenantSettings()


def checked(members: Mapping[str, Any]) -> TenantSettings:
    """Check members as the functions do; raises CannotError."""
    try:
        return parse_settings(json.dumps(members))
    except HeldError as held:
        raise CannotError(str(held).replace("Put them right in the parameter .../settings.", "").rstrip()) from held


def changed(before: Mapping[str, Any], assignments: Iterable[str], unset: Iterable[str] = ()) -> dict[str, Any]:
    """Apply `member=value`s to members; `member=` and `unset` go back to the default. Raises CannotError."""
    after = dict(before)
    for assignment in (*assignments, *(f"{name}=" for name in unset)):
        name, equals, value = assignment.partition("=")
        if not equals:
            raise CannotError(f"{assignment!r} is no member=value.")
        if name not in _names():
            raise CannotError(f"There is no setting {name!r}. There are: {', '.join(_names())}.")
        after.pop(name, None)
        if value:
            after[name] = _value(name, value)
    return after


def members_of(text: str) -> dict[str, Any]:
    """Read the members that stand in a parameter, good or not; raises CannotError where it is no JSON object."""
    try:
        members = json.loads(text)
    except ValueError as exc:
        raise CannotError(f"What stands in the parameter is no JSON ({exc}). Put it right there, e.g. {{}}.") from exc
    if not isinstance(members, dict):
        raise CannotError("What stands in the parameter is no JSON object. Put it right there, e.g. {}.")
    return members


def effective(settings: TenantSettings) -> dict[str, Any]:
    """Give all members with their values, the defaults too."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()}


def _names() -> list[str]:
    return [field.name for field in fields(TenantSettings)]


def _value(name: str, value: str) -> Any:
    """Read a value as JSON, or as the plain words that people write: mp3,wav for a list, a text without its quotes."""
    try:
        read = json.loads(value)
    except ValueError:
        read = value
    if isinstance(getattr(DEFAULTS, name), tuple) and not isinstance(read, list):
        return value.split(",")
    return value if isinstance(getattr(DEFAULTS, name), str) and not isinstance(read, str) else read
