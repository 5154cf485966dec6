"""Calls that are due to be deleted: cards with files in the archive, and the records of their disposal."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from callseal.calls.call_file import Delivery
from callseal.calls.call_name import CallName
from callseal.calls.card import Card
from callseal.calls.card_facts import plain_facts
from callseal.calls.card_table import CardTable
from callseal.calls.facts import Facts
from callseal.core.audit import timestamp
from callseal.core.clock import now
from tests.support.calls import TABLE
from tests.support.stack import ARCHIVE, AUDIT, SFTP, STACK, Stack

RETENTION = f"{STACK}-retention"
VERSION = "a" * 64
DUE, LATER = "2026-01-01T00:00:00.000Z", "9999-01-01T00:00:00.000Z"
LANDED = "2025-11-01T08:00:00.000Z"
ENDED = datetime.fromisoformat("2025-11-01T07:59:00+00:00")


def outcome(dispose_on: str | None = DUE, **members: Any) -> dict[str, Any]:
    """Return an outcome as a card stores it."""
    default = {"class": "default", "rule": "default", "version": VERSION, "keep_until": None, "held": None}
    return default | {"dispose_on": dispose_on} | members


def put_object(cloud: Stack, key: str, data: bytes = b"said", **lock: Any) -> str:
    """Write a version into the archive, and return its id."""
    checksum = {"ChecksumAlgorithm": "SHA256"} if lock else {}
    return str(cloud.s3.put_object(Bucket=ARCHIVE, Key=key, Body=data, **lock, **checksum)["VersionId"])


def put_call(
    cloud: Stack, name: str, *endings: str, tenant: str = "acme", decided: dict[str, Any] | None = None,
    is_version_known: bool = True, holds: Iterable[str] = (), facts: Facts | None = None, **lock: Any,
) -> Card:  # fmt: skip
    """Write a call's files into both buckets, and its card, as if they had been delivered long ago."""
    card = Card(CallName(tenant, name))
    card = card.with_metadata("m", "read", plain_facts(facts or Facts(ended=ENDED), lambda _: False), LANDED)
    for ending in endings or (".wav", ".xml"):
        key = f"{tenant}/{name}{ending}"
        version = put_object(cloud, key, **lock)
        cloud.s3.put_object(Bucket=SFTP, Key=key, Body=b"said")
        delivery = Delivery(f"{ending}1", LANDED, 4, None, "none", version=version if is_version_known else None)
        card = card.with_delivery(("archive", ARCHIVE, key), delivery)
        card = card.with_delivery(("sftp", SFTP, key), replace(delivery, version=None))
    card = card.with_outcome(outcome() if decided is None else decided).with_holds(holds)
    put_cards(cloud, card)
    return card


def put_cards(cloud: Stack, *cards: Card) -> None:
    """Write cards."""
    changes: Any = {card.call: [lambda _, card=card: card] for card in cards}
    assert CardTable(cloud.dynamodb, TABLE, now).apply(changes) == {}


def card_of(cloud: Stack, name: str, tenant: str = "acme") -> Card:
    """Return a call's card, also if the call has ended."""
    card = CardTable(cloud.dynamodb, TABLE, now).get(CallName(tenant, name))
    assert card
    return card


def versions(cloud: Stack) -> list[tuple[str, str]]:
    """Return the key and the id of all versions and delete markers in the archive."""
    page = cloud.s3.list_object_versions(Bucket=ARCHIVE)
    return [(each["Key"], each["VersionId"]) for part in ("Versions", "DeleteMarkers") for each in page.get(part, [])]


def records(cloud: Stack) -> dict[str, list[dict[str, Any]]]:
    """Return the lines of each disposal record by its key."""
    found = {key: data for key, data in cloud.objects(AUDIT).items() if key.startswith("disposals/")}
    return {key: [json.loads(line) for line in gzip.decompress(data).splitlines()] for key, data in found.items()}


def state(cloud: Stack, id_: str, tenant: str = "acme") -> dict[str, Any]:
    """Return the members of an item of the retention table, {} if there is none."""
    found = cloud.dynamodb.get_item(TableName=RETENTION, Key={"tenant": {"S": tenant}, "id": {"S": id_}})
    return {name: next(iter(value.values())) for name, value in found.get("Item", {}).items()}


def disposed_days(cloud: Stack, days: dict[str, int], tenant: str = "acme") -> None:
    """Write how many calls were deleted on days."""
    for day, calls in days.items():
        item = {"tenant": {"S": tenant}, "id": {"S": f"disposed#{day}"}, "calls": {"N": str(calls)}}
        cloud.dynamodb.put_item(TableName=RETENTION, Item=item)


def moment(text: str) -> str:
    """Return a time in the form of the cards."""
    return timestamp(datetime.fromisoformat(text))
