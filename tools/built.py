"""The output of `sam build`: the layers and functions of its template, with their folders."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

KINDS = {"AWS::Serverless::LayerVersion": ("layer", "ContentUri"), "AWS::Serverless::Function": ("function", "CodeUri")}


@dataclass(frozen=True)
class Artifact:
    """A layer or a function, with the folder that will be zipped."""

    name: str
    kind: str
    folder: Path

    @property
    def place_in_lambda(self) -> str:
        """The folder into which Lambda unzips it."""
        return "/opt" if self.kind == "layer" else "/var/task"

    @property
    def size(self) -> int:
        """The unzipped size in bytes, which Lambda limits."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())


class TemplateLoader(yaml.SafeLoader):
    """Reads a template's plain values. Intrinsic functions (!Ref, !Sub ...) become null. No folder is written so."""


TemplateLoader.add_multi_constructor("!", lambda *_: None)


def artifacts(template: Path) -> list[Artifact]:
    """Return the layers and functions of a template, layers first."""
    resources: dict[str, dict[str, Any]] = yaml.load(template.read_text(), TemplateLoader)["Resources"]  # noqa: S506 - it is a SafeLoader
    found = [artifact(name, each, template.parent) for name, each in resources.items() if each["Type"] in KINDS]
    return sorted(found, key=lambda each: (each.kind != "layer", each.name))


def artifact(name: str, resource: dict[str, Any], base: Path) -> Artifact:
    """Return the artifact of a resource. Its folder in the template is relative to the template's own."""
    kind, member = KINDS[resource["Type"]]
    return Artifact(name, kind, Path(os.path.normpath(base / resource["Properties"][member])))
