"""CloudFormation's intrinsic functions, parameters, pseudo parameters and conditions."""

import graphlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from localcloud.errors import TemplateError
from localcloud.parameters import resolve_parameters

_SUBSTITUTION = re.compile(r"\$\{(!?)([^}]*)\}")
_NO_VALUE = object()


class Resolver:
    """Resolves values of a translated template. `learn` adds the resources one by one.

    `http_address` is host and port of a distribution that is served without TLS: URLs with it become http ones.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        pseudo: Mapping[str, str],
        overrides: Mapping[str, str],
        http_address: str = "",
    ) -> None:
        self._http_address = http_address
        self._refs: dict[str, Any] = {**resolve_parameters(template.get("Parameters", {}), overrides), **pseudo}
        self._refs["AWS::NoValue"] = _NO_VALUE
        self._attributes: dict[str, Mapping[str, str]] = {}
        self._mappings: Mapping[str, Any] = template.get("Mappings", {})
        self._conditions: Mapping[str, Any] = template.get("Conditions", {})
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::If": self._if,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::FindInMap": self._find_in_map,
            "Fn::Equals": self._equals,
            "Fn::Not": self._not,
            "Fn::And": lambda operands: all(self._truths("Fn::And", operands)),
            "Fn::Or": lambda operands: any(self._truths("Fn::Or", operands)),
        }

    def learn(self, logical_id: str, ref: str, attributes: Mapping[str, str]) -> None:
        """Add a created resource for Ref and Fn::GetAtt."""
        self._refs[logical_id] = ref
        self._attributes[logical_id] = attributes

    def resolve(self, value: Any) -> Any:
        """Return `value` with every intrinsic function replaced, and AWS::NoValue removed."""
        resolved = self._resolve(value)
        return None if resolved is _NO_VALUE else resolved

    def condition(self, name: str) -> bool:
        """Return whether the condition of this name is true."""
        if name not in self._conditions:
            raise TemplateError(f"The template has no condition {name}.")
        return self._truth(self._conditions[name])

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self._resolve_mapping(value)
        if isinstance(value, list):
            items = (self._resolve(item) for item in value)
            return [item for item in items if item is not _NO_VALUE]
        return value

    def _resolve_mapping(self, value: Mapping[str, Any]) -> Any:
        name = intrinsic_name(value)
        if name:
            return self._function(name)(value[name])
        members = ((key, self._resolve(member)) for key, member in value.items())
        return {key: member for key, member in members if member is not _NO_VALUE}

    def _function(self, name: str) -> Callable[[Any], Any]:
        if name not in self._functions:
            raise TemplateError(f"The local cloud does not know the intrinsic function {name}.")
        return self._functions[name]

    def _ref(self, name: Any) -> Any:
        if name not in self._refs:
            raise TemplateError(f"Ref names {name}, which is neither a parameter nor a resource created so far.")
        return self._refs[name]

    def _get_att(self, argument: Any) -> str:
        logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        attributes = self._attributes.get(logical_id)
        if attributes is None:
            raise TemplateError(f"Fn::GetAtt names {logical_id}, which is no resource created so far.")
        if attribute not in attributes:
            raise TemplateError(f"Fn::GetAtt asks {logical_id} for {attribute}, which the local cloud does not know.")
        return attributes[attribute]

    def _sub(self, argument: Any) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else argument

        def replace(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in variables:
                return str(self._resolve(variables[name]))
            return str(self._get_att(name) if "." in name else self._ref(name))

        return self._reachable(_SUBSTITUTION.sub(replace, text))

    def _reachable(self, text: str) -> str:
        address = self._http_address
        return text.replace(f"https://{address}", f"http://{address}") if address else text

    def _if(self, argument: Any) -> Any:
        name, when_true, when_false = argument
        return self._resolve(when_true if self.condition(name) else when_false)

    def _join(self, argument: Any) -> str:
        delimiter, parts = argument
        return str(delimiter).join(str(part) for part in self._resolve(parts))

    def _select(self, argument: Any) -> Any:
        index, items = int(self._resolve(argument[0])), self._resolve(argument[1])
        if not 0 <= index < len(items):
            raise TemplateError(f"Fn::Select asks for item {index} of a list of {len(items)}.")
        return items[index]

    def _split(self, argument: Any) -> list[str]:
        delimiter, text = argument
        return str(self._resolve(text)).split(delimiter)

    def _find_in_map(self, argument: Any) -> Any:
        name, first, second = (str(self._resolve(part)) for part in argument)
        try:
            return self._mappings[name][first][second]
        except KeyError:
            raise TemplateError(f"Fn::FindInMap finds no {first}, {second} in the mapping {name}.") from None

    def _equals(self, operands: Any) -> bool:
        left, right = (self._resolve(operand) for operand in operands)
        # Parameters are texts in CloudFormation, so 7 equals "7".
        return str(left) == str(right)

    def _not(self, operands: Any) -> bool:
        (operand,) = operands
        return not self._truth(operand)

    def _truths(self, name: str, operands: Any) -> Iterator[bool]:
        if not isinstance(operands, list) or not 2 <= len(operands) <= 10:
            raise TemplateError(f"{name} takes 2 to 10 conditions.")
        return (self._truth(operand) for operand in operands)

    def _truth(self, value: Any) -> bool:
        if isinstance(value, Mapping) and list(value) == ["Condition"]:
            return self.condition(value["Condition"])
        truth = self._resolve(value)
        if not isinstance(truth, bool):
            raise TemplateError(f"A condition must be true or false, but {value!r} is neither.")
        return truth


def intrinsic_name(value: Mapping[str, Any]) -> str | None:
    """Return the name of the intrinsic function that a mapping calls, or None for plain data."""
    names = [str(key) for key in value if key == "Ref" or str(key).startswith("Fn::")]
    if names and len(value) > 1:
        others = ", ".join(str(key) for key in value if key != names[0])
        raise TemplateError(f"{names[0]} has other members beside it ({others}), but must be the only one.")
    return names[0] if names else None


def references(value: Any) -> Iterator[str]:
    """Return the name of every parameter and resource that `value` refers to, in both branches of an Fn::If."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, Mapping):
        name = intrinsic_name(value)
        yield from _named_by(name, value[name]) if name else ()
        for member in value.values():
            yield from references(member)


def _named_by(name: str, argument: Any) -> Iterator[str]:
    if name == "Ref":
        yield argument
    elif name == "Fn::GetAtt":
        yield argument.split(".", 1)[0] if isinstance(argument, str) else argument[0]
    elif name == "Fn::Sub":
        text = argument if isinstance(argument, str) else argument[0]
        own = {} if isinstance(argument, str) else argument[1]
        yield from (n.split(".", 1)[0] for literal, n in _SUBSTITUTION.findall(text) if not literal and n not in own)


def creation_order(resources: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the logical ids, each after those that it refers to or depends on."""
    graph = {logical_id: _needs(logical_id, resource, resources) for logical_id, resource in resources.items()}
    try:
        return list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as exc:
        raise TemplateError(f"These resources depend on each other in a cycle: {' -> '.join(exc.args[1])}.") from exc


def _needs(logical_id: str, resource: Mapping[str, Any], resources: Mapping[str, Any]) -> list[str]:
    depends = resource.get("DependsOn", [])
    depends = [depends] if isinstance(depends, str) else depends
    missing = [name for name in depends if name not in resources]
    if missing:
        raise TemplateError(f"{logical_id} depends on {missing[0]}, which is no resource of this stack.")
    named = references(resource.get("Properties", {}))
    return list(dict.fromkeys([*depends, *(name for name in named if name in resources)]))
