"""The table of alarms in docs/operations.md, from template.yaml: `python -m tools.pages.alarms` writes it.

An alarm's description is `<what happened>. <what to do>; see docs/operations.md, "<section>".`
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localcloud.template import load_template

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/operations.md"
BEGIN = "<!-- The alarms of template.yaml, written by `make docs`. -->\n\n"
END = "\n<!-- End of the alarms. -->\n"
HEAD = "| alarm | what happened | what to do | section |\n|---|---|---|---|\n"
DESCRIPTION = re.compile(r'(?P<event>[^.]+)\. (?P<action>[^;]+); see docs/operations\.md, "(?P<section>[^"]+)"\.')


def render(template: dict[str, Any]) -> str:
    """Return the table of the alarms on a translated template's dashboard, in its order."""
    return HEAD + "".join(f"| {' | '.join(cells)} |\n" for cells in _rows(template))


def replaced(page: str, table: str) -> str:
    """Return the page with the table between its markers. Raise ValueError if a marker is missing or repeated."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    if (page.count(BEGIN), rest.count(END)) != (1, 1):
        raise ValueError(
            f"docs/operations.md must have the lines {BEGIN.strip()} and {END.strip()} once, in this order."
        )
    return f"{before}{BEGIN}{table}{END}{after}"


def current(page: str) -> str:
    """Return the page with the table of template.yaml."""
    return replaced(page, render(load_template(ROOT / "template.yaml", "eu-north-1")))


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


if __name__ == "__main__":
    PAGE.write_text(current(PAGE.read_text()))
