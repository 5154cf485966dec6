"""The record of a disposal: which calls were deleted, one line each, in the audit bucket under its lock.

A run writes one record for each tenant and class. A record names no caller: a call's name is hashed with the tenant's
salt. Without the salt, the hashes are useless.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

FOLDER = "disposals"


@dataclass(frozen=True, slots=True)
class DisposedFile:
    """A deleted version in the archive. `sha256` and `size` are None if they are not known."""

    version: str
    sha256: str | None
    size: int | None


@dataclass(frozen=True, slots=True)
class DisposedCall:
    """A deleted call. `name` is the hash of the tenant's salt and the call's name; times are RFC 3339 in UTC."""

    id: str
    name: str
    class_: str
    policy: str
    ended: str
    dispose_on: str
    deleted_at: str
    files: tuple[DisposedFile, ...]

    def line(self) -> dict[str, Any]:
        """Return the call as a line of a record."""
        return {name.rstrip("_"): value for name, value in asdict(self).items()}


def hashed_name(salt: str, name: str) -> str:
    """Return the hash of a call's name. `salt` is the tenant's, in hex."""
    return sha256(bytes.fromhex(salt) + name.encode()).hexdigest()


def record_key(tenant: str, class_: str, started: datetime, run: str) -> str:
    """Return the key of the record of a run that started then."""
    moment = started.astimezone(UTC)
    return f"{folder_of(tenant, f'{moment:%Y-%m-%d}')}{class_}/{moment:%H%M%S}-{run}.jsonl.gz"


def folder_of(tenant: str, day: str = "") -> str:
    """Return the prefix of a tenant's records, or of those of a day (`2026-11-30`)."""
    return f"{FOLDER}/{tenant}/{day}/" if day else f"{FOLDER}/{tenant}/"


def day_of(key: str) -> str:
    """Return the day of a record, by its key."""
    return key.split("/")[2]


def write_record(calls: Iterable[DisposedCall]) -> bytes:
    """Return the bytes of a record, the same for the same calls."""
    text = "".join(json.dumps(call.line()) + "\n" for call in calls)
    return gzip.compress(text.encode(), mtime=0)


def read_record(data: bytes) -> list[DisposedCall]:
    """Return the calls in the bytes of a record."""
    return [_call(json.loads(line)) for line in gzip.decompress(data).decode().splitlines()]


def _call(line: Mapping[str, Any]) -> DisposedCall:
    members = {("class_" if name == "class" else name): value for name, value in line.items()}
    return DisposedCall(**members | {"files": tuple(DisposedFile(**file) for file in line["files"])})
