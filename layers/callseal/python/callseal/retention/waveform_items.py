"""The waveforms of deleted calls. A waveform was drawn only if a user opened the recording in the archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from callseal.aws.item_batches import read_each, write_each
from callseal.aws.items import item
from callseal.calls.card import Card
from callseal.calls.waveform_place import place_of
from callseal.core.errors import CallsealError
from callseal.core.stored import PLAIN
from callseal.retention.verdict import ARCHIVE, files_at

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class WaveformItems:
    """Deletes waveforms. Thread-safe."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the client, and the name of the table of waveforms."""
        self._client, self._table = client, table

    def delete(self, cards: Iterable[Card]) -> None:
        """Delete the waveforms of calls. Raise TransientError. A read costs a tenth of a delete, so it comes first."""
        keys = {place: {"tenant": tenant, "place": place} for tenant, place in _places(cards)}
        found = read_each(self._client, "Reading waveforms", self._table, keys)
        deletes = {
            place: {"Delete": {"TableName": self._table, "Key": item(keys[place])}}
            for place, members in found.items()
            if not isinstance(members, CallsealError) and members
        }
        failed = [each for each in found.values() if isinstance(each, CallsealError)]
        for error in (*failed, *write_each(self._client, "Deleting a waveform", deletes).values()):
            raise error


def _places(cards: Iterable[Card]) -> Iterator[tuple[str, str]]:
    """Yield where waveforms may be: a sealed file has none."""
    for card in cards:
        for file in files_at(card, ARCHIVE):
            for delivery in file.deliveries:
                if delivery.sealed == PLAIN and not file.is_metadata:
                    yield card.call.tenant, place_of(card.call.id, file.n, delivery.id)
