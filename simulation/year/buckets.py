"""What is in moto's buckets, tables and queues, read from its memory, without a request and without product code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto import backends
from moto.s3.models import FakeDeleteMarker

ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Version:
    """A version of an object, with its lock."""

    key: str
    id: str
    mode: str | None
    until: datetime | None
    is_held: bool


def versions(bucket: str) -> dict[str, Version]:
    """Return all versions in a bucket by their ids. Delete markers are left out, because they have no bytes."""
    return {version.id: version for version in _versions(bucket)}


def keys(bucket: str) -> set[str]:
    """Return the keys of a bucket that have an object."""
    return {version.key for version in _versions(bucket)}


def tags(bucket: str, key: str) -> dict[str, str]:
    """Return the tags of an object."""
    store = _s3().buckets[bucket]
    return dict(_s3().tagger.get_tag_dict_for_resource(store.keys[key].arn))


def data(bucket: str, key: str) -> bytes:
    """Return the bytes of an object."""
    return bytes(_s3().buckets[bucket].keys[key].value)


def items(table: str) -> Iterator[dict[str, Any]]:
    """Yield the items of a table, with their members as texts."""
    found = next(each for each in _tables() if each.name == table)
    for item in found.all_items():
        yield {name: value.value for name, value in item.attrs.items()}


def has_messages(url: str) -> bool:
    """Return whether a queue has messages."""
    name = url.rpartition("/")[2]
    queues = (each.queues for each in backends.get_backend("sqs")[ACCOUNT].values())
    return any(name in each and each[name]._messages for each in queues)


def _versions(bucket: str) -> Iterator[Version]:
    store = _s3().buckets[bucket].keys
    for key in list(store):
        for found in store.getlist(key):
            if isinstance(found, FakeDeleteMarker):
                continue
            until = datetime.fromisoformat(found.lock_until).astimezone(UTC) if found.lock_until else None
            yield Version(key, found.version_id, found.lock_mode, until, found.lock_legal_status == "ON")


def _s3() -> Any:
    return backends.get_backend("s3")[ACCOUNT]["aws"]


def _tables() -> list[Any]:
    return [each for region in backends.get_backend("dynamodb")[ACCOUNT].values() for each in region.tables.values()]
