"""`callseal profile`: what the functions find in a metadata file. It needs no stack."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from callseal.calls.metadata_bounds import MAX_BYTES
from callseal.calls.metadata_reader import UnreadableMetadataError, read_entries
from callseal.calls.numbers import Numbering
from callseal.calls.profiles import FROM_DURATION, FROM_TIMES, GENERIC, Found, facts_of, look_up
from callseal.tenants.metadata_settings import FACT_MEMBERS
from callseal_cli import settings
from callseal_cli.errors import CannotError
from callseal_cli.options import AsJson, Exit
from callseal_cli.screen import Screen, Table

app = typer.Typer(help="The profiles by which metadata files are read.", no_args_is_help=True)
FORMATS = ("xml", "json")


@app.command("try")
def try_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A metadata file, .xml or .json.")],
    profile: Annotated[str, typer.Option("--profile", metavar="NAME", help="The setting metadata_profile.")] = GENERIC,
    paths: Annotated[
        Path | None, typer.Option("--paths", metavar="FILE", help="The setting metadata_paths, a JSON object.")
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", metavar="REGION", help="The setting default_region, e.g. NO.")
    ] = None,
    zone: Annotated[
        str, typer.Option("--zone", metavar="ZONE", help="The setting time_zone, e.g. Europe/Oslo.")
    ] = "UTC",
    as_json: AsJson = False,
) -> int:
    """Show which facts are found in a metadata file, from which path, and what the call's card would have.

    Exit code 1 if the file is unreadable.
    """
    tried = settings.checked(
        {"metadata_profile": profile, "metadata_paths": _paths(paths), "default_region": region, "time_zone": zone}
    )
    data, file_format = _read(file), _format(file)
    screen, started = Screen(as_json), time.perf_counter()
    try:
        entries = read_entries(data, file_format)
        found = look_up(entries, tried.metadata_profile, tried.metadata_paths, ZoneInfo(tried.time_zone))
    except UnreadableMetadataError as unreadable:
        document = {"profile": profile, "fields": dict.fromkeys(FACT_MEMBERS), "card": None}
        screen.show(document | {"read_ms": _since(started), "message": str(unreadable)}, str(unreadable))
        return Exit.NO
    read_ms, card = _since(started), asdict(facts_of(found, Numbering(tried.default_region)))
    fields = {name: _field(found[name]) for name in FACT_MEMBERS}
    rows = [_row(name, found[name], card | card["flags"]) for name in FACT_MEMBERS]
    screen.show(
        {"profile": profile, "fields": fields, "card": card, "read_ms": read_ms},
        Table(("fact", "state", "on the card", "path"), rows),
        f"Read by the profile {profile} in {read_ms} ms: {sum(map(bool, fields.values()))} of {len(fields)} facts.",
    )
    return Exit.DONE


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


def _field(found: Found | None) -> dict[str, Any] | None:
    """Return a fact that was found and converted, or None."""
    return {"path": found.path, "value": found.value} if found and found.value is not None else None


def _row(name: str, found: Found | None, card: Mapping[str, Any]) -> tuple[object, ...]:
    value = card[name]
    shown = f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value
    return name, _state(found), shown, found.path if found else None


def _state(found: Found | None) -> str:
    if found is None:
        return "missing"
    if found.value is None:
        return "not understood"
    return "derived" if found.path in (FROM_TIMES, FROM_DURATION) else "found"


def _read(file: Path) -> bytes:
    """Return the file, up to one byte more than is read of a metadata file."""
    if file.is_dir():
        raise CannotError(f"{file} is a folder. Name a metadata file.")
    with file.open("rb") as opened:
        return opened.read(MAX_BYTES + 1)


def _format(file: Path) -> str:
    """Return the format by the name, as the functions do. Raise CannotError if it is none of metadata."""
    name = file.suffix.lower().removeprefix(".")
    if name not in FORMATS:
        raise CannotError(f"{file.name} is no metadata file by its name: it must end in .xml or .json.")
    return name


def _paths(file: Path | None) -> Any:
    if file is None:
        return {}
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as exc:
        raise CannotError(f'{file} is not JSON. Write an object such as {{"caller": "//remoteAddress"}}.') from exc
