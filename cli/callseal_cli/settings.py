"""A tenant's settings on a command line: `member=value` for each setting of the functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from callseal.core.errors import HeldError
from callseal.tenants.settings import TenantSettings, parse_settings
from callseal_cli import store
from callseal_cli.errors import CannotError
from callseal_cli.stack import Stack

DEFAULTS = TenantSettings()
# The last sentence of the functions' error, which sends the reader to the parameter.
_LOOK_IN_PARAMETER = re.compile(r"\s*[A-Z][^.]*\.\.\./settings\.\Z")


def checked(members: Mapping[str, Any]) -> TenantSettings:
    """Return the settings as the functions parse them. Raise CannotError if they refuse them."""
    try:
        return parse_settings(json.dumps(members))
    except HeldError as held:
        raise CannotError(_LOOK_IN_PARAMETER.sub("", str(held))) from held


def of_tenant(stack: Stack, tenant: str) -> TenantSettings:
    """Return a tenant's settings as the functions parse them. Raise CannotError if it has none, or wrong ones."""
    text = store.read_settings(stack, tenant)
    if text is None:
        raise CannotError(f"The tenant {tenant} has no settings in {stack.name}. Add it with callseal tenants add.")
    return checked(members_of(text))


def changed(before: Mapping[str, Any], assignments: Iterable[str], unset: Iterable[str] = ()) -> dict[str, Any]:
    """Return the members after `member=value` assignments. `member=` and `unset` restore the default.

    Raise CannotError for a text that is not an assignment, or for an unknown member.
    """
    after = dict(before)
    for assignment in (*assignments, *(f"{name}=" for name in unset)):
        name, equals, value = assignment.partition("=")
        if not equals:
            raise CannotError(f"{assignment!r} is not member=value.")
        if name not in _names():
            raise CannotError(f"There is no setting {name!r}. The settings are {', '.join(_names())}.")
        after.pop(name, None)
        if value:
            after[name] = _value(name, value)
    return after


def members_of(text: str) -> dict[str, Any]:
    """Return the members of a parameter's text, valid or not. Raise CannotError if it is not a JSON object."""
    try:
        members = json.loads(text)
    except ValueError as exc:
        raise CannotError(f"The parameter's value is not JSON ({exc}). Correct it there, e.g. {{}}.") from exc
    if not isinstance(members, dict):
        raise CannotError("The parameter's value is not a JSON object. Correct it there, e.g. {}.")
    return members


def effective(settings: TenantSettings) -> dict[str, Any]:
    """Return all members with their values, including defaults."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()}


def _names() -> list[str]:
    return [field.name for field in fields(TenantSettings)]


def _value(name: str, value: str) -> Any:
    """Return a value, from JSON or from plain words: `mp3,wav` for a list, a text without quotes."""
    try:
        read = json.loads(value)
    except ValueError:
        read = value
    if isinstance(getattr(DEFAULTS, name), tuple) and not isinstance(read, list):
        return value.split(",")
    return value if isinstance(getattr(DEFAULTS, name), str) and not isinstance(read, str) else read
