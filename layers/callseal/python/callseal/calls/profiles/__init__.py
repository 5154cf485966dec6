"""Find the facts of a call in its metadata file, by the profile of a platform and the tenant's own paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from callseal.calls.converters import MAX_SECONDS, Converter, Value
from callseal.calls.facts import Facts, Flags
from callseal.calls.metadata_bounds import Entry
from callseal.calls.numbers import Numbering
from callseal.calls.paths import Document, Path, parse_path, written
from callseal.calls.profiles.generic import FORMS, guesses, plain
from callseal.calls.profiles.profile import CONVERTERS
from callseal.calls.profiles.tables import TABLES
from callseal.tenants.metadata_settings import FACT_MEMBERS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

GENERIC = "generic"
# By how many seconds a duration may be longer than from start to end: platforms round, and count ringing.
TOLERANCE = 60
FROM_TIMES, FROM_DURATION = "ended - started", "started + seconds"


@dataclass(frozen=True, slots=True)
class Found:
    """A fact: the path to it in the file, or how it was derived, and its value.

    `path` has names of the file, so it is not for logs. `value` is None if the text cannot be converted.
    """

    path: str
    value: Value | None


def find_fields(
    entries: Iterable[Entry], profile: str | None, overrides: Mapping[str, str], zone: ZoneInfo
) -> dict[str, Found | None]:
    """Return each fact, or None if it is missing: not in the file, or not convertible.

    `profile` is a name of the setting `metadata_profile`, `overrides` the setting `metadata_paths`, and `zone` that of
    times without offset. Raise ValueError if an override is no path.
    """
    looked_up = look_up(entries, profile, overrides, zone)
    return {fact: found if found and found.value is not None else None for fact, found in looked_up.items()}


def look_up(
    entries: Iterable[Entry], profile: str | None, overrides: Mapping[str, str], zone: ZoneInfo
) -> dict[str, Found | None]:
    """Return each fact as find_fields does, but what is in the file and not convertible with the value None."""
    document = Document(entries)
    candidates = _candidates(document, profile) | {
        fact: _at(document, [(path := parse_path(text), _form(path) or CONVERTERS[fact])])
        for fact, text in overrides.items()
    }
    found = {fact: _first(candidates.get(fact, ()), zone) for fact in FACT_MEMBERS}
    if profile and profile != GENERIC and TABLES[profile].outside_first and not {"caller", "callee"} & {*overrides}:
        _order_parties(found)
    _derive(found)
    return found


def facts_of(found: Mapping[str, Found | None], numbering: Numbering) -> Facts:
    """Return the facts of found fields, with the parties' numbers normalised. A missing flag is at its default."""
    values: dict[str, Any] = {fact: field.value for fact, field in found.items() if field and field.value is not None}
    for party in ("caller", "callee"):
        if party in values:
            values[party] = numbering.normalise(values[party])
    flags = {flag.name: values.pop(flag.name) for flag in fields(Flags) if flag.name in values}
    return Facts(**values, flags=Flags(**flags))


Candidate = tuple[Entry, Converter]


def _candidates(document: Document, profile: str | None) -> dict[str, Iterable[Candidate]]:
    """Return for each fact the values where the profile looks, best first."""
    if profile == GENERIC:
        return {
            fact: [(entry, form or CONVERTERS[fact]) for entry, form in guessed]
            for fact, guessed in guesses(document).items()
        }
    if profile is None:
        return {}
    return {
        fact: _at(document, [(place.path, place.converter) for place in places])
        for fact, places in TABLES[profile].places.items()
    }


def _at(document: Document, places: Iterable[tuple[Path, Converter]]) -> list[Candidate]:
    looked = ((document.find(path), converter) for path, converter in places)
    return [(entry, converter) for entry, converter in looked if entry]


def _form(path: Path) -> Converter | None:
    """Return the converter of a value whose name says its form, such as `durationMs`."""
    last = path.steps[-1]
    names = chain([last.name], *(step.child or () for step in path.steps[-2:]))
    return next((FORMS[name] for name in map(plain, names) if name in FORMS), None)


def _first(candidates: Iterable[Candidate], zone: ZoneInfo) -> Found | None:
    """Return the first value that can be converted, or else the first."""
    found = [Found(written(entry.path), converter(entry.text, zone)) for entry, converter in candidates]
    return next((each for each in found if each.value is not None), found[0] if found else None)


def _order_parties(found: dict[str, Found | None]) -> None:
    """Exchange caller and callee of an outgoing call, if the platform names the outside party first."""
    direction = found["direction"]
    if direction and direction.value == "outgoing":
        found["caller"], found["callee"] = found["callee"], found["caller"]


def _derive(found: dict[str, Found | None]) -> None:
    """Add the duration or the end, if the other two of start, end and duration are known.

    A duration that is longer than from start to end has another unit than its name says, and is replaced.
    """
    started, ended, seconds = (
        each.value if (each := found[fact]) else None for fact in ("started", "ended", "seconds")
    )
    if not isinstance(started, datetime):
        return
    if isinstance(ended, datetime):
        between = (ended - started).total_seconds()
        contradicts = isinstance(seconds, float) and seconds > between + TOLERANCE
        if 0 <= between <= MAX_SECONDS and (seconds is None or contradicts):
            found["seconds"] = Found(FROM_TIMES, between)
    elif isinstance(seconds, float):
        found["ended"] = Found(FROM_DURATION, started + timedelta(seconds=seconds))
