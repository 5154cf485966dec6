"""Whether a call may be deleted now, by its card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from callseal.calls.call_file import CallFile, Delivery
from callseal.calls.card import Card
from callseal.core.audit import timestamp

ARCHIVE, SFTP = "archive", "sftp"
# `due` is deleted. `later` has another date than the index said, `locked` is under a lock that the card knows, and
# `erasing` waits for its erasure, which has its own proof.
Verdict = Literal["due", "later", "held", "erasing", "kept", "locked"]
Covers = Callable[[Card], bool]


def _never(_: Card) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Rules:
    """What stops a disposal: `covers` for a hold that is in force, `keeps` for a policy that keeps the call longer."""

    covers: Covers = _never
    keeps: Covers = _never


def verdict(card: Card, rules: Rules, now: datetime) -> Verdict:
    """Return whether a call is due, or why it is not deleted now."""
    moment = timestamp(now)
    if card.dispose_on is None or card.dispose_on > moment:
        return "later"
    if card.holds or rules.covers(card):
        return "held"
    if card.erasure_pending:
        return "erasing"
    if ((card.outcome or {}).get("keep_until") or "") > moment or rules.keeps(card):
        return "kept"
    # Another service's copy of the time may have no milliseconds, so it is compared as a moment.
    if any(delivery.until and datetime.fromisoformat(delivery.until) > now for _, delivery in deliveries(card)):
        return "locked"
    return "due"


def files_at(card: Card, destination: str) -> Iterable[CallFile]:
    """Return the files of a call at a destination that were delivered."""
    return [file for file in card.files if file.destination == destination and file.deliveries]


def deliveries(card: Card) -> Iterator[tuple[CallFile, Delivery]]:
    """Yield each delivery of a call's files."""
    for file in card.files:
        for delivery in file.deliveries:
            yield file, delivery
