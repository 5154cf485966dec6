"""Metadata files that are made to exhaust, to confuse or to fetch: each is refused, with the words of its refusal.

`python -m tests.security.abuse.metadata_bombs` prints how long each takes.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from callseal.calls.metadata_bounds import MAX_BYTES
from callseal.calls.metadata_reader import UnreadableMetadataError, read_entries

MARK = "lol-4711-bomb"
FULL = MAX_BYTES - 64
NODES, DEEP, TEXT, LONG = "more than 2000", "deeper than 32", "more than 4096 bytes", "kB without a tag"
DOCTYPE, MALFORMED_XML, MALFORMED_JSON = "it has a DOCTYPE", "no well-formed XML", "no well-formed JSON"
TWICE, TEXTS, SIZE = "the same member twice", "more than 4000 names and texts", "more than 256 kB"


class Bomb(NamedTuple):
    """A file, the format that its name claims, and what its refusal says."""

    data: bytes
    file_format: str
    refusal: str


def _xml(text: str, refusal: str) -> Bomb:
    return Bomb(text.encode(), "xml", refusal)


def _json(text: str, refusal: str) -> Bomb:
    return Bomb(text.encode(), "json", refusal)


def _laughs(reference: str, levels: int = 11) -> str:
    entities = "".join(
        f'<!ENTITY {"% " * (reference == "%")}l{n} "{f"{reference}l{n - 1};" * 10}">' for n in range(1, levels)
    )
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "{MARK}">{entities}]><x>&l{levels - 1};</x>'


def _filled(before: str, piece: str, after: str = "") -> str:
    return before + piece * ((FULL - len(before) - len(after)) // len(piece)) + after


def _numbered(before: str, piece: str, after: str, count: int) -> str:
    return before + "".join(piece.replace("#", str(number)) for number in range(count)) + after


BOMBS = {
    "billion laughs": _xml(_laughs("&"), DOCTYPE),
    "billion laughs of parameter entities": _xml(_laughs("%"), DOCTYPE),
    "billion laughs in UTF-16": Bomb(_laughs("&").encode("utf-16"), "xml", DOCTYPE),
    "billion laughs behind a comment": _xml("<!-- c -->" + _laughs("&")[21:], DOCTYPE),
    "billion laughs behind 1,900 comments": _xml("<!---->" * 1900 + _laughs("&")[21:], DOCTYPE),
    "billion laughs behind 30,000 comments": _xml("<!---->" * 30_000 + _laughs("&")[21:], "more than 2000 comments"),
    "billion laughs in an attribute": _xml(_laughs("&").replace("<x>&l10;</x>", '<x y="&l10;"/>'), DOCTYPE),
    "quadratic entity": _xml(f'<!DOCTYPE x [<!ENTITY a "{MARK * 4000}">]><x>{"&a;" * 4000}</x>', DOCTYPE),
    "entity of itself": _xml('<!DOCTYPE x [<!ENTITY a "&a;">]><x>&a;</x>', DOCTYPE),
    "default attributes": _xml(f'<!DOCTYPE x [<!ATTLIST x y CDATA "{MARK * 2000}">]><x>{"<x/>" * 1000}</x>', DOCTYPE),
    "foreign entity of a file": _xml('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', DOCTYPE),
    "foreign entity of an address": _xml('<!DOCTYPE x [<!ENTITY a SYSTEM "http://192.0.2.1/">]><x>&a;</x>', DOCTYPE),
    "foreign DTD": _xml('<!DOCTYPE x SYSTEM "http://192.0.2.1/x.dtd"><x/>', DOCTYPE),
    "undefined entity": _xml("<x>&nothing;</x>", MALFORMED_XML),
    "deep elements": _xml(_filled("", "<x>"), DEEP),
    "deep elements, closed": _xml("<x>" * 30_000 + "</x>" * 30_000, DEEP),
    "many elements": _xml(_filled("<x>", "<y/>", "</x>"), NODES),
    "many siblings of other names": _xml(_numbered("<x>", "<y#/>", "</x>", 25_000), NODES),
    "many attributes of one element": _xml(_numbered("<x", " a#=''", "/>", 20_000), LONG),
    "many attributes within one tag's bound": _xml(_numbered("<x", " a#=''", "/>", 1_700) + "<y/>", MALFORMED_XML),
    "many namespaces": _xml(_numbered("<x", " xmlns:a#='u'", "/>", 14_000), LONG),
    "many elements with attributes": _xml(_filled("<x>", "<y a='' b='' c=''/>", "</x>"), NODES),
    "one attribute that fills the file": _xml(_filled("<x a='", "y", "'/>"), LONG),
    "one name that fills the file": _xml(_filled("<", "x", "/>"), LONG),
    "one text that fills the file": _xml(_filled("<x>", "y", "</x>"), LONG),
    "one text of line ends": _xml(_filled("<x>", "\r\n", "</x>"), LONG),
    "text in pieces": _xml(_filled("<x>", "<![CDATA[yyyyyyyy]]>", "</x>"), TEXT),
    "text of character references": _xml("<x>" + "&#120;" * 2700 + "</x>" + "<y/>", MALFORMED_XML),
    "one comment that fills the file, not closed": _xml(_filled("<x><!--", "< "), MALFORMED_XML),
    "one comment without a tag": _xml(_filled("<x><!--", "y", "--></x>"), LONG),
    "processing instructions without a root": _xml(_filled("", "<?a?>"), "more than 2000 comments"),
    "only tags' beginnings": _xml(_filled("", "<"), MALFORMED_XML),
    "CDATA that is not closed": _xml(_filled("<x><![CDATA[", "]]<"), TEXT),
    "an encoding that decompresses": _xml("<?xml version='1.0' encoding='zlib'?><x/>", "its encoding is none of"),
    "UTF-7": Bomb(b"<?xml version='1.0' encoding='UTF-7'?>+ADw-x/+AD4-", "xml", "its encoding is none of"),
    "UTF-32": Bomb("<x/>".encode("utf-32"), "xml", MALFORMED_XML),
    "quotation marks that end at the last byte": _json('{"a": "' + '\\"' * 130_000, MALFORMED_JSON),
    "zeros": Bomb(bytes(FULL), "xml", LONG),
    "zeros as JSON": Bomb(bytes(FULL), "json", MALFORMED_JSON),
    "more than may be read": Bomb(b"<x>" + b"<y/>" * MAX_BYTES, "xml", SIZE),
    "deep arrays": _json("[" * FULL, DEEP),
    "deep objects": _json('{"a":' * 50_000, DEEP),
    "deep arrays, closed": _json("[" * 100_000 + "]" * 100_000, DEEP),
    "closing brackets": _json("]" * FULL, MALFORMED_JSON),
    "pairs of brackets": _json("[" + "[]," * 80_000 + "[]]", NODES),
    "many members": _json(_numbered("{", '"a#":1,', '"a":1}', 20_000), NODES),
    "many items": _json("[" + "1," * 130_000 + "1]", NODES),
    "many empty texts": _json("[" + '""' * 130_000 + "]", TEXTS),
    "many quotation marks, escaped": _json('{"a": ' + '"\\"' * 80_000, TEXTS),
    "one text that fills JSON": _json('{"a": "' + "x" * FULL + '"}', TEXT),
    "one name that fills JSON": _json('{"' + "x" * FULL + '": 1}', TEXT),
    "one number that fills JSON": _json('{"a": ' + "9" * FULL + "}", TEXT),
    "one exponent that fills JSON": _json('{"a": 1e' + "9" * FULL + "}", TEXT),
    "one text of escapes": _json('{"a": "' + "\\u0041" * 40_000 + '"}', TEXT),
    "twins": _json('{"a": 1, "a": 2}', TWICE),
    "nested twins": _json('{"a": {"b": 1, "\\u0062": 2}}', TWICE),
    "NaN": _json('{"a": NaN}', "NaN or Infinity"),
    "half a character": _json('{"a": "\\ud83d"}', "not Unicode"),
    "spaces": _json(" " * FULL, MALFORMED_JSON),
    "JSON behind XML's name": _xml('{"a": 1}', MALFORMED_XML),
    "XML behind JSON's name": _json("<x/>", MALFORMED_JSON),
}  # fmt: skip


def milliseconds(bomb: Bomb, times: int = 9) -> float:
    """Return the shortest time of the processor that refusing a file took."""
    taken = []
    for _ in range(times):
        started = time.process_time()
        try:
            read_entries(bomb.data, bomb.file_format)
        except UnreadableMetadataError:
            taken.append((time.process_time() - started) * 1000)
    return min(taken)


if __name__ == "__main__":
    found = {name: milliseconds(bomb) for name, bomb in BOMBS.items()}
    for name, taken in sorted(found.items(), key=lambda item: -item[1]):
        print(f"{taken:7.2f} ms  {len(BOMBS[name].data):>9,} bytes  {BOMBS[name].file_format:<4}  {name}")
    print(f"{len(found)} bombs, the slowest {max(found.values()):.2f} ms")
