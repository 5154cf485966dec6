"""Environment variables: each function declares a frozen settings class beside its handler, and reads it here once.

template.yaml sets the variables. A field `sftp_bucket: str` is the variable SFTP_BUCKET.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from callseal.core.errors import CallsealError

Settings = TypeVar("Settings")
# A variable of this type may be empty, for a resource that is optional in a stack.
Optional = Literal[""] | str


class EnvironmentInvalidError(CallsealError):
    """A variable of the function's environment is missing, empty or illegal. Deploy the stack again."""


def read_env(settings: type[Settings], env: Mapping[str, str]) -> Settings:
    """Return a function's settings, each field from the variable of its name in capitals.

    A field is a `str` (not empty), an `int` (1 or more), a `Literal` of texts, or `Optional`. Raise
    EnvironmentInvalidError, which names the variable and not its value.
    """
    types = get_type_hints(settings)
    names = [field.name for field in fields(settings)]  # type: ignore[arg-type]
    return settings(**{name: _value(name.upper(), types[name], env) for name in names})


def _value(variable: str, kind: Any, env: Mapping[str, str]) -> str | int:
    text = env.get(variable)
    if text is None:
        raise _invalid(variable, "is missing")
    if kind == Optional:
        return text
    if not text:
        raise _invalid(variable, "is empty")
    if kind is int:
        if not (text.isascii() and text.isdigit() and int(text) > 0):
            raise _invalid(variable, "is not a whole number of 1 or more")
        return int(text)
    if get_origin(kind) is Literal and text not in get_args(kind):
        raise _invalid(variable, f"is none of {', '.join(get_args(kind))}")
    return text


def _invalid(variable: str, why: str) -> EnvironmentInvalidError:
    return EnvironmentInvalidError(
        f"The environment variable {variable} {why}. template.yaml sets it: deploy the stack again, and change no "
        "variable of a function by hand."
    )
