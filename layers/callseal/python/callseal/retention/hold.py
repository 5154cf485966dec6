"""A legal hold: a case that keeps the calls of its scope from disposal, erasure and change, until two people end it.

    placing -> held -> release_asked -> releasing -> released

Calls of the scope are put under the hold in each state up to `release_asked`. Each state but `released` stops disposal
and erasure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from callseal.calls.card import Card
from callseal.calls.conditions import Hashed
from callseal.calls.numbers import holds_number
from callseal.core.audit import timestamp
from callseal.core.errors import CallsealError
from callseal.retention.scope import Scope, matches

State = Literal["placing", "held", "release_asked", "releasing", "released"]
PLACING, HELD, RELEASE_ASKED, RELEASING, RELEASED = "placing", "held", "release_asked", "releasing", "released"
# No `#`, which separates the parts of an item's id, and no character that a URL's path encodes but the space.
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9 ._-]{0,62}[A-Za-z0-9])?", re.ASCII)
MAX_REASON = 1000


class HoldInvalidError(CallsealError):
    """A hold cannot be made of what was given, or not for this tenant."""


class Refusal(StrEnum):
    """Why a step of a hold is refused."""

    NAME_TAKEN = "NameTaken"
    NO_SUCH_HOLD = "NoSuchHold"
    NOT_HELD = "NotHeld"
    RELEASE_NOT_ASKED = "ReleaseNotAsked"
    SECOND_PERSON_NEEDED = "SecondPersonNeeded"


class HoldRefusedError(CallsealError):
    """A step of a hold is refused: `code` for programs, the sentence for people."""

    def __init__(self, code: Refusal, sentence: str) -> None:
        """Take the code and the sentence."""
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold. Times are RFC 3339 in UTC; people are as the command or the API names them.

    `placed_at` is when it was asked for, and `scope.placed_at` when all its calls were under it.
    """

    tenant: str
    name: str
    reason: str
    scope: Scope
    state: State
    placed_by: str
    placed_at: str
    asked_by: str | None = None
    asked_at: str | None = None
    approved_by: str | None = None
    approved_at: str | None = None
    released_at: str | None = None

    @property
    def is_taking(self) -> bool:
        """Whether calls of the scope are put under the hold."""
        return self.state in (PLACING, HELD, RELEASE_ASKED)

    def held(self, now: datetime) -> Hold:
        """Return the hold after all calls of its scope were put under it."""
        scope = replace(self.scope, placed_at=timestamp(now))
        return replace(self, state="held", scope=scope)

    def release_asked(self, person: str, now: datetime) -> Hold:
        """Return the hold after a person asked for its release. Raise HoldRefusedError."""
        if self.state != HELD:
            raise HoldRefusedError(
                Refusal.NOT_HELD, f"The hold {self.name} is {self._shown}. Only one that is held can be released."
            )
        return replace(self, state="release_asked", asked_by=person, asked_at=timestamp(now))

    def approved(self, person: str, now: datetime) -> Hold:
        """Return the hold after a second person approved its release. Raise HoldRefusedError."""
        if self.state != RELEASE_ASKED or self.asked_by is None:
            raise HoldRefusedError(
                Refusal.RELEASE_NOT_ASKED,
                f"The hold {self.name} is {self._shown}, and no release is asked for. Another person must ask first.",
            )
        if is_same_person(person, self.asked_by):
            raise HoldRefusedError(
                Refusal.SECOND_PERSON_NEEDED,
                f"{self.asked_by} asked for the release of the hold {self.name}. Another person must approve it.",
            )
        return replace(self, state="releasing", approved_by=person, approved_at=timestamp(now))

    def released(self, now: datetime, hashed: Callable[[str], str]) -> Hold:
        """Return the hold after no call is under it any more. `hashed` returns the keyed hash of a number, or ""."""
        number = self.scope.number
        scope = replace(self.scope, party=hashed(number) or None) if number else self.scope
        return replace(self, state="released", released_at=timestamp(now), scope=scope)

    def public(self, calls: int, gone: Sequence[str]) -> dict[str, Any]:
        """Return the members that the command and the API show.

        `calls` is how many calls are under the hold, and `gone` are the ids of calls that were gone before they were.
        """
        return {
            "name": self.name,
            "reason": self.reason,
            "state": self.state,
            "scope": self.scope.public(),
            "calls": calls,
            "gone": [*gone],
            "placed_by": self.placed_by,
            "placed_at": self.placed_at,
            "held_at": self.scope.placed_at,
            "asked_by": self.asked_by,
            "asked_at": self.asked_at,
            "approved_by": self.approved_by,
            "approved_at": self.approved_at,
            "released_at": self.released_at,
        }

    @property
    def _shown(self) -> str:
        return self.state.replace("_", " ")


def new_hold(tenant: str, name: str, reason: str, scope: Scope, person: str, now: datetime) -> Hold:
    """Return a hold that is to be placed. Raise HoldInvalidError."""
    if not NAME.fullmatch(name):
        raise HoldInvalidError(
            f"{name!r} is no name of a hold: 1 to 64 characters of A-Z, a-z, 0-9, space, '.', '_' and '-', the first "
            "and the last a letter or a digit."
        )
    if not reason.strip() or len(reason) > MAX_REASON or not reason.isprintable():
        raise HoldInvalidError(f"A hold needs a reason: 1 to {MAX_REASON} characters on one line.")
    if holds_number(reason, None):
        raise HoldInvalidError("The reason holds a telephone number, and it is kept for years. Leave the number out.")
    return Hold(tenant, name, reason, scope, "placing", person, timestamp(now))


def holds_over(holds: Iterable[Hold], card: Card, hashed: Hashed | None = None) -> list[str]:
    """Return the names of the holds that stop disposal and erasure of a call. `holds` are those of `HoldTable.active`.

    Read them after the card. `hashed` is as in `scope.matches`.
    """
    in_scope = {hold.name for hold in holds if matches(hold.scope, card, hashed)}
    return sorted({*card.holds} | in_scope)


def is_same_person(one: str, other: str) -> bool:
    """Return whether two names may be of one person.

    A person may have several roles of AWS. The last part of each session's ARN is then the same, and with a directory
    it is the person's e-mail.
    """
    return _own_name(one) == _own_name(other)


def _own_name(person: str) -> str:
    return person.strip().rpartition("/")[2].casefold()
