"""The arguments and the result of every resource's maker."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.properties import Properties
from localcloud.stack import Stack


@dataclass(frozen=True)
class Reference:
    """The values of Ref and Fn::GetAtt for a resource."""

    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What makers need: the stack that they add to, moto's clients, and the template's folder.

    `http_address` is host and port of the gateway, which serves HTTP APIs and distributions.
    """

    stack: Stack
    client: Callable[[str], Any]
    root: Path
    http_address: str = ""

    def name(self, properties: Properties, given: str | None) -> str:
        """Return the name from the template, or one of the stack's name and the logical id, as CloudFormation does."""
        return given or f"{self.stack.name}-{properties.logical_id}"


Maker = Callable[[Context, Properties], Reference]
