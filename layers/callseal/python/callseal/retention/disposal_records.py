"""Write the records of a run, put their events, and end the cards, so that a run that breaks off repeats nothing.

    journal -> record under its lock -> audit event -> cards' ends -> counts, and the end of the journal

The journal names the records before they are written. The next run completes those that were written, from their own
bytes, and the calls of the others are still due.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_table import CardChange
from callseal.retention.disposal_events import recordings_disposed
from callseal.retention.disposal_record import DisposedCall, day_of, read_record, record_key, write_record
from callseal.retention.disposal_table import WrittenRecord
from callseal.retention.verdict import deliveries

if TYPE_CHECKING:
    from datetime import datetime

    from callseal.aws.bus import AuditBus
    from callseal.calls.card_table import CardTable
    from callseal.core.clock import Clock
    from callseal.retention.disposal_table import DisposalTable
    from callseal.trail.audit_bucket import AuditBucket

CARDS_AT_ONCE = 1000


class DisposalRecords:
    """Writes and completes records."""

    def __init__(
        self, table: DisposalTable, bucket: AuditBucket, bus: AuditBus, cards: CardTable, clock: Clock
    ) -> None:
        """Take the collaborators."""
        self._table, self._bucket, self._bus, self._cards, self._clock = table, bucket, bus, cards, clock

    def write(self, tenant: str, run: str, started: datetime, calls: Mapping[CallName, DisposedCall]) -> Counter[str]:
        """Write a record for each class, and end the calls' cards. Return how many calls, by the record's day."""
        by_class: dict[str, list[DisposedCall]] = {}
        for call in calls.values():
            by_class.setdefault(call.class_, []).append(call)
        records = dict[str, tuple[WrittenRecord, bytes]]()
        for class_, members in by_class.items():
            data, key = write_record(members), record_key(tenant, class_, started, run)
            files = sum(len(call.files) for call in members)
            records[class_] = WrittenRecord(key, sha256(data).hexdigest(), class_, len(members), files), data
        self._table.journal(tenant, run, [record for record, _ in records.values()])
        for record, data in records.values():
            self._bucket.put_locked(record.key, data, self._clock())
        names = {name.id: name for name in calls}
        return self._complete(tenant, ((record, by_class[record.class_]) for record, _ in records.values()), names)

    def complete(self, tenant: str, journal: Iterable[WrittenRecord]) -> Counter[str]:
        """Complete the records of an earlier run that were written. Return how many calls, by the record's day."""
        found = ((record, self._bucket.find(record.key)) for record in journal)
        return self._complete(tenant, ((record, read_record(data)) for record, data in found if data is not None))

    def _complete(
        self,
        tenant: str,
        records: Iterable[tuple[WrittenRecord, Sequence[DisposedCall]]],
        names: Mapping[str, CallName] | None = None,
    ) -> Counter[str]:
        counts = Counter[str]()
        for record, calls in records:
            law = {"calls": record.calls, "files": record.files}
            self._bus.put(recordings_disposed(tenant, record.key, record.sha256, law, self._clock()))
            for first in range(0, len(calls), CARDS_AT_ONCE):
                part = calls[first : first + CARDS_AT_ONCE]
                self._end(part, names or self._names(tenant, part))
            counts[day_of(record.key)] += record.calls
        return counts

    def _names(self, tenant: str, calls: Iterable[DisposedCall]) -> dict[str, CallName]:
        found = self._cards.cards(tenant, [call.id for call in calls])
        return {id_: stored.card.call for id_, stored in found.items()}

    def _end(self, calls: Iterable[DisposedCall], names: Mapping[str, CallName]) -> None:
        changes: dict[CallName, Sequence[CardChange]] = {
            names[call.id]: [_end_of(call)] for call in calls if call.id in names
        }
        for error in self._cards.apply(changes).values():
            raise error


def _end_of(call: DisposedCall) -> CardChange:
    """Return the change that ends a call's card. A card that changed since its files were deleted is due again."""

    def change(card: Card) -> Card:
        is_same = card.dispose_on == call.dispose_on and all(
            delivery.time <= call.deleted_at for _, delivery in deliveries(card)
        )
        return card.ended_by("disposed", call.deleted_at) if is_same else card

    return change
