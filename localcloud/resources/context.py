"""What every resource's maker is given, and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.properties import Properties
from localcloud.stack import Stack


@dataclass(frozen=True)
class Reference:
    """Tell what Ref and Fn::GetAtt give for a resource."""

    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """Hold what makers need: the stack they add to, moto's clients, and the folder of the template."""

    stack: Stack
    client: Callable[[str], Any]
    root: Path

    def name(self, properties: Properties, given: str | None) -> str:
        """Give the name from the template, or one made from the stack's and the logical id, as CloudFormation does."""
        return given or f"{self.stack.name}-{properties.logical_id}"


Maker = Callable[[Context, Properties], Reference]
