"""EventBridge events, and the patterns of rules.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

import operator
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from localcloud.errors import TemplateError

_MISSING = object()
_COMPARISONS = {"<": operator.lt, "<=": operator.le, "=": operator.eq, ">": operator.gt, ">=": operator.ge}
_Test = Callable[[Any], bool]


class Pattern:
    """The pattern of one rule. An unsupported operator raises TemplateError when the template is read."""

    def __init__(self, pattern: Mapping[str, Any]) -> None:
        self._fields = _fields(pattern)

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Return whether every field of the pattern accepts the event's value."""
        return _accepts(self._fields, event)


def native_event(
    account: str, region: str, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
) -> dict[str, Any]:
    """Return an event in the envelope in which EventBridge delivers it."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": list(resources),
        "detail": dict(detail),
    }


_Fields = dict[str, Any]  # a name to nested _Fields, or to a list of tests of which one must succeed


def _fields(pattern: Any, path: str = "") -> _Fields:
    if not isinstance(pattern, Mapping) or not pattern:
        raise TemplateError(f"An event pattern must be an object with members{f' at {path}' if path else ''}.")
    return {str(name): _field(value, f"{path}.{name}" if path else str(name)) for name, value in pattern.items()}


def _field(value: Any, path: str) -> Any:
    if path.split(".")[-1].startswith("$"):
        raise TemplateError(f"The local cloud does not know the event pattern operator {path}.")
    if isinstance(value, Mapping):
        return _fields(value, path)
    if not isinstance(value, list) or not value:
        raise TemplateError(f"An event pattern's {path} must be a list of alternatives, or an object.")
    return [_test(alternative, path) for alternative in value]


def _accepts(fields: _Fields, event: Any) -> bool:
    members = event if isinstance(event, Mapping) else {}
    return all(_accepts_field(expected, members.get(name, _MISSING)) for name, expected in fields.items())


def _accepts_field(expected: Any, actual: Any) -> bool:
    if isinstance(expected, dict):
        return _accepts(expected, actual)
    # An array in the event matches if any of its elements does.
    values = actual if isinstance(actual, list) else [actual]
    return any(test(value) for value in values for test in expected)


def _test(alternative: Any, path: str) -> _Test:
    if not isinstance(alternative, Mapping):
        return lambda value: _same(value, alternative)
    if len(alternative) != 1:
        raise TemplateError(f"An event pattern's {path} must have one operator in each object.")
    ((name, operand),) = alternative.items()
    if name not in _OPERATORS:
        raise TemplateError(f"The local cloud does not know the event pattern operator {name} (at {path}).")
    try:
        return _OPERATORS[name](operand)
    except (TypeError, ValueError, KeyError) as exc:
        raise TemplateError(f"The event pattern operator {name} (at {path}) cannot take {operand!r}.") from exc


def _same(value: Any, expected: Any) -> bool:
    # True equals 1 in Python, but not in JSON.
    return bool(value == expected) and isinstance(value, bool) == isinstance(expected, bool)


def _text(test: Callable[[str], bool]) -> _Test:
    return lambda value: isinstance(value, str) and test(value)


def _affix(method: Callable[[str, str], bool]) -> Callable[[Any], _Test]:
    def build(operand: Any) -> _Test:
        if isinstance(operand, Mapping):
            lowered = _require_text(operand["equals-ignore-case"]).lower()
            return _text(lambda value: method(value.lower(), lowered))
        affix = _require_text(operand)
        return _text(lambda value: method(value, affix))

    return build


def _require_text(operand: Any) -> str:
    if not isinstance(operand, str):
        raise TypeError(operand)
    return operand


def _ignore_case(operand: Any) -> _Test:
    lowered = _require_text(operand).lower()
    return _text(lambda value: value.lower() == lowered)


def _wildcard(operand: Any) -> _Test:
    pattern = re.compile(".*".join(re.escape(part) for part in _require_text(operand).split("*")), re.DOTALL)
    return _text(lambda value: pattern.fullmatch(value) is not None)


def _exists(operand: Any) -> _Test:
    if not isinstance(operand, bool):
        raise TypeError(operand)
    return lambda value: (value is not _MISSING) is operand


def _anything_but(operand: Any) -> _Test:
    refused = _refused(operand)
    return lambda value: value is not _MISSING and not any(test(value) for test in refused)


def _refused(operand: Any) -> list[_Test]:
    if not isinstance(operand, Mapping):
        return [_test(item, "anything-but") for item in (operand if isinstance(operand, list) else [operand])]
    ((name, inner),) = operand.items()
    build = {key: _OPERATORS[key] for key in ("prefix", "suffix", "equals-ignore-case", "wildcard")}[name]
    return [build(item) for item in (inner if isinstance(inner, list) else [inner])]


def _numeric(operand: Any) -> _Test:
    if len(operand) not in (2, 4):
        raise ValueError(operand)
    limits = [(_COMPARISONS[sign], float(number)) for sign, number in zip(operand[::2], operand[1::2], strict=True)]
    return lambda value: _is_number(value) and all(compare(value, limit) for compare, limit in limits)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_OPERATORS: dict[str, Callable[[Any], _Test]] = {
    "prefix": _affix(str.startswith),
    "suffix": _affix(str.endswith),
    "equals-ignore-case": _ignore_case,
    "wildcard": _wildcard,
    "exists": _exists,
    "anything-but": _anything_but,
    "numeric": _numeric,
}
