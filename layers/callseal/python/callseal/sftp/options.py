"""Options of an authorized_keys line (sshd(8), AUTHORIZED_KEYS FILE FORMAT): honoured, or the line is refused.

An option that only forbids a feature which the SFTP front does not have (`no-pty`, `restrict`, ...) is honoured. An
option that requires an action at login which the front cannot do (`command=`, `environment=`, ...) refuses the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from callseal.tenants.login_sources import Sources

# In lower case, as sshd compares them. The front has no terminal, no forwarding and no rc file, so it grants none.
_ABSENT_FEATURES = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "no-")
    for name in ("agent-forwarding", "port-forwarding", "pty", "user-rc", "x11-forwarding")
) | {"restrict"}
_LIMITS_OF_ABSENT_FEATURES = frozenset({"permitopen", "permitlisten"})
_REFUSED = {
    "command": "no command is run here",
    "environment": "there is no environment to set here",
    "cert-authority": "certificates are not accepted here",
    "principals": "certificates are not accepted here",
    "tunnel": "there are no tunnels here",
    "no-touch-required": "security keys are not accepted here",
    "verify-required": "security keys are not accepted here",
}
_OPTION = re.compile(r'([A-Za-z0-9-]+)(?:="((?:[^"\\]|\\.)*)")?(?:,(?=.)|\Z)', re.DOTALL)
_TIMES = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


class OptionError(ValueError):
    """An option cannot be honoured. The message completes the sentence "line N: ..."."""


@dataclass(frozen=True, slots=True)
class Options:
    """The conditions for a login: its source addresses (None: any), and until when the key is valid (UTC)."""

    sources: Sources | None = None
    until: datetime | None = None


def parse_options(text: str) -> Options:
    """Return the options of a line. Raise OptionError if one cannot be honoured."""
    sources: Sources | None = None
    until: datetime | None = None
    for name, value in _split(text):
        if name == "from" and value is not None:
            if sources:
                raise OptionError("it has from= twice")
            sources = _sources(value)
        elif name == "expiry-time" and value is not None:
            moment = _moment(value)
            until = min(until, moment) if until else moment
        else:
            _check_harmless(name, value)
    return Options(sources, until)


def _split(text: str) -> Iterator[tuple[str, str | None]]:
    position = 0
    while position < len(text):
        match = _OPTION.match(text, position)
        if not match:
            raise OptionError('its options cannot be read (name or name="value", with commas and no spaces between)')
        yield match[1].lower(), None if match[2] is None else match[2].replace('\\"', '"')
        position = match.end()


def _check_harmless(name: str, value: str | None) -> None:
    if name in _REFUSED:
        raise OptionError(f"the option {name} cannot be honoured: {_REFUSED[name]}")
    known = _ABSENT_FEATURES if value is None else _LIMITS_OF_ABSENT_FEATURES
    if name not in known:
        raise OptionError(f"the option {name[:32]} is not known here, at least not in this form")


def _sources(value: str) -> Sources:
    try:
        return Sources.parse(value)
    except ValueError as exc:
        raise OptionError(f"its from= cannot be honoured: {exc}") from exc


def _moment(value: str) -> datetime:
    """Return the time of sshd's YYYYMMDD[HHMM[SS]][Z], always as UTC. Raise OptionError for any other text."""
    digits = value.removesuffix("Z")
    try:
        if not digits.isascii() or not digits.isdecimal():
            raise ValueError(value)
        return datetime.strptime(digits, _TIMES[len(digits)]).replace(tzinfo=UTC)
    except (KeyError, ValueError) as exc:
        raise OptionError("its expiry-time is not YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, in UTC") from exc
