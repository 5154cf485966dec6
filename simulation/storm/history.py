"""What settings and keys applied at which moment, and so which results are allowed: the contract's table once more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simulation.storm.plan import MISSPELT, Key, Landing, Settings

# How long a worker may use cached values (shortened, see workers.py), and the additional time for clocks and requests.
REMEMBERED_SECONDS = 3.0
SLACK_SECONDS = 0.5
# Replaces callseal.tenants.directory.CLOCK_SKEW in the storm: on one machine no clock is behind.
CLOCK_SKEW_SECONDS = 2
DEFAULTS = {"encrypt": True, "deliver_to_sftp": True, "deliver_to_archive": False, "only_encrypt_sftp": False,
            "encrypt_metadata": True, "archive_formats": ["mp3"]}  # fmt: skip
REASONS = {"none": "KeyMissing", "expired": "KeyExpired", "private": "KeyIsPrivate", "garbage": "KeyUnreadable",
           "weak": "KeyTooWeak"}  # fmt: skip
NO_KEY = Key("none")


def destinations(settings: Settings, landing: Landing) -> dict[str, bool]:
    """Return each destination of a file, and whether the file is sealed there."""
    asked, extension, is_metadata = {**DEFAULTS, **settings}, landing.extension, landing.is_metadata
    sealed = asked["encrypt"] and (asked["encrypt_metadata"] or not is_metadata)
    must_seal = landing.ruling is not None and landing.ruling.seals_archive
    ways = {}
    if asked["deliver_to_archive"] and (is_metadata or extension in asked["archive_formats"]):
        ways["archive"] = sealed and (must_seal or not asked["only_encrypt_sftp"])
    if asked["deliver_to_sftp"]:
        ways["sftp"] = sealed
    return ways


@dataclass
class _Put:
    began: float
    ended: float
    value: Any


class History:
    """The values of each tenant's secret and parameter over time."""

    def __init__(self) -> None:
        self._puts: dict[tuple[str, str], list[_Put]] = defaultdict(list)
        self.versions: dict[str, Key] = {}

    def note(self, tenant: str, value: Key | Settings, began: float, ended: float) -> None:
        """Record that an operator put a value between two moments."""
        self._puts[tenant, "key" if isinstance(value, Key) else "settings"].append(_Put(began, ended, value))

    def keys(self, tenant: str, since: float, until: float) -> list[Key]:
        """List the secret's values during a span."""
        return [one or NO_KEY for one in self._between(tenant, "key", since, until)]

    def settings(self, tenant: str, since: float, until: float) -> list[Settings | None]:
        """List the settings during a span, with None for missing settings."""
        return self._between(tenant, "settings", since, until)

    def all_keys(self) -> Iterator[tuple[str, Key]]:
        """List all good keys of all tenants."""
        for (tenant, what), puts in self._puts.items():
            if what == "key":
                yield from ((tenant, put.value) for put in puts if put.value.kind == "good")

    def _between(self, tenant: str, what: str, since: float, until: float) -> list[Any]:
        puts = [_Put(0.0, 0.0, None), *self._puts[tenant, what]]
        ends = [put.ended for put in puts[1:]] + [float("inf")]
        return [put.value for put, end in zip(puts, ends, strict=True) if put.began <= until and end >= since]


def span(landed: float, ended: float) -> tuple[float, float]:
    """Return the span in which a file's outcome was decided.

    It begins with the oldest value that a worker's cache could hold when the file landed.
    """
    return landed - REMEMBERED_SECONDS - SLACK_SECONDS, ended + SLACK_SECONDS


def reason(settings: Settings | None, key: Key, landing: Landing) -> str | None:
    """Return the reason for which a file is held, in the design's order, or None if it is delivered.

    A conflicting output can still hold it.
    """
    if not landing.extension:
        return "UnsupportedFile"
    if settings is None:
        return "SettingsMissing"
    if settings == MISSPELT:
        return "SettingsInvalid"
    if landing.ruling and landing.ruling.held:
        return landing.ruling.held
    ways = destinations(settings, landing)
    if not ways:
        return "NothingToDeliver"
    return REASONS.get(key.kind) if any(ways.values()) else None


def routes_asked(many: list[Settings | None], landing: Landing) -> list[dict[str, bool]]:
    """List the routes that any of these settings asks for."""
    usable = [one for one in many if one is not None and one != MISSPELT]
    return [ways for one in usable if (ways := destinations(one, landing))]
