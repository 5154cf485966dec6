"""A delivered file of a call, computed from audit events that arrive twice, late and in any order.

A file is the set of its deliveries and the time of its last download, so the order of events never changes it. Under
KMS each upload has a new etag. A file that lands again after its output was removed is a new delivery, and an event
with a known id is a repeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from callseal.calls.call_name import is_metadata
from callseal.core.audit import timestamp

DELIVERED, FETCHED = "delivered", "fetched"
# The event's time is after the file's, by at most the duration of a delivery: the function's timeout in template.yaml.
LEEWAY = timedelta(minutes=15)
# Of a file that was removed and landed again and again, only the latest deliveries are kept.
MAX_DELIVERIES = 8
# What identifies a file: its destination, bucket and key.
Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a file, by its event. `time` is the earliest that it was reported with (RFC 3339, UTC).

    `version` is the object's version, None if the bucket has no versions. `until` (RFC 3339) is the end of its first
    lock, None if it was written without one.
    """

    id: str
    time: str
    size: int
    sha256: str | None
    sealed: str
    recipients: tuple[str, ...] = ()
    version: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class CallFile:
    """A file in an output bucket. `n` is its number within the call.

    A file without a delivery is known only from its download. `deliveries` are sorted by time.
    """

    n: int
    destination: str
    bucket: str
    key: str
    deliveries: tuple[Delivery, ...] = ()
    fetched: str | None = None

    @property
    def place(self) -> Place:
        """What identifies the file."""
        return self.destination, self.bucket, self.key

    @property
    def is_metadata(self) -> bool:
        """Whether the file is the call's metadata."""
        return is_metadata(self.key)

    @property
    def current(self) -> Delivery | None:
        """The latest delivery."""
        return self.deliveries[-1] if self.deliveries else None

    @property
    def state(self) -> str:
        """FETCHED if the latest delivery was downloaded to its end, else DELIVERED."""
        return FETCHED if self.fetched and self.fetched >= self._fetched_from else DELIVERED

    @property
    def _fetched_from(self) -> str:
        """The earliest time of a download of the latest delivery."""
        return timestamp(datetime.fromisoformat(self.current.time) - LEEWAY) if self.current else ""

    def delivered_by(self, delivery: Delivery) -> CallFile:
        """Return the file as it is after a delivery's event."""
        known = {each.id: each for each in self.deliveries}
        known[delivery.id] = min(delivery, known.get(delivery.id, delivery), key=lambda each: each.time)
        latest = sorted(known.values(), key=lambda each: (each.time, each.id))[-MAX_DELIVERIES:]
        return replace(self, deliveries=tuple(latest))

    def fetched_at(self, time: str) -> CallFile:
        """Return the file as it is after a download's event."""
        return replace(self, fetched=max(time, self.fetched or time))

    def public(self) -> dict[str, Any]:
        """Return the members that the command and the API show."""
        delivery = self.current
        return {
            "n": self.n,
            "destination": self.destination,
            "bucket": self.bucket,
            "key": self.key,
            "version": delivery.version if delivery else None,
            "size": delivery.size if delivery else None,
            "sha256": delivery.sha256 if delivery else None,
            "sealed": delivery.sealed if delivery else None,
            "recipients": [*delivery.recipients] if delivery else [],
            "state": self.state,
        }

    def stored(self) -> dict[str, Any]:
        """Return the file as a value for JSON."""
        return asdict(self)


def stored_file(members: Mapping[str, Any]) -> CallFile:
    """Return a file from the value that `CallFile.stored` returned, after JSON."""
    deliveries = (Delivery(**each | {"recipients": tuple(each["recipients"])}) for each in members["deliveries"])
    # Cards of before the archive had versions hold a member `version`, always null.
    known = {name: value for name, value in members.items() if name != "version"}
    return CallFile(**{**known, "deliveries": tuple(deliveries)})
