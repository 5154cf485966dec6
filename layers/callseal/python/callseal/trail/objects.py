"""Keys and records of the audit bucket's objects, in the format of Amazon Data Firehose.

Keys: https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html. The template sets the prefix (`AuditStream`):
the hour in UTC in which the oldest record of the object arrived.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Record:
    """One event as EventBridge delivered it. `id` is EventBridge's and the same in both copies."""

    id: str
    time: datetime
    text: str


def prefixes(start: datetime, end: datetime) -> Iterator[str]:
    """Return the key prefix of each hour from `start` to `end`, both included."""
    hour = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour <= end:
        yield f"audit/{hour:%Y/%m/%d/%H}/"
        hour += HOUR


def parse_record(text: str) -> Record | None:
    """Return the record in a line, or None if the line is not an EventBridge event."""
    try:
        event = json.loads(text)
        identifier, time = event["id"], datetime.fromisoformat(event["time"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return Record(identifier, time, text) if isinstance(identifier, str) and time.tzinfo else None


def read_records(data: bytes) -> Iterator[Record]:
    """Return the records of an object (gzip, one JSON text a line).

    An unreadable part is skipped, so its events count as missing from the bucket.
    """
    try:
        for line in gzip.GzipFile(fileobj=io.BytesIO(data)):
            if record := parse_record(line.decode(errors="replace")):
                yield record
    except (OSError, EOFError, zlib.error):
        return


def write_records(records: Iterable[Record]) -> bytes:
    """Return the bytes of an object with these records, the same bytes for the same records."""
    text = "".join(f"{record.text.rstrip()}\n" for record in records)
    return gzip.compress(text.encode(), mtime=0)


def restored_key(stack: str, start: datetime, data: bytes) -> str:
    """Return the key of an object that holds records restored for the window that begins at `start`."""
    (prefix,) = prefixes(start, start)
    return f"{prefix}{stack}-audit-restored-{start:%Y-%m-%d-%H-%M-%S}-{sha256(data).hexdigest()[:32]}.gz"
