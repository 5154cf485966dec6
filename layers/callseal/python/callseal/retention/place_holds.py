"""Put calls under holds and set them free again: the card, S3's legal holds, and the hold's list of its calls.

    hold stored -> message -> walk over the cards of its scope, batch by batch -> `held`
    file delivered -> card written -> holds read -> call put under those of its scope

A call is never missed. Its card is written before the holds are read, and a hold is stored before the cards are
walked: of two that come at once, at least one sees the other. S3 gets what the card says, and the card is read again
afterwards, so the last writer of a card leaves both equal. Everything may be repeated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any

from callseal.aws.bus import AuditBus
from callseal.aws.items import ChangedMeanwhileError
from callseal.calls.blind_index import BlindIndex
from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_table import CardChange, CardTable
from callseal.core.clock import Clock
from callseal.core.errors import CallsealError, TransientError
from callseal.inbound.run import Run
from callseal.retention.hold import PLACING, RELEASING, Hold
from callseal.retention.hold_events import hold_placed, hold_released
from callseal.retention.hold_messages import HoldMessage, HoldQueue
from callseal.retention.hold_table import HoldTable
from callseal.retention.legal_holds import LegalHolds, Version, archived
from callseal.retention.scope import matches
from callseal.retention.scope_walk import scope_batches

# Below the timeout of lock_recordings in template.yaml, by more than a batch of calls takes. The messages of a batch
# share it.
RUN_TIME = timedelta(seconds=45)
BATCH = 100
TRIES = 5


class HoldPlacing:
    """Places and releases holds. Thread-safe."""

    def __init__(
        self,
        holds: HoldTable,
        cards: CardTable,
        blind: BlindIndex,
        legal_holds: LegalHolds,
        queue: HoldQueue,
        bus: AuditBus,
        clock: Clock,
    ) -> None:
        """Take the collaborators."""
        self._holds, self._cards, self._blind, self._legal_holds = holds, cards, blind, legal_holds
        self._queue, self._bus, self._clock = queue, bus, clock

    def work(self, message: HoldMessage, run: Run) -> None:
        """Do a part of the work on a hold, as long as the run has time. A hold with more work gets another message."""
        hold = self._holds.find(message.tenant, message.hold)
        if hold and hold.state == PLACING:
            self._place(hold, message.cursor, run)
        elif hold and hold.state == RELEASING:
            self._release(hold, run, is_first=message.cursor is None)

    def settle(self, calls: Collection[CallName], *, again: bool = False) -> dict[CallName, CallsealError]:
        """Put calls under the holds of whose scope they are. Return the error of each call that may not be.

        Their cards have been written. `again` means that a run before this one may have stopped half-way.
        """
        errors = dict[CallName, CallsealError]()
        for tenant in {call.tenant for call in calls}:
            of_tenant = {call.id: call for call in calls if call.tenant == tenant}
            try:
                self._settle(tenant, of_tenant, again=again)
            except CallsealError as exc:
                errors |= dict.fromkeys(of_tenant.values(), exc)
        return errors

    def _place(self, hold: Hold, cursor: str | None, run: Run) -> None:
        hashed = partial(self._hashed, hold.tenant)
        for calls, position in scope_batches(self._cards, hold.tenant, hold.scope, hashed, cursor):
            ended = self._settle(hold.tenant, calls)
            if hold.scope.calls:
                self._holds.mark_gone(hold, ended)
            if not run.has_time:
                self._queue.put(HoldMessage(hold.tenant, hold.name, position))
                return
        now = self._clock()
        placed = hold.held(now)
        self._bus.put(hold_placed(placed, self._holds.count(hold), now))
        self._change(hold, placed)

    def _release(self, hold: Hold, run: Run, *, is_first: bool) -> None:
        if is_first:
            self._bus.put(hold_released(hold, self._holds.count(hold), self._clock()))
        while calls := [*islice(self._holds.calls(hold), BATCH)]:
            cards = self._read(hold.tenant, calls)
            self._write({call: partial(_under, leaving=frozenset({hold.name})) for call in cards})
            self._set_bits(hold.tenant, calls)
            self._holds.remove_calls(hold, calls)
            if not run.has_time:
                self._queue.put(HoldMessage(hold.tenant, hold.name, RELEASING))
                return
        self._change(hold, hold.released(self._clock(), partial(self._hashed, hold.tenant, "number")))

    def _settle(self, tenant: str, calls: Collection[str], *, again: bool = False) -> list[str]:
        """Put calls of a tenant under the holds of whose scope they are. Return those that have ended.

        A hold whose release began meanwhile may have passed a call that joined it after that: the call leaves it.
        """
        for _ in range(TRIES):
            active = self._holds.active(tenant)
            if not active and not again:
                return []
            holds = {hold.name: hold for hold in active if hold.is_taking}
            cards = self._read(tenant, calls)
            joining = self._joined(tenant, holds, cards)
            leaving = {call: self._left(tenant, holds, card) for call, card in cards.items()}
            self._write({call: partial(_under, leaving=leaving[call], joining=joining[call]) for call in cards})
            held = [call for call, card in cards.items() if again or card.holds or joining[call]]
            gone = self._set_bits(tenant, [call.id for call in held])
            ends = {call: {*cards[call].holds, *joining[call]} for call in held if call.id in gone}
            self._forget(tenant, holds, ends)
            if all(self._is_taking(tenant, name) for name in set[str]().union(*joining.values())):
                return [call.id for call, card in cards.items() if card.gone]
            again = True
        raise TransientError("Putting calls under holds failed: the holds have changed each time.")

    def _joined(
        self, tenant: str, holds: Mapping[str, Hold], cards: Mapping[CallName, Card]
    ) -> dict[CallName, frozenset[str]]:
        """Return the holds that calls are to join. The calls are listed with their holds before their cards say so."""
        hashed = partial(self._hashed, tenant)
        joining: dict[CallName, set[str]] = {call: set() for call in cards}
        for name, hold in holds.items():
            new = [call for call, card in cards.items() if name not in card.holds and matches(hold.scope, card, hashed)]
            if new and self._holds.add_calls(hold, [call.id for call in new]):
                for call in new:
                    joining[call].add(name)
        return {call: frozenset(names) for call, names in joining.items()}

    def _left(self, tenant: str, holds: Mapping[str, Hold], card: Card) -> frozenset[str]:
        """Return the holds of a card that do not take calls any more. Others may be newer than those in `holds`."""
        return frozenset(name for name in card.holds if name not in holds and not self._is_taking(tenant, name))

    def _is_taking(self, tenant: str, name: str) -> bool:
        hold = self._holds.find(tenant, name)
        return hold is not None and hold.is_taking

    def _forget(self, tenant: str, holds: Mapping[str, Hold], gone: Mapping[CallName, Collection[str]]) -> None:
        """Free calls whose archived files were all deleted before they were held, so that their cards can end."""
        self._write({call: partial(_under, leaving=frozenset(names)) for call, names in gone.items()})
        for name in set[str]().union(*gone.values()):
            if hold := holds.get(name) or self._holds.find(tenant, name):
                self._holds.mark_gone(hold, [call.id for call, names in gone.items() if name in names])

    def _set_bits(self, tenant: str, calls: Collection[str]) -> set[str]:
        """Give S3 what the cards of calls say. Return the calls of which no archived file exists any more."""
        left, gone = {*calls}, set[str]()
        for _ in range(TRIES):
            cards = self._read(tenant, left)
            versions = {call: archived(card) for call, card in cards.items()}
            wanted = [(each, bool(cards[call].holds)) for call, of_call in versions.items() for each in of_call]
            missing = self._legal_holds.set(wanted)
            gone |= {call.id for call, of_call in versions.items() if of_call and of_call <= missing}
            after = self._read(tenant, left)
            left = {call.id for call, card in after.items() if _bits(card) != _bits(cards[call])}
            if not left:
                return gone
        raise TransientError("Setting legal holds failed: the calls have changed each time.")

    def _read(self, tenant: str, calls: Collection[str]) -> dict[CallName, Card]:
        found = self._cards.cards(tenant, calls) if calls else {}
        return {stored.card.call: stored.card for stored in found.values()}

    def _write(self, changes: Mapping[CallName, CardChange]) -> None:
        for error in self._cards.apply({call: [change] for call, change in changes.items()}).values():
            raise error

    def _change(self, before: Hold, after: Hold) -> None:
        """Write a hold in its next state, if no other worker has."""
        try:
            self._holds.change(before, after)
        except ChangedMeanwhileError:
            now = self._holds.find(before.tenant, before.name)
            if now and now.state == before.state:
                raise  # a transaction of another worker was in the way

    def _hashed(self, tenant: str, kind: Any, text: str) -> str:
        return self._blind.find(tenant, {kind: text}).get(kind, "")


def _under(card: Card, leaving: frozenset[str], joining: frozenset[str] = frozenset()) -> Card:
    """Return a card that leaves some holds and joins others. A call that has ended is under none."""
    return card if card.gone else card.with_holds(({*card.holds} - leaving) | joining)


def _bits(card: Card) -> tuple[bool, set[Version]]:
    return bool(card.holds), archived(card)
