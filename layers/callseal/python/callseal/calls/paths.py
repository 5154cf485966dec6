"""The path language of the setting `metadata_paths` and of the profiles: where a fact is in a metadata file.

    /a/b         the text of the element, or of the JSON member, b in the root's a
    /a/@b        the attribute b
    //c          any c, at any depth; //c/d is any d in a c
    /a[0]/b      the first a: elements of one name in their parent, or items of a JSON array, count from 0
    /a[k=v]/b    the a whose child or member k has the text v
    /a[@k=v]/b   the a whose attribute k has the text v

A step without a condition is any of its name, and the first value in the file is taken. Names have no prefix. The items
of a JSON array have the array's name (`/mediaFiles[0]/duration`), and those of an array that has no name are `item`.
The same path reads XML and JSON.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from callseal.calls.metadata_bounds import Entry, Step
from callseal.tenants.metadata_settings import MAX_PATH, PATH, STEP

_STEP = re.compile(STEP)
_PATH = re.compile(PATH)


@dataclass(frozen=True, slots=True)
class PathStep:
    """A step of a path: a name, and at most one condition, an index or a child's name with its text."""

    name: str
    index: int | None = None
    child: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """A path as its text and its steps: from the root or, with `anywhere`, from any depth."""

    text: str
    steps: tuple[PathStep, ...]
    anywhere: bool


@lru_cache(maxsize=512)
def parse_path(text: str) -> Path:
    """Return a path. Raise ValueError if the text is none."""
    if len(text) > MAX_PATH or not _PATH.fullmatch(text):
        raise ValueError(
            f"This is no path of at most {MAX_PATH} characters. Write /a/b, /a/@b or //c; a step may have one "
            "condition, as in a[0], a[k=v] or a[@k=v]."
        )
    return Path(text, tuple(_parse_step(step[0]) for step in _STEP.finditer(text)), text.startswith("//"))


def _parse_step(text: str) -> PathStep:
    name, _, condition = text.removesuffix("]").partition("[")
    if not condition or condition.isdecimal():
        return PathStep(name, int(condition) if condition else None)
    key, _, value = condition.partition("=")
    return PathStep(name, None, (key, value))


def written(path: Iterable[Step]) -> str:
    """Return the steps to a value as a path. An index is written if it is not 0."""
    return "".join(f"/{step.name}[{step.nth}]" if step.nth else f"/{step.name}" for step in path)


class Document:
    """The values of a metadata file, to be found by paths."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Take the values in the order of the file."""
        self.entries = tuple(entries)
        self._by_name: defaultdict[str, list[Entry]] = defaultdict(list)
        self._children: defaultdict[tuple[Step, ...], set[tuple[str, str]]] = defaultdict(set)
        for entry in self.entries:
            self._by_name[entry.path[-1].name].append(entry)
            self._children[entry.path[:-1]].add((entry.path[-1].name, entry.text))

    def find_all(self, path: Path) -> Iterator[Entry]:
        """Yield the values at a path, in the order of the file."""
        return (entry for entry in self._by_name.get(path.steps[-1].name, ()) if self._is_at(path, entry.path))

    def find(self, path: Path) -> Entry | None:
        """Return the first value at a path, or None."""
        return next(self.find_all(path), None)

    def siblings(self, entry: Entry) -> frozenset[tuple[str, str]]:
        """Return name and text of the values that have the same parent, and of the value itself."""
        return frozenset(self._children[entry.path[:-1]])

    def children(self, entry: Entry) -> frozenset[tuple[str, str]]:
        """Return name and text of the values inside an element that has a text, and of its attributes."""
        return frozenset(self._children.get(entry.path, ()))

    def _is_at(self, path: Path, steps: tuple[Step, ...]) -> bool:
        above = len(steps) - len(path.steps)
        if above < 0 or (above and not path.anywhere):
            return False
        return all(self._fits(wanted, steps[: above + n + 1]) for n, wanted in enumerate(path.steps))

    def _fits(self, wanted: PathStep, steps: tuple[Step, ...]) -> bool:
        if steps[-1].name != wanted.name or wanted.index not in (None, steps[-1].nth):
            return False
        return wanted.child is None or wanted.child in self._children.get(steps, ())
