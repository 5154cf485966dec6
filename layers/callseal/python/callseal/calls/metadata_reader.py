"""Read a metadata file, XML or JSON, strictly and within bounds, into one flat list of (path, text).

The file comes from outside. A bound that is passed ends the reading, and no error repeats anything of the file.

XML is read by expat alone (https://docs.python.org/3/library/pyexpat.html). A DOCTYPE is refused before expat sees it,
so there are no entities but XML's own five. Namespaces and prefixes are removed. Comments and processing instructions
are skipped.
"""

from __future__ import annotations

import codecs
import re
from typing import Any
from xml.parsers import expat

from callseal.calls.metadata_bounds import (
    MAX_BYTES,
    MAX_NODES,
    MAX_TEXT_BYTES,
    Budget,
    Entry,
    Step,
    bounded,
    passed,
)
from callseal.calls.metadata_json import json_entries
from callseal.core.errors import UnreadableMetadataError

__all__ = ["Entry", "Step", "UnreadableMetadataError", "read_entries"]

# Between two `<` are one tag and the text after it. Expat reads a tag whole before it reports the first attribute, so
# this bounds the attributes that it collects.
MAX_TAG = 16 * 1024
# By the name in the declaration. All others are refused, and so is a byte that the encoding does not have.
ENCODINGS = {
    "utf-8": "utf-8",
    "utf-16": "utf-16",
    "iso-8859-1": "iso-8859-1",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "windows-1252": "cp1252",
}
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(r"""<\?xml\s[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
# What expat is fed at once: after a bound is passed, it scans the rest of this.
_PIECE = 64 * 1024
_SPACE = re.compile(r"[ \t\r\n]*")


def read_entries(data: bytes, file_format: str) -> list[Entry]:
    """Return the values of a metadata file, in the order of the file. `file_format` is `xml` or `json`.

    Empty values and JSON's null are absent. Numbers and booleans of JSON are texts, as they are written. Raise
    UnreadableMetadataError if the file is malformed, or passes a bound.
    """
    if len(data) > MAX_BYTES:
        raise passed(f"it has more than {MAX_BYTES // 1024} kB")
    text = _decoded(data)
    try:
        return _Xml().entries(text) if file_format == "xml" else list(json_entries(text))
    except (expat.ExpatError, ValueError, RecursionError):
        # Without a cause: the parsers' own sentences may repeat a part of the file.
        raise UnreadableMetadataError(f"The metadata file is no well-formed {file_format.upper()}.") from None


def _decoded(data: bytes) -> str:
    """Return the text of a file by its byte order mark, its declaration, or as UTF-8."""
    mark, encoding = next(((mark, name) for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), (b"", ""))
    if not encoding and data[:2] in (b"<\0", b"{\0", b"[\0", b"\0<", b"\0{", b"\0["):
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    try:
        text = data[len(mark) :].decode(encoding or "iso-8859-1")
        declared = _DECLARED.match(text)
        known = ENCODINGS.get(declared[1].lower()) if declared else "utf-8"
        if not known:
            raise passed(f"its encoding is none of {', '.join(sorted({*ENCODINGS}))}")
        return text if encoding else data.decode(known)
    except UnicodeDecodeError:
        raise passed("it has bytes that its encoding does not have") from None


class _Element:
    """An element that is open: the path to it, its pieces of text, and how often each child's name occurred."""

    __slots__ = ("children", "path", "pieces", "size")

    def __init__(self, path: tuple[Step, ...]) -> None:
        self.path = path
        self.pieces: list[str] = []
        self.size = 0
        self.children: dict[str, int] = {}


class _Xml:
    """Collects the values of one XML document."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._open = [_Element(())]
        self._budget = Budget()

    def entries(self, text: str) -> list[Entry]:
        """Return the values of a document, in the order in which its elements begin and end."""
        if text.startswith("<!DOCTYPE", _end_of_prolog(text)):
            self._refuse_doctype()
        _bound_tags(text)
        # This encoding overrides the declaration's.
        parser = expat.ParserCreate("utf-8")
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        data = text.encode()
        for start in range(0, len(data), _PIECE):
            parser.Parse(data[start : start + _PIECE], False)
        parser.Parse(b"", True)
        return self._entries

    def _refuse_doctype(self, *_: Any) -> None:
        raise passed("it has a DOCTYPE")

    def _start(self, name: str, attributes: list[str]) -> None:
        self._budget.spend(1 + len(attributes) // 2, len(self._open))
        parent, local = self._open[-1], _local(name)
        nth = parent.children.get(local, 0)
        parent.children[local] = nth + 1
        element = _Element((*parent.path, Step(local, nth)))
        self._open.append(element)
        for attribute, value in zip(attributes[::2], attributes[1::2], strict=True):
            if attribute.partition(":")[0] != "xmlns":
                self._add((*element.path, Step(f"@{_local(attribute)}")), value)

    def _text(self, piece: str) -> None:
        element = self._open[-1]
        element.size += len(piece)
        if element.size > MAX_TEXT_BYTES:
            raise passed(f"a text in it has more than {MAX_TEXT_BYTES} bytes")
        element.pieces.append(piece)

    def _end(self, _: str) -> None:
        element = self._open.pop()
        if element.pieces:
            self._add(element.path, "".join(element.pieces))

    def _add(self, path: tuple[Step, ...], text: str) -> None:
        if found := bounded(text):
            self._entries.append(Entry(path, found))


def _end_of_prolog(text: str) -> int:
    """Return where the DOCTYPE or the root element begins: after comments and processing instructions."""
    at = _SPACE.match(text).end()  # type: ignore[union-attr]  # it matches no space, too
    for _ in range(MAX_NODES):
        end = "?>" if text.startswith("<?", at) else "-->" if text.startswith("<!--", at) else ""
        found = text.find(end, at + 2) if end else -1
        if found < 0:
            return at
        at = _SPACE.match(text, found + len(end)).end()  # type: ignore[union-attr]
    raise passed(f"it has more than {MAX_NODES} comments and processing instructions before its first element")


def _bound_tags(text: str) -> None:
    """Raise UnreadableMetadataError if no `<` follows another within the bound. Each step is as long as it can be."""
    at = 0
    while at + MAX_TAG < len(text):
        at = text.rfind("<", at, at + MAX_TAG) + 1
        if not at:
            raise passed(f"it has more than {MAX_TAG // 1024} kB without a tag")


def _local(name: str) -> str:
    """Return a name without its prefix. Raise UnreadableMetadataError if it is too long."""
    return bounded(name.rpartition(":")[2])
