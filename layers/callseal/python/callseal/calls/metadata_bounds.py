"""The values of a metadata file, and the bounds within which one is read.

The file comes from outside. A bound that is passed ends the reading, and no error repeats anything of the file.
"""

from __future__ import annotations

from typing import NamedTuple

from callseal.core.errors import UnreadableMetadataError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_NODES = 2_000
MAX_TEXT_BYTES = 4_096


class Step(NamedTuple):
    """A step to a value: an element, an attribute (`@name`) or a JSON member.

    `nth` counts from 0 the elements of this name in their parent, or the items of a JSON array.
    """

    name: str
    nth: int = 0


class Entry(NamedTuple):
    """A value of a metadata file: the steps to it from the root, and its text without surrounding space."""

    path: tuple[Step, ...]
    text: str


def passed(bound: str) -> UnreadableMetadataError:
    """Return the error of a file that passes a bound; `bound` completes its sentence."""
    return UnreadableMetadataError(f"The metadata file cannot be read: {bound}.")


def bounded(text: str) -> str:
    """Return a text without surrounding space. Raise UnreadableMetadataError if it is too long or not Unicode."""
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise passed("it has a character that is not Unicode") from None
    if size > MAX_TEXT_BYTES:
        raise passed(f"a text in it has more than {MAX_TEXT_BYTES} bytes")
    return text.strip()


class Budget:
    """The nodes that may still be read."""

    def __init__(self) -> None:
        self._left = MAX_NODES

    def spend(self, nodes: int, depth: int) -> None:
        """Count nodes at a depth. Raise UnreadableMetadataError if a bound is passed."""
        self._left -= nodes
        if self._left < 0:
            raise passed(f"it has more than {MAX_NODES} elements, attributes and values")
        if depth > MAX_DEPTH:
            raise passed(f"it is nested deeper than {MAX_DEPTH}")
