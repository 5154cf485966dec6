"""A strict reader of a resource's properties: a property that was not read is not supported, and is an error."""

from collections.abc import Mapping
from typing import Any

from localcloud.errors import TemplateError
from localcloud.stack import LeftOut


class Properties:
    """Resolved properties that record which were read. `done` raises TemplateError for the first unread one."""

    def __init__(self, logical_id: str, kind: str, values: Any, left_out: list[LeftOut], path: str = "") -> None:
        self.logical_id = logical_id
        self._kind, self._left_out, self._path = kind, left_out, path
        if not isinstance(values, Mapping):
            raise TemplateError(f"{logical_id} ({kind}): {path or 'Properties'} must be an object.")
        self._values = values
        self._read: set[str] = set()
        self._children: list[Properties] = []

    def take(self, name: str, default: Any = None) -> Any:
        """Return a property, or the default if it is absent."""
        self._read.add(name)
        return self._values.get(name, default)

    def require(self, name: str) -> Any:
        """Return a property. Raise TemplateError if it is absent."""
        if name not in self._values:
            raise TemplateError(f"{self.logical_id} ({self._kind}) has no {self._where(name)}.")
        return self.take(name)

    def nested(self, name: str) -> "Properties | None":
        """Return a property that is an object, as a strict reader, or None if it is absent."""
        value = self.take(name)
        return None if value is None else self._child(value, self._where(name))

    def each(self, name: str) -> "list[Properties]":
        """Return a property that is a list of objects, as strict readers."""
        return [self._child(item, f"{self._where(name)}[{i}]") for i, item in enumerate(self.take(name, []))]

    def leave_out(self, name: str, why: str) -> None:
        """Accept a property without acting on it, and report it as left out if it is present."""
        if self.take(name) is not None:
            self.report_left_out(name, why)

    def report_left_out(self, name: str, why: str) -> None:
        """Report a part of this object as left out."""
        self._left_out.append(LeftOut(f"{self.logical_id}.{self._where(name)}", why))

    def renamed(self, names: Mapping[str, str]) -> dict[str, Any]:
        """Return the present ones of the named properties, under the names of the service's API."""
        return {theirs: self.take(ours) for ours, theirs in names.items() if self.take(ours) is not None}

    def done(self) -> None:
        """Raise TemplateError if a property was not read."""
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
