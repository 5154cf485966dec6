"""`callseal policy try`: what a policy decides about metadata files, without landing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from callseal.calls.classes import dispose_on, keep_until
from callseal.calls.decisions import Outcome
from callseal.calls.facts import Facts
from callseal.calls.metadata_bounds import MAX_BYTES
from callseal.calls.metadata_reader import read_entries
from callseal.calls.numbers import Numbering, country_of
from callseal.calls.policy import Policy, judge
from callseal.calls.profiles import Found, facts_of, find_fields
from callseal.core.errors import HeldError, Reason, UnreadableMetadataError
from callseal.core.landing import LandedFile
from callseal.delivery.routing import find_routes
from callseal.tenants.settings import RECORDING_FORMATS, TenantSettings
from callseal_cli.errors import CannotError

FORMATS = ("xml", "json")
COLUMNS = ("file", "rule", "held", "outputs", "class", "keep_until", "dispose_on")


@dataclass(frozen=True, slots=True)
class Trial:
    """A policy to try, the settings by which files are read and delivered, and the time for calls without an end."""

    policy: Policy
    settings: TenantSettings
    now: datetime

    def decide(self, file: Path) -> dict[str, Any]:
        """Return the row of a metadata file. It has only `file` and `message` that are not null if it is unreadable."""
        try:
            fields = self._fields(file)
        except UnreadableMetadataError as unreadable:
            return {**dict.fromkeys((*COLUMNS, "fields")), "file": str(file), "outputs": [], "message": str(unreadable)}
        numbering = Numbering(self.settings.default_region, self.settings.own_numbers)
        facts = facts_of(fields, numbering)
        return {
            "file": str(file),
            "fields": _shown(fields),
            **self._decided(facts, _recording_format(file, self.settings)),
        }

    def _fields(self, file: Path) -> dict[str, Found | None]:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
        entries = read_entries(data, _format(file))
        zone = ZoneInfo(self.settings.time_zone)
        return find_fields(entries, self.settings.metadata_profile, self.settings.metadata_paths, zone)

    def _decided(self, facts: Facts, recording_format: str) -> dict[str, Any]:
        outcome = judge(self.policy, facts, country_of)
        class_, ended = self.policy.classes[outcome.class_], facts.ended or facts.started or self.now
        outputs = [] if outcome.held else _outputs(self.settings, outcome, recording_format)
        return {
            "rule": outcome.rule,
            "held": outcome.held or (None if outputs else Reason.NOTHING_TO_DELIVER),
            "outputs": outputs,
            "class": outcome.class_,
            "keep_until": keep_until(class_, ended),
            "dispose_on": dispose_on(class_, ended),
        }


def metadata_files(path: Path) -> list[Path]:
    """Return a file, or the metadata files of a folder and of its folders. Raise CannotError if there is none."""
    files = sorted(each for each in path.rglob("*") if _format(each) in FORMATS) if path.is_dir() else [path]
    if not files:
        raise CannotError(f"{path} has no file that ends in .xml or .json.")
    if _format(files[0]) not in FORMATS:
        raise CannotError(f"{path.name} is no metadata file by its name: it must end in .xml or .json.")
    return files


def row(decided: dict[str, Any]) -> Sequence[object]:
    """Return what is decided about a file for a table."""
    if "message" in decided:
        return [decided["file"], decided["message"], *[None] * (len(COLUMNS) - 2)]
    outputs = [f"{each['destination']} {'sealed' if each['sealed'] else 'plain'}" for each in decided["outputs"]]
    return [outputs if name == "outputs" else decided[name] for name in COLUMNS]


def _outputs(settings: TenantSettings, outcome: Outcome, recording_format: str) -> list[dict[str, Any]]:
    try:
        routes = find_routes(settings, LandedFile("try", recording_format), outcome)
    except HeldError:
        return []
    return [asdict(route) for route in routes]


def _recording_format(file: Path, settings: TenantSettings) -> str:
    """Return the format of the recording beside a metadata file, or else one that the archive takes."""
    beside = (each for each in RECORDING_FORMATS if file.with_suffix(f".{each}").exists())
    return next(beside, settings.archive_formats[0] if settings.archive_formats else RECORDING_FORMATS[0])


def _shown(fields: dict[str, Found | None]) -> dict[str, Any]:
    return {name: {"path": found.path, "value": found.value} if found else None for name, found in fields.items()}


def _format(file: Path) -> str:
    return file.suffix.lower().removeprefix(".")
