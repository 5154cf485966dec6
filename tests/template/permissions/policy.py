"""IAM's evaluation of policies, as far as the template's policies need it; other input raises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.template.permissions.needs import Need

KIND = "events:detail-type"
_KNOWN = {"Sid", "Effect", "Action", "Resource", "Condition"}


@dataclass(frozen=True)
class Permission:
    """One action on one resource pattern, from one statement, with its condition."""

    sid: str
    effect: str
    action: str
    resource: str
    condition: str
    tests: tuple[tuple[str, str, tuple[str, ...]], ...]

    def __str__(self) -> str:
        return f"{self.sid}: {self.action} on {self.resource}{f' if {self.condition}' if self.condition else ''}"

    def covers(self, need: Need) -> bool:
        """Return whether the permission applies to this action, resource and context."""
        context = dict(need.context)
        return (
            _like(self.action.lower(), need.action.lower())
            and _like(self.resource, need.resource)
            and all(_holds(operator, context.get(key), values) for operator, key, values in self.tests)
        )


@dataclass(frozen=True)
class Role:
    """A role's permissions, by its own policies and by the resource policies that name every principal."""

    name: str
    permissions: tuple[Permission, ...]
    arn: str = ""

    def allows(self, need: Need) -> bool:
        """Return whether a call with this need is allowed: a statement allows it and none denies it."""
        mine = replace(need, context=need.context | {("aws:principalarn", self.arn)})
        covering = {permission.effect for permission in self.permissions if permission.covers(mine)}
        return covering == {"Allow"}

    def unused(self, needs: set[Need]) -> list[Permission]:
        """List the permissions that none of the needs uses."""
        allowing = [permission for permission in self.permissions if permission.effect == "Allow"]
        return [permission for permission in allowing if not any(permission.covers(need) for need in needs)]


def permissions_of(statement: Mapping[str, Any]) -> list[Permission]:
    """Split a resolved statement into permissions. Raise ValueError for unsupported elements.

    Each allowed event type is a separate permission, so that a type which is never put counts as unused.
    """
    if unknown := set(statement) - _KNOWN:
        raise ValueError(f"This evaluation of IAM does not know {sorted(unknown)}.")
    return [one for condition in _conditions(statement) for one in _permissions(statement, condition)]


def _conditions(statement: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    condition = statement.get("Condition", {})
    kinds = _list(condition.get("StringEquals", {}).get(KIND, []))
    if statement["Effect"] != "Allow" or not kinds:
        return [condition]
    return [condition | {"StringEquals": condition["StringEquals"] | {KIND: kind}} for kind in kinds]


def _permissions(statement: Mapping[str, Any], condition: Mapping[str, Any]) -> list[Permission]:
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
    """Evaluate a condition: only a negated operator matches a key that the request does not have.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """
    found = value is not None and any(_OPERATORS[operator](one, value) for one in wanted)
    return found != (operator in _NEGATED)


def _like(pattern: str, text: str) -> bool:
    """Match as IAM does: `*` is any text, including slashes and colons, `?` is one character, the rest is literal."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


_OPERATORS = {
    "StringEquals": lambda one, value: one == value,
    "StringNotEquals": lambda one, value: one == value,
    "StringLike": _like,
    "ArnNotEquals": _like,
}
_NEGATED = {"ArnNotEquals", "StringNotEquals"}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(condition: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {operator} {value}" for operator, keys in condition.items() for key, value in keys.items())
