"""Convert a text of a metadata file to a fact's value, or to None if that is not certain. No converter raises.

Each converter takes the text and the tenant's time zone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from callseal.calls.facts import CONSENTS, Consent, Direction

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Value = str | float | bool | datetime
Converter = Callable[[str, "ZoneInfo"], Value | None]

# The longest agent, queue or session id: a card's index has them in its keys.
MAX_TEXT = 256
MAX_SECONDS = 31 * 24 * 3600
# Platforms write 0001-01-01 or 1970-01-01 for no time.
_YEARS = range(1990, 2100)
_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[T ](?P<clock>\d\d:\d\d:\d\d)([.,](?P<fraction>\d{1,9}))?"
    r"( ?(?P<zone>Z|UTC|[+-]\d\d(:?\d\d)?))?",
    re.ASCII | re.IGNORECASE,
)
_BASIC_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(.*)", re.ASCII)
_EPOCH_SECONDS = re.compile(r"\d{9,10}(\.\d{1,9})?", re.ASCII)
_EPOCH_MILLISECONDS = re.compile(r"\d{12,13}", re.ASCII)
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)
_CLOCK = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d(?:\.\d{1,9})?)", re.ASCII)
_ISO_DURATION = re.compile(
    r"P(?=.)(?:(\d{1,3})D)?(?:T(?=.)(?:(\d{1,5})H)?(?:(\d{1,7})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?", re.ASCII
)
_TRUE = frozenset(("true", "1", "yes", "y", "on"))
_FALSE = frozenset(("false", "0", "no", "n", "off"))
_DIRECTIONS: dict[str, Direction] = {
    **dict.fromkeys(("incoming", "inbound", "in"), "incoming"),
    **dict.fromkeys(("outgoing", "outbound", "out", "external_outbound", "callback"), "outgoing"),
    **dict.fromkeys(("internal", "intercom"), "internal"),
}
_CONSENTS: dict[str, Consent] = {
    **{consent: consent for consent in CONSENTS},
    **dict.fromkeys((*_TRUE, "granted", "accepted"), "given"),
    **dict.fromkeys((*_FALSE, "refused", "declined"), "denied"),
    **dict.fromkeys(("not asked", "not-asked", "notasked"), "not_asked"),
}


def to_text(text: str, _: ZoneInfo) -> str | None:
    """Return a text that fits on a card."""
    return text if 0 < len(text) <= MAX_TEXT and text.isprintable() else None


def to_time(text: str, zone: ZoneInfo) -> datetime | None:
    """Return a time in UTC: from ISO 8601, from seconds or milliseconds since 1970, or from local time in the zone.

    A local time that the zone does not have, or has twice, is None: clocks were changed in that hour.
    """
    try:
        found = _epoch(text) or _iso_time(text, zone)
    except (ValueError, OverflowError):
        return None
    return found if found and found.year in _YEARS else None


def _epoch(text: str) -> datetime | None:
    if _EPOCH_SECONDS.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC)
    if _EPOCH_MILLISECONDS.fullmatch(text):
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(text))
    return None


def _iso_time(text: str, zone: ZoneInfo) -> datetime | None:
    found = _TIME.fullmatch(_BASIC_TIME.sub(r"\1-\2-\3T\4:\5:\6\7", text))
    if not found:
        return None
    # Python reads at most six digits of a second.
    time = datetime.fromisoformat(f"{found['date']}T{found['clock']}.{(found['fraction'] or '0')[:6].ljust(6, '0')}")
    offset = (found["zone"] or "").upper().replace("UTC", "Z")
    if offset:
        return datetime.fromisoformat(f"{time.isoformat()}{offset}").astimezone(UTC)
    first, second = (time.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return first.astimezone(UTC) if first.utcoffset() == second.utcoffset() else None


def to_seconds(text: str, _: ZoneInfo) -> float | None:
    """Return a duration in seconds: from a number of seconds, from h:mm:ss, or from ISO 8601."""
    return _plausible(float(text)) if _NUMBER.fullmatch(text) else _formed_duration(text)


def from_milliseconds(text: str, _: ZoneInfo) -> float | None:
    """Return a duration in seconds: from a number of milliseconds, from h:mm:ss, or from ISO 8601."""
    return _plausible(float(text) / 1000) if _NUMBER.fullmatch(text) else _formed_duration(text)


def _formed_duration(text: str) -> float | None:
    if found := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (float(part) for part in found.groups())
        return _plausible(hours * 3600 + minutes * 60 + seconds)
    if found := _ISO_DURATION.fullmatch(text.upper()):
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return _plausible(days * 86400 + hours * 3600 + minutes * 60 + seconds)
    return None


def _plausible(seconds: float) -> float | None:
    return seconds if seconds <= MAX_SECONDS else None


def to_flag(text: str, _: ZoneInfo) -> bool | None:
    """Return true or false."""
    return True if text.lower() in _TRUE else False if text.lower() in _FALSE else None


def to_direction(text: str, _: ZoneInfo) -> Direction | None:
    """Return the direction of a call, as seen from the tenant."""
    return _DIRECTIONS.get(text.lower())


def from_outbound_flag(text: str, zone: ZoneInfo) -> Direction | None:
    """Return the direction from a flag that says whether the call is outgoing."""
    flag = to_flag(text, zone)
    return None if flag is None else "outgoing" if flag else "incoming"


def to_consent(text: str, _: ZoneInfo) -> Consent | None:
    """Return whether the caller consents to the recording."""
    return _CONSENTS.get(text.lower())
