"""IAM's evaluation of a role's own policies, as far as the template's policies go; anything else raises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.permissions.needs import Need

_KNOWN = {"Sid", "Effect", "Action", "Resource", "Condition"}


@dataclass(frozen=True)
class Permission:
    """One action on one resource pattern, of one statement, under its condition."""

    sid: str
    effect: str
    action: str
    resource: str
    condition: str
    tests: tuple[tuple[str, str, tuple[str, ...]], ...]

    def __str__(self) -> str:
        return f"{self.sid}: {self.action} on {self.resource}{f' if {self.condition}' if self.condition else ''}"

    def covers(self, need: Need) -> bool:
        """Tell whether it speaks of this action, on this resource, in these circumstances."""
        context = dict(need.context)
        return (
            _like(self.action.lower(), need.action.lower())
            and _like(self.resource, need.resource)
            and all(_holds(operator, context.get(key), values) for operator, key, values in self.tests)
        )


@dataclass(frozen=True)
class Role:
    """What a role may do."""

    name: str
    permissions: tuple[Permission, ...]

    def allows(self, need: Need) -> bool:
        """Tell whether a call with this need goes through: some statement allows it and none denies it."""
        covering = {permission.effect for permission in self.permissions if permission.covers(need)}
        return covering == {"Allow"}

    def unused(self, needs: set[Need]) -> list[Permission]:
        """List the permissions that none of the needs makes use of."""
        allowing = [permission for permission in self.permissions if permission.effect == "Allow"]
        return [permission for permission in allowing if not any(permission.covers(need) for need in needs)]


def permissions_of(statement: Mapping[str, Any]) -> list[Permission]:
    """Take a statement, resolved, apart; raises ValueError for what this evaluation does not know."""
    if unknown := set(statement) - _KNOWN:
        raise ValueError(f"This evaluation of IAM does not know {sorted(unknown)}.")
    condition = statement.get("Condition", {})
    tests = tuple(
        (operator, key.lower(), tuple(_list(values)))
        for operator, keys in condition.items()
        for key, values in keys.items()
    )
    for operator, _, _ in tests:
        if operator not in _OPERATORS:
            raise ValueError(f"This evaluation of IAM does not know the condition operator {operator}.")
    return [
        Permission(statement.get("Sid", "?"), statement["Effect"], action, resource, _text(condition), tests)
        for action in _list(statement["Action"])
        for resource in _list(statement["Resource"])
    ]


def _holds(operator: str, value: str | None, wanted: tuple[str, ...]) -> bool:
    """Judge a condition; what the request does not tell fails every operator here."""
    return value is not None and any(_OPERATORS[operator](one, value) for one in wanted)


def _like(pattern: str, text: str) -> bool:
    """Match as IAM does: `*` is any number of characters, slashes and colons too, `?` is one, all else is itself."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


_OPERATORS = {"StringEquals": lambda one, value: one == value, "StringLike": _like}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(condition: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {operator} {value}" for operator, keys in condition.items() for key, value in keys.items())
