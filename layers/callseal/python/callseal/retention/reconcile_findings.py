"""What the archive and the cards say about each other.

A finding is a file without a card, a card without a file, or a call that is kept or locked too long. Files are
delivered and deleted all the time, so each finding is looked at again before it counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from callseal.calls.call_name import call_of
from callseal.calls.card import Card
from callseal.core.clock import Clock
from callseal.core.log import Log
from callseal.retention.verdict import ARCHIVE, Rules, deliveries, files_at, verdict
from callseal.retention.version_store import Lock, Version, VersionStore

if TYPE_CHECKING:
    from callseal.calls.card_table import CardTable

# A card appears within 30 seconds of its file's delivery.
CARD_SECONDS = 30
YOUNG = timedelta(hours=1)
# As many runs of dispose_recordings as its alarm waits for.
LATE = timedelta(hours=3)
LOCKS_AT_ONCE = 16


class Findings:
    """Compares batches of files and of cards."""

    def __init__(
        self, versions: VersionStore, cards: CardTable, clock: Clock, log: Log, sleep: Callable[[float], None]
    ) -> None:
        """Take the collaborators."""
        self._versions, self._cards, self._clock, self._log, self._sleep = versions, cards, clock, log, sleep

    def of_files(self, tenant: str, versions: Iterable[Version]) -> Counter[str]:
        """Return counts of the files that a listing has, and of those without a card."""
        listed = [version for version in versions if not version.is_marker]
        without = self._without_card(tenant, listed)
        if any(self._clock() - version.written < YOUNG for version in without if version.written):
            self._sleep(CARD_SECONDS)
        without = [version for version in self._without_card(tenant, without) if self._versions.lock(version)]
        for version in without:
            self._report("FileWithoutCard", tenant, _call_id(version.key), version.id)
        return Counter(files=len(listed), FileWithoutCard=len(without))

    def of_cards(self, tenant: str, cards: Sequence[Card], rules: Rules) -> Counter[str]:
        """Return counts of cards, and of those without a file, or of calls that are kept or locked too long."""
        counts = Counter[str](calls=len(cards))
        with ThreadPoolExecutor(LOCKS_AT_ONCE, "lock") as executor:
            locks = dict(zip([card.call.id for card in cards], executor.map(self._locks, cards), strict=True))
        suspects = [card for card in cards if self._found(card, locks[card.call.id], rules)]
        again = self._cards.cards(tenant, [card.call.id for card in suspects])
        for card in (again[each.call.id].card for each in suspects if each.call.id in again):
            for finding in self._found(card, self._locks(card), rules):
                counts[finding] += 1
                self._report(finding, tenant, card.call.id, None)
        return counts

    def _without_card(self, tenant: str, versions: Sequence[Version]) -> list[Version]:
        calls = {version: _call_id(version.key) for version in versions}
        cards = self._cards.cards(tenant, {call for call in calls.values() if call})
        return [
            version for version, call in calls.items() if call not in cards or not _has_file(cards[call].card, version)
        ]

    def _locks(self, card: Card) -> list[Lock | None]:
        """Return the lock of each file of a call, None for a file that is gone."""
        return [self._lock(file.key, file.deliveries[-1].version) for file in files_at(card, ARCHIVE)]

    def _lock(self, key: str, version: str | None) -> Lock | None:
        if version:
            return self._versions.lock(Version(key, version))
        found = (each for each in self._versions.find(key) if not each.is_marker)
        newest = max(found, key=lambda each: each.written or self._clock(), default=None)
        return self._versions.lock(newest) if newest else None

    def _found(self, card: Card, locks: Sequence[Lock | None], rules: Rules) -> list[str]:
        """Return the findings about a card. A card whose call has ended meanwhile has none."""
        if not card.is_listed:
            return []
        found = {
            "CardWithoutFile": any(lock is None for lock in locks),
            "KeptTooLong": self._is_late(card, locks, rules),
            "LockedTooLong": any(lock and self._is_locked_too_long(card, lock, rules) for lock in locks),
        }
        return [name for name, is_found in found.items() if is_found]

    def _is_late(self, card: Card, locks: Sequence[Lock | None], rules: Rules) -> bool:
        now = self._clock()
        is_locked = any(lock and (lock.is_held or (lock.until and lock.until > now)) for lock in locks)
        return not is_locked and verdict(card, rules, now - LATE) == "due"

    def _is_locked_too_long(self, card: Card, lock: Lock, rules: Rules) -> bool:
        if lock.is_held and not card.holds and not rules.covers(card):
            return True
        outcome = card.outcome or {}
        ends = (outcome.get("keep_until"), outcome.get("locked_until"))
        times = [*ends, *(delivery.until for _, delivery in deliveries(card))]
        allowed = max((datetime.fromisoformat(time) for time in times if time), default=None)
        is_locked = lock.until is not None and lock.until > self._clock()
        return is_locked and (allowed is None or (lock.until is not None and lock.until > allowed))

    def _report(self, finding: str, tenant: str, call: str | None, version: str | None) -> None:
        facts = {"finding": finding, "tenant": tenant, "call": call, "version": version}
        self._log.warning("archive differs", extra=facts)


def _call_id(key: str) -> str | None:
    call = call_of(key)
    return call.id if call else None


def _has_file(card: Card, version: Version) -> bool:
    """Return whether a listed card has a version. One that it does not know by its id may be an earlier one."""
    file = next((file for file in files_at(card, ARCHIVE) if file.key == version.key), None)
    if file is None or not card.is_listed:
        return False
    known = {delivery.version for delivery in file.deliveries}
    return version.id in known or None in known
