"""The tags of a held file: its state, the reason, the reported age, and the number of the hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from callseal.core.errors import HeldError

STATE_TAG, REASON_TAG, DAYS_TAG, HELD = "callseal-state", "callseal-reason", "callseal-held-days", "held"
# `<number> <hash of the key's version, or ->`, then ` released` once the release is in the audit. Default: `0 -`.
HOLD_TAG, HOLD, NO_KEY = "callseal-hold", re.compile(r"([0-9]{1,9}) ([0-9a-f]{16}|-)( released)?"), "-"
OUR_TAGS = (STATE_TAG, REASON_TAG, DAYS_TAG, HOLD_TAG)


@dataclass(frozen=True, slots=True)
class HoldTags:
    """A hold as an object's tags record it: its reason, and the age in days that the audit last reported.

    `number` counts the earlier holds, each with another cause. `released` says that this hold is over. `key` is a hash
    of the version of the secret that caused the hold, or `-`.
    """

    reason: str
    days: int
    number: int = 0
    key: str = NO_KEY
    released: bool = False

    def number_of(self, error: HeldError) -> int:
        """Return the number of a new hold: this one's number if it has the same cause, else the next."""
        repeats = (self.reason, self.key) == (error.reason.value, _key_mark(error.key_version)) and not self.released
        return self.number if repeats else self.number + 1


def held_by(tags: Mapping[str, str]) -> HoldTags | None:
    """Return the hold that an object's tags record, None if the object is not held."""
    if tags.get(STATE_TAG) != HELD:
        return None
    return HoldTags(tags.get(REASON_TAG, ""), _whole(tags.get(DAYS_TAG, "")), *hold_of(tags))


def held_tags(tags: Mapping[str, str], error: HeldError, number: int) -> dict[str, str]:
    """Return the tags that record a hold with that number, given the object's present tags.

    Return none if another worker has recorded a later hold, or the release of this one. With an older reason, the next
    hold for the later reason would count as another one.
    """
    last, _, released = hold_of(tags)
    if tags.get(STATE_TAG) == HELD and (number, False) < (last, released):
        return {}
    new = {STATE_TAG: HELD, REASON_TAG: error.reason.value}
    # Without the state, the number is the platform's own text.
    if (number, False) >= (last, released) and (number or error.key_version):
        new[HOLD_TAG] = f"{number} {_key_mark(error.key_version)}"
    return new


def hold_of(tags: Mapping[str, str]) -> tuple[int, str, bool]:
    """Return number, key and release from the hold tag. A platform can write any value there, so it is checked."""
    match = HOLD.fullmatch(tags.get(HOLD_TAG, ""))
    return (int(match[1]), match[2], bool(match[3])) if match else (0, NO_KEY, False)


def _key_mark(version: str | None) -> str:
    """Return a short hash of a secret's version for the tag. Ids can have characters that a tag does not accept."""
    return sha256(version.encode()).hexdigest()[:16] if version else NO_KEY


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
