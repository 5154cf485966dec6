"""The tags of a held file: that it is held, why, for how long, and which hold it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from callseal.core.errors import HeldError

STATE_TAG, REASON_TAG, DAYS_TAG, HELD = "callseal-state", "callseal-reason", "callseal-held-days", "held"
# `<number> <hash of the key's version, or ->`, and ` released` once its release is in the audit; absent means `0 -`.
HOLD_TAG, HOLD, NO_KEY = "callseal-hold", re.compile(r"([0-9]{1,9}) ([0-9a-f]{16}|-)( released)?"), "-"
OUR_TAGS = (STATE_TAG, REASON_TAG, DAYS_TAG, HOLD_TAG)


@dataclass(frozen=True, slots=True)
class HoldTags:
    """What the tags of a held object say: its reason, and the age in days that was last complained of.

    `number` counts the holds before this one, each of another cause; `released` says that this one is over.
    """

    reason: str
    days: int
    number: int = 0
    key: str = NO_KEY
    released: bool = False

    def number_of(self, error: HeldError) -> int:
        """Return the number of a hold that comes now: this one's if it repeats it, else the next."""
        repeats = (self.reason, self.key) == (error.reason.value, _key_mark(error.key_version)) and not self.released
        return self.number if repeats else self.number + 1


def held_by(tags: Mapping[str, str]) -> HoldTags | None:
    """Return what an object's tags say of its hold, None if it is not held."""
    if tags.get(STATE_TAG) != HELD:
        return None
    return HoldTags(tags.get(REASON_TAG, ""), _whole(tags.get(DAYS_TAG, "")), *hold_of(tags))


def held_tags(tags: Mapping[str, str], error: HeldError, number: int) -> dict[str, str]:
    """Return the tags for a hold of that number over those that an object has."""
    new, (known, _, released) = {STATE_TAG: HELD, REASON_TAG: error.reason.value}, hold_of(tags)
    # A later hold, or the release of this one, may have come in between, and must not be forgotten.
    if (number, False) >= (known, released) and (number or error.key_version):
        new[HOLD_TAG] = f"{number} {_key_mark(error.key_version)}"
    return new


def hold_of(tags: Mapping[str, str]) -> tuple[int, str, bool]:
    """Return number, key and release of the hold tag; whoever lands files may have written anything there."""
    match = HOLD.fullmatch(tags.get(HOLD_TAG, ""))
    return (int(match[1]), match[2], bool(match[3])) if match else (0, NO_KEY, False)


def _key_mark(version: str | None) -> str:
    """Return what stands for a version of the secret in the tag; whoever makes one chooses its id's characters."""
    return sha256(version.encode()).hexdigest()[:16] if version else NO_KEY


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
