"""What a profile is: for each fact, the places in a metadata file where a platform writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from callseal.calls import converters as convert
from callseal.calls.converters import Converter
from callseal.calls.paths import Path, parse_path
from callseal.tenants.metadata_settings import FACT_MEMBERS, FLAG_MEMBERS

Origin = Literal["from documentation", "from samples"]

CONVERTERS: Mapping[str, Converter] = {
    **dict.fromkeys(FACT_MEMBERS, convert.to_text),
    **dict.fromkeys(FLAG_MEMBERS, convert.to_flag),
    "started": convert.to_time,
    "ended": convert.to_time,
    "seconds": convert.to_seconds,
    "direction": convert.to_direction,
    "consent": convert.to_consent,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fact is, and how its text is converted."""

    path: Path
    converter: Converter


@dataclass(frozen=True, slots=True)
class Profile:
    """The places of each fact, best first.

    With `outside_first` the platform names the party outside the tenant where others name the caller: for an outgoing
    call, caller and callee are exchanged.
    """

    origin: Origin
    places: Mapping[str, tuple[Place, ...]]
    outside_first: bool = False


def in_milliseconds(path: str) -> Place:
    """Return the place of a duration that is a number of milliseconds."""
    return Place(parse_path(path), convert.from_milliseconds)


def profile(origin: Origin, *, outside_first: bool = False, **facts: tuple[str | Place, ...]) -> Profile:
    """Return a profile from paths. A path as a text has the fact's own converter."""
    places = {
        fact: tuple(
            place if isinstance(place, Place) else Place(parse_path(place), CONVERTERS[fact]) for place in found
        )
        for fact, found in facts.items()
    }
    return Profile(origin, places, outside_first)
