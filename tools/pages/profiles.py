"""The tables of the profiles in docs/metadata.md, from `calls/profiles`: where each platform's facts are."""

from __future__ import annotations

from collections.abc import Iterator

from callseal.calls.metadata_bounds import MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_TEXT_BYTES
from callseal.calls.metadata_reader import ENCODINGS, MAX_TAG
from callseal.calls.profiles.generic import NAMES
from callseal.calls.profiles.tables import TABLES

from .markers import code, replace_part, table


def page(before: str) -> str:
    """Return docs/metadata.md with the bounds of a file, the places of each profile, and the names of `generic`."""
    bounds = replace_part(before, "bounds", table(("bound", "value"), _bounds()))
    places = replace_part(bounds, "profiles", table(("profile", "made", "fact", "where, the best first"), _places()))
    names = ((f"`{fact}`", code(names)) for fact, names in NAMES.items())
    return replace_part(places, "generic", table(("fact", "names, the best first"), names))


def _bounds() -> Iterator[tuple[str, str]]:
    yield "size of the file", f"{MAX_BYTES // 1024} kB"
    yield "depth", f"{MAX_DEPTH} elements, or JSON objects and arrays, in each other"
    yield "elements and attributes, or JSON values", f"{MAX_NODES:,}"
    yield "a text, an attribute, a name", f"{MAX_TEXT_BYTES:,} bytes of UTF-8"
    yield "a tag with the text after it, a comment without `<`", f"{MAX_TAG // 1024} kB"
    yield "encodings of XML", ", ".join(sorted({*ENCODINGS})) + "; JSON is UTF-8 or UTF-16"


def _places() -> Iterator[tuple[str, ...]]:
    for name, profile in TABLES.items():
        for number, (fact, places) in enumerate(profile.places.items()):
            first = (f"`{name}`", profile.origin) if number == 0 else ("", "")
            yield *first, f"`{fact}`", code(place.path.text for place in places)
