"""Parts of a page that are generated, between two comments of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def replace_part(page: str, name: str, content: str) -> str:
    """Return the page with `content` between the markers of this name. Raise ValueError unless both are there once."""
    part = re.compile(rf"(<!-- Begin: {name}\b[^\n]*-->\n).*?(<!-- End: {name} -->\n)", re.DOTALL)
    if len(part.findall(page)) != 1:
        raise ValueError(f"The page must have one line `<!-- Begin: {name}, ... -->` and one `<!-- End: {name} -->`.")
    return part.sub(lambda found: f"{found[1]}{content}{found[2]}", page)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of Markdown."""
    lines = "".join(f"| {' | '.join(cells)} |\n".replace("|  |", "| |") for cells in (head, *rows))
    first, _, rest = lines.partition("\n")
    return f"{first}\n|{'---|' * len(head)}\n{rest}"


def code(names: Iterable[str]) -> str:
    """Return names as code, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)
