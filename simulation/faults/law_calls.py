"""Calls that were delivered long ago, as the simulations of the law put them: files, cards, and waveforms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from callseal.calls.call_file import Delivery
from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_facts import plain_facts
from callseal.calls.card_table import CardTable
from callseal.calls.facts import Facts
from callseal.calls.waveform_place import place_of
from callseal.core.audit import timestamp
from callseal.core.clock import Clock
from simulation.faults.cloud import CALLS, Cloud
from simulation.faults.law_view import WAVEFORMS, Version, hash_of
from tests.support.disposal import ENDED, LANDED, VERSION
from tests.support.stack import ARCHIVE, SFTP

# 30 days after the end of the call, at the next midnight.
DUE, LATER = "2025-12-02T00:00:00.000Z", "2099-01-01T00:00:00.000Z"


@dataclass
class KnownCall:
    """A call that was put: its versions in the archive, and its copies in the SFTP area."""

    name: str
    id: str
    key: str
    versions: set[Version] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)


class CallMaker:
    """Puts calls of one tenant, without faults."""

    def __init__(self, cloud: Cloud, tenant: str, clock: Clock) -> None:
        """Take the cloud, the tenant's name and the clock."""
        self._cloud, self._tenant, self._clock = cloud, tenant, clock
        self._s3, self._dynamodb = cloud.client("s3"), cloud.client("dynamodb")

    def put(
        self, name: str, *endings: str, dispose_on: str | None = DUE, caller: str | None = None, copied: bool = True,
        fetched: bool = False, ended: datetime = ENDED, **lock: Any,
    ) -> tuple[KnownCall, Card]:  # fmt: skip
        """Write a call's files to both buckets, and its waveform. Return the call, and its card to be written."""
        call = CallName(self._tenant, name)
        known = KnownCall(name, call.id, f"{self._tenant}/{name}")
        facts = plain_facts(Facts(ended=ended, caller=caller), lambda _: False)
        card = Card(call).with_metadata(f"{known.key}.xml", "read", facts, LANDED)
        for ending in endings or (".wav", ".xml"):
            key, data = f"{known.key}{ending}", f"said in {name}{ending}".encode()
            delivery = self._written(known, key, data, **lock)
            card = card.with_delivery(("archive", ARCHIVE, key), delivery)
            if copied:
                self._cloud.put(SFTP, key, data)
                known.copies.add(key)
                copy = Delivery(delivery.id, LANDED, len(data), delivery.sha256, "none")
                card = card.with_delivery(("sftp", SFTP, key), copy)
                card = card.with_fetch(("sftp", SFTP, key), timestamp(self._clock())) if fetched else card
        outcome = {"class": "default", "rule": "default", "version": VERSION, "keep_until": None, "held": None}
        return known, card.with_outcome(outcome | {"dispose_on": dispose_on})

    def write(self, changes: Mapping[CallName, Callable[[Card], Card]]) -> None:
        """Change cards."""
        table = CardTable(self._dynamodb, CALLS, self._clock)
        if failed := table.apply({call: [change] for call, change in changes.items()}):
            raise RuntimeError(f"the cards cannot be written: {failed}")

    def write_cards(self, cards: Iterable[Card]) -> None:
        """Write cards in one request."""
        self.write({card.call: lambda _, card=card: card for card in cards})

    def delivered(self, call: KnownCall) -> Iterator[dict[str, Any]]:
        """Yield the audit events of a call's deliveries to the archive, as lock_recordings gets them."""
        for version in sorted(call.versions, key=lambda version: version.key):
            output = {"destination": "archive", "bucket": ARCHIVE, "key": version.key, "size": 4, "sha256": None,
                      "sealed": "none", "version": version.id}  # fmt: skip
            detail = {"id": version.id, "time": timestamp(self._clock()), "tenant": self._tenant, "source": None,
                      "law": None, "outputs": [output]}  # fmt: skip
            yield {"detail-type": "RecordingDelivered", "detail": detail}

    def _written(self, known: KnownCall, key: str, data: bytes, **lock: Any) -> Delivery:
        """Write a version into the archive, and the waveform of a recording."""
        checksum = {"ChecksumAlgorithm": "SHA256"} if lock else {}
        answer = self._s3.put_object(Bucket=ARCHIVE, Key=key, Body=data, **lock, **checksum)
        version, is_xml = Version(key, answer["VersionId"]), key.endswith(".xml")
        known.versions.add(version)
        if not is_xml:
            place = {"tenant": {"S": self._tenant}, "place": {"S": place_of(known.id, 0, version.id)}}
            self._dynamodb.put_item(TableName=WAVEFORMS, Item={**place, "rows": {"S": "[]"}})
        return Delivery(version.id, LANDED, len(data), None if is_xml else hash_of(data), "none", version=version.id)
