"""A strict reader of a resource's properties: whatever nobody asked for is unknown, and unknown fails."""

from collections.abc import Mapping
from typing import Any

from localcloud.errors import TemplateError
from localcloud.stack import LeftOut


class Properties:
    """Read resolved properties and remember which were read; `done` fails on the first that was not."""

    def __init__(self, logical_id: str, kind: str, values: Any, left_out: list[LeftOut], path: str = "") -> None:
        self.logical_id = logical_id
        self._kind, self._left_out, self._path = kind, left_out, path
        if not isinstance(values, Mapping):
            raise TemplateError(f"{logical_id} ({kind}): {path or 'Properties'} must be an object.")
        self._values = values
        self._read: set[str] = set()
        self._children: list[Properties] = []

    def take(self, name: str, default: Any = None) -> Any:
        """Read a property that may be absent."""
        self._read.add(name)
        return self._values.get(name, default)

    def require(self, name: str) -> Any:
        """Read a property that must be there."""
        if name not in self._values:
            raise TemplateError(f"{self.logical_id} ({self._kind}) has no {self._where(name)}.")
        return self.take(name)

    def nested(self, name: str) -> "Properties | None":
        """Read a property that is an object, as strictly as this one; None when absent."""
        value = self.take(name)
        return None if value is None else self._child(value, self._where(name))

    def each(self, name: str) -> "list[Properties]":
        """Read a property that is a list of objects."""
        return [self._child(item, f"{self._where(name)}[{i}]") for i, item in enumerate(self.take(name, []))]

    def leave_out(self, name: str, why: str) -> None:
        """Accept a property without acting on it, and say so where it is given."""
        if self.take(name) is not None:
            self.report_left_out(name, why)

    def report_left_out(self, name: str, why: str) -> None:
        """Put something below this object on the list of what is left out."""
        self._left_out.append(LeftOut(f"{self.logical_id}.{self._where(name)}", why))

    def renamed(self, names: Mapping[str, str]) -> dict[str, Any]:
        """Read the given properties, those present, under the names that the service's API has for them."""
        return {theirs: self.take(ours) for ours, theirs in names.items() if self.take(ours) is not None}

    def done(self) -> None:
        """Fail on a property that the local cloud does not know."""
        unknown = [name for name in self._values if name not in self._read]
        if unknown:
            where = self._where(unknown[0])
            raise TemplateError(
                f"The local cloud does not know the property {where} of {self.logical_id} ({self._kind})."
            )
        for child in self._children:
            child.done()

    def _child(self, value: Any, path: str) -> "Properties":
        child = Properties(self.logical_id, self._kind, value, self._left_out, path)
        self._children.append(child)
        return child

    def _where(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name
