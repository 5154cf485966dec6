"""The table of alarms in docs/operations.md, from template.yaml.

An alarm's description is `<what happened>. <what to do>; see docs/operations.md, "<section>".`
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localcloud.template import load_template

from .markers import replace_part, table

ROOT = Path(__file__).resolve().parents[2]
HEAD = ("alarm", "what happened", "what to do", "section")
DESCRIPTION = re.compile(r'(?P<event>[^.]+)\. (?P<action>[^;]+); see docs/operations\.md, "(?P<section>[^"]+)"\.')


def operations(page: str) -> str:
    """Return docs/operations.md with the table of the alarms on template.yaml's dashboard, in its order."""
    return replace_part(page, "alarms", render(load_template(ROOT / "template.yaml", "eu-north-1")))


def render(template: dict[str, Any]) -> str:
    """Return the table of the alarms on a translated template's dashboard, in its order."""
    return "\n" + table(HEAD, _rows(template)) + "\n"


def _rows(template: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    dashboard = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for name in re.findall(r"\$\{(\w+)\.Arn\}", dashboard):
        yield _row(name, template["Resources"][name]["Properties"])


def _row(name: str, alarm: dict[str, Any]) -> tuple[str, ...]:
    described = DESCRIPTION.fullmatch(alarm["AlarmDescription"])
    if not described:
        raise ValueError(f"{name}: write its AlarmDescription as {(__doc__ or '').splitlines()[-1]}")
    event, action, section = described.group("event", "action", "section")
    anchor = re.sub(r"[^a-z0-9 -]", "", section.lower()).replace(" ", "-")
    suffix = alarm["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}")
    return f"`...{suffix}`", event, action, f"[{section}](#{anchor})"
