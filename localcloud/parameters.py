"""The template's parameters: their defaults, the values that override them, and the limits of both."""

from collections.abc import Mapping
from typing import Any

from localcloud.errors import TemplateError


def resolve_parameters(declared: Mapping[str, Mapping[str, Any]], overrides: Mapping[str, str]) -> dict[str, Any]:
    """Return each parameter's value. A Number becomes an int or a float, a CommaDelimitedList a list of texts.

    Raise TemplateError for an unknown parameter, or a value outside its limits.
    """
    unknown = [name for name in overrides if name not in declared]
    if unknown:
        raise TemplateError(f"The template has no parameter {unknown[0]}.")
    return {name: _value(name, parameter, overrides) for name, parameter in declared.items()}


def _value(name: str, parameter: Mapping[str, Any], overrides: Mapping[str, str]) -> Any:
    given = overrides.get(name, parameter.get("Default"))
    if given is None:
        raise TemplateError(f"The parameter {name} has no default. Set a value.")
    allowed = parameter.get("AllowedValues")
    if allowed is not None and str(given) not in [str(value) for value in allowed]:
        choice = ", ".join(map(str, allowed))
        raise TemplateError(f"The parameter {name} cannot be {given}: it must be one of {choice}.")
    return _typed(name, str(parameter.get("Type")), str(given), parameter)


def _typed(name: str, kind: str, given: str, parameter: Mapping[str, Any]) -> Any:
    if kind == "String":
        return given
    if kind == "Number":
        return _number(name, given, parameter)
    if kind == "CommaDelimitedList":
        return [item.strip() for item in given.split(",")]
    raise TemplateError(f"The parameter {name} is of type {kind}, which the local cloud does not know.")


def _number(name: str, given: str, parameter: Mapping[str, Any]) -> int | float:
    try:
        number = int(given) if given.lstrip("-").isdigit() else float(given)
    except ValueError as exc:
        raise TemplateError(f"The parameter {name} must be a number, not {given}.") from exc
    low, high = parameter.get("MinValue", number), parameter.get("MaxValue", number)
    if not float(low) <= number <= float(high):
        raise TemplateError(f"The parameter {name} cannot be {given}: it must be from {low} to {high}.")
    return number
