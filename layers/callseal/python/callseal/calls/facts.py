"""The facts of a call that its metadata names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Direction = Literal["incoming", "outgoing", "internal"]
Consent = Literal["given", "denied", "not_asked", "unknown"]
DIRECTIONS: tuple[Direction, ...] = ("incoming", "outgoing", "internal")
CONSENTS: tuple[Consent, ...] = ("given", "denied", "not_asked", "unknown")


@dataclass(frozen=True, slots=True)
class Flags:
    """What the metadata says about the recording of a call. A flag that it does not name is false."""

    restricted: bool = False
    sensitive: bool = False
    denied: bool = False
    consent: Consent = "unknown"
    informed: bool = False
    paused: bool = False
    agent_accepted: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one call; None is a fact that the metadata does not name.

    Times are aware. `caller` and `callee` are E.164 numbers, or `raw:<digits>` for what is no possible number, and None
    if the number was withheld.
    """

    session_id: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    seconds: float | None = None
    direction: Direction | None = None
    caller: str | None = None
    callee: str | None = None
    agent: str | None = None
    queue: str | None = None
    flags: Flags = field(default_factory=Flags)

    @property
    def outside_party(self) -> str | None:
        """The number outside the tenant: the callee of an outgoing call, otherwise the caller."""
        return self.callee if self.direction == "outgoing" else self.caller
