"""S3's evaluation of a bucket policy's denials, as far as the template's policies need it; other input raises.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.template.permissions.policy import _like, _list

_KNOWN = {"Sid", "Effect", "Principal", "Action", "Resource", "NotResource", "Condition"}


def denied_by(statements: Iterable[Mapping[str, Any]], action: str, resource: str, **headers: str) -> set[str]:
    """Return the Sids of the statements that deny every principal a request.

    `headers` are S3's condition keys without `s3:`, with underscores for hyphens. The request is made over TLS.
    """
    context = {f"s3:{name.replace('_', '-')}".lower(): value for name, value in headers.items()}
    context["aws:securetransport"] = "true"
    return {one["Sid"] for one in statements if _covers(one, action, resource) and _holds(one, context)}


def _covers(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    if unknown := set(statement) - _KNOWN:
        raise ValueError(f"This evaluation of bucket policies does not know {sorted(unknown)}.")
    if (statement["Effect"], statement["Principal"]) != ("Deny", "*"):
        raise ValueError("This evaluation of bucket policies knows only what is denied to everybody.")
    named = any(_like(pattern, resource) for pattern in _list(statement.get("Resource", [])))
    spared = any(_like(pattern, resource) for pattern in _list(statement.get("NotResource", [])))
    hit = not spared if "NotResource" in statement else named
    return hit and any(_like(pattern.lower(), action.lower()) for pattern in _list(statement["Action"]))


def _holds(statement: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    return all(
        _OPERATORS[operator](context.get(key.lower()), [str(one) for one in _list(wanted)])
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


_OPERATORS: dict[str, Callable[[str | None, list[str]], bool]] = {
    # An absent key fails each operator, except Null and the negated ones.
    "Bool": lambda value, wanted: value is not None and value.lower() in wanted,
    "Null": lambda value, wanted: str(value is None).lower() in wanted,
    "StringEquals": lambda value, wanted: value in wanted,
    "StringNotEquals": lambda value, wanted: value not in wanted,
    "NumericGreaterThan": lambda value, wanted: value is not None and float(value) > float(wanted[0]),
}
