"""What `sam build` has made: the layers and functions that its template names, and where they lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

KINDS = {"AWS::Serverless::LayerVersion": ("layer", "ContentUri"), "AWS::Serverless::Function": ("function", "CodeUri")}


@dataclass(frozen=True)
class Artifact:
    """A layer or a function, as a folder that will be zipped."""

    name: str
    kind: str
    folder: Path

    @property
    def place_in_lambda(self) -> str:
        """Name the folder that Lambda unzips it into."""
        return "/opt" if self.kind == "layer" else "/var/task"

    @property
    def size(self) -> int:
        """Bytes when unzipped, which is what Lambda's limit counts."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())


class TemplateLoader(yaml.SafeLoader):
    """Reads a template's plain values; intrinsic functions (!Ref, !Sub ...) become null, for no folder is one."""


TemplateLoader.add_multi_constructor("!", lambda *_: None)


def artifacts(template: Path) -> list[Artifact]:
    """List the layers and functions of a template, layers first."""
    resources: dict[str, dict[str, Any]] = yaml.load(template.read_text(), TemplateLoader)["Resources"]  # noqa: S506 - it is a SafeLoader
    found = [artifact(name, each, template.parent) for name, each in resources.items() if each["Type"] in KINDS]
    return sorted(found, key=lambda each: (each.kind != "layer", each.name))


def artifact(name: str, resource: dict[str, Any], base: Path) -> Artifact:
    """Find what a template's resource was built into; its folder is named from the template's own."""
    kind, member = KINDS[resource["Type"]]
    return Artifact(name, kind, Path(os.path.normpath(base / resource["Properties"][member])))
