"""Session policies, as IAM evaluates them for requests to S3, as far as ours go; anything else raises."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_KNOWN = {"Sid", "Effect", "Action", "Resource", "Condition"}


@dataclass(frozen=True)
class Access:
    """What a request needs: an action on a resource, with what IAM knows of the request (condition keys)."""

    action: str
    resource: str
    context: Mapping[str, str]


class SessionPolicy:
    """Judge accesses by a policy document; raises ValueError for one that this evaluation does not know."""

    def __init__(self, document: str) -> None:
        self._statements = [_statement(one) for one in _list(json.loads(document)["Statement"])]

    def allows(self, access: Access) -> bool:
        """Tell whether a statement allows the access and none denies it."""
        effects = {statement["Effect"] for statement in self._statements if _covers(statement, access)}
        return effects == {"Allow"}


def _statement(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    if unknown := set(statement) - _KNOWN:
        raise ValueError(f"The local cloud does not know {sorted(unknown)} in a session policy.")
    for operator in statement.get("Condition", {}):
        if operator not in _OPERATORS:
            raise ValueError(f"The local cloud does not know the condition operator {operator} in a session policy.")
    return statement


def _covers(statement: Mapping[str, Any], access: Access) -> bool:
    return (
        any(_like(action.lower(), access.action.lower()) for action in _list(statement["Action"]))
        and any(_like(resource, access.resource) for resource in _list(statement["Resource"]))
        and all(
            _holds(operator, access.context.get(key), _list(wanted))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _holds(operator: str, value: str | None, wanted: list[str]) -> bool:
    # What the request does not tell fails every operator here.
    return value is not None and any(_OPERATORS[operator](one, value) for one in wanted)


def _like(pattern: str, text: str) -> bool:
    """Match as IAM does: `*` is any number of characters, slashes and colons too, `?` is one, all else is itself."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {"StringEquals": str.__eq__, "StringLike": _like}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
