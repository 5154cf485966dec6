"""Words that make prose hard to read stay out of the documentation, docstrings and comments.

`python -m tests.docs.test_words` prints how often the worst of them occur for 1,000 words.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "callseal" / "python" / "callseal"
WORDS = {
    "tell/told": r"tell|tells|told|telling",
    "owed": r"owed",
    "whoever": r"whoever",
    "nobody": r"nobody",
    "somebody": r"somebody",
    "lest": r"lest",
    "mend": r"mend|mends|mended|mending",
    "what of": r"what of",
    "taken on": r"taken on",
}
# Python outside the package that is measured, too.
FOLDERS = ("cli", "localcloud", "tools", "benchmarks", "simulation", "tests")
# Those of them whose docstrings and comments have none of the words.
CHECKED = ("simulation", "tests")
# Files that are not rewritten yet.
EXEMPT: set[str] = set()
# Words that are counted, but not limited.
OTHERS = {"return": r"return|returns|returned"}
# The listed words together, for 1,000 words of the package's docstrings and comments.
MOST_IN_THE_PACKAGE = 0.0
FENCE = re.compile(r"^[ ]*```.*?^[ ]*```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
TARGET = re.compile(r"\]\([^)\s]*\)")
TOKEN = re.compile(r"[A-Za-z][A-Za-z'-]*")


def pages(root: Path) -> dict[str, str]:
    """Return the prose of each page, by its path, without code blocks, quoted commands and links."""
    files = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return {str(path.relative_to(root)): prose_of_markdown(path.read_text()) for path in files}


def modules(package: Path, *, comments: bool = True) -> dict[str, str]:
    """Return the docstrings, and the comments, of each module of a package, by its path."""
    return {
        str(path.relative_to(package)): prose_of_python(path.read_text(), comments=comments)
        for path in sorted(package.rglob("*.py"))
    }


def prose_of_markdown(text: str) -> str:
    """Remove everything from a page that is not prose."""
    for pattern in (FENCE, COMMENT, CODE, TARGET):
        text = pattern.sub(" ", text)
    return text


def prose_of_python(source: str, *, comments: bool = True) -> str:
    """Return the docstrings, and the comments, of a module, without the code in backquotes."""
    parts = (*_docstrings(source), *(_comments(source) if comments else ()))
    return CODE.sub(" ", "\n".join(parts))


def _docstrings(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def _comments(source: str) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith(("# type:", "# noqa", "# fmt:")):
            yield token.string.removeprefix("#")


def count(text: str, pattern: str) -> int:
    """Count whole words, in any case."""
    return len(re.findall(rf"\b(?:{pattern})\b", text, re.IGNORECASE))


def listed_words(text: str) -> list[str]:
    """Return which of the listed words a text has."""
    return [name for name, pattern in WORDS.items() if count(text, pattern)]


def per_thousand(texts: Mapping[str, str]) -> dict[str, float]:
    """Return occurrences for 1,000 words: the listed words, `return`, and semicolons."""
    text = "\n".join(texts.values())
    words = len(TOKEN.findall(text)) / 1000
    rates = {name: count(text, pattern) / words for name, pattern in {**WORDS, **OTHERS}.items()}
    return {**rates, "semicolons": text.count(";") / words}


def table(before: Mapping[str, Mapping[str, float]], after: Mapping[str, Mapping[str, float]]) -> str:
    """Return a table of rates in each part (a column of two figures) before and after a change."""
    head = ["for 1,000 words", *after]
    rows = [
        [name, *(f"{before[part][name]:.1f}/{rates[name]:.1f}" for part, rates in after.items())]
        for name in next(iter(after.values()))
    ]
    return "\n".join("  ".join(f"{cell:<16}" for cell in row).rstrip() for row in (head, *rows))


def rates(root: Path) -> dict[str, dict[str, float]]:
    """Return the rates of a checkout: in the package's docstrings and comments, in the pages, and in other folders."""
    package = root / "layers" / "callseal" / "python" / "callseal"
    return {
        "docstrings": per_thousand(modules(package, comments=False)),
        "package": per_thousand(modules(package)),
        "docs": per_thousand(pages(root)),
        **{folder: per_thousand(modules(root / folder)) for folder in FOLDERS},
    }


PAGES = pages(ROOT)


@pytest.mark.parametrize("page", PAGES)
def test_page_has_none_of_the_words(page: str) -> None:
    found = listed_words(PAGES[page])
    assert not found, f"{page} has {', '.join(found)}: say it in plain technical English (docs/contributing.md)."


def test_package_has_few_of_the_words() -> None:
    found = per_thousand(modules(PACKAGE))
    assert sum(found[name] for name in WORDS) <= MOST_IN_THE_PACKAGE, found


@pytest.mark.parametrize("folder", CHECKED)
def test_folder_has_none_of_the_words(folder: str) -> None:
    texts = {f"{folder}/{path}": text for path, text in modules(ROOT / folder).items()}
    found = {path: words for path, text in texts.items() if path not in EXEMPT and (words := listed_words(text))}
    assert not found, f"{found}: say it in plain technical English (docs/contributing.md)."


@pytest.mark.parametrize("word", ["told", "Whoever", "what of", "mended"])
def test_words_are_counted_in_prose_and_not_in_code(word: str) -> None:
    page = f"A file is {word} of.\n\n```sh\n{word}\n```\n\n`{word}` and [x](docs/{word.split()[0]}.md)"
    assert sum(count(prose_of_markdown(page), pattern) for pattern in WORDS.values()) == 1
    source = f'"""Do it, {word}.\n\n`{word}`"""\n\nvalue = "{word}"  # {word}\n'
    assert sum(count(prose_of_python(source), pattern) for pattern in WORDS.values()) == 2


if __name__ == "__main__":
    # A second checkout, if one is given, is the state before.
    before = rates(Path(sys.argv[1])) if len(sys.argv) > 1 else rates(ROOT)
    print(table(before, rates(ROOT)))
