"""Links between the pages have a target, and so do the paths of pages that the code names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.test_words import FENCE

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "decisions"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"\bdocs/[\w./-]+\.(?:md|svg)\b")
FOLDERS = ("benchmarks", "cli", "functions", "layers", "localcloud", "tests", "tools")
PARTS = ["Context", "Decision", "Consequences"]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """Return the links of a page to files or headings that do not exist."""
    found = []
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_has_a_target(page: Path) -> None:
    assert not broken(page)


def test_every_page_that_the_code_names_exists() -> None:
    files = [
        ROOT / "template.yaml",
        ROOT / "Makefile",
        *(path for each in FOLDERS for path in (ROOT / each).rglob("*.py")),
    ]
    missing = [
        f"{named(path)}: {each}"
        for path in files
        for each in PATH.findall(path.read_text())
        if not (ROOT / each).exists()
    ]
    assert not missing


def test_index_of_the_decisions_lists_each_once() -> None:
    records = [path.name for path in sorted(DECISIONS.glob("0*.md"))]
    assert [name[:4] for name in records] == [f"{number:04d}" for number in range(1, len(records) + 1)]
    index = re.findall(r"^\| \[\d{4}\]\(([^)]+)\)", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    assert index == records


@pytest.mark.parametrize("page", sorted(DECISIONS.glob("0*.md")), ids=lambda page: page.name[:4])
def test_decision_has_a_date_and_three_parts(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.name[:4]}: ")
    assert re.search(r"^Date: \d{4}-\d{2}-\d{2}", text, re.MULTILINE)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
