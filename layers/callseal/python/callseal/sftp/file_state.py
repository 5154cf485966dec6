"""The state of a delivered file, computed from audit events that arrive twice, late and in any order.

A delivery is identified by its event's id. Under KMS each upload of a file has a new id, so a file that is uploaded
again after its output was removed starts as a new delivery, and the same id is a repeat. Times are RFC 3339 in UTC with
milliseconds, as in the audit events, so that they compare as texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from callseal.core.audit import timestamp

DELIVERED, FETCHED, EXPIRED = "delivered", "fetched", "expired"
# Days before expiry at which an unfetched file is reported. 0 is its expiry.
THRESHOLD_DAYS = (3, 1, 0)
# If files are kept for few days only, a report within a day of the delivery would be noise.
TOO_SOON = timedelta(days=1)
# The event's time is after the file's, by at most the duration of a delivery: the function's timeout in template.yaml.
LEEWAY = timedelta(minutes=15)
# Longer than the queue and its dead-letter queue keep a message (14 days each), so a repeated event finds the item.
REMEMBERED = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class DeliveredFile:
    """A file of the SFTP bucket. A member is None if no event about it has arrived.

    `delivery` is the id of the delivery's event, and `delivered` the earliest time that it was reported with.
    `fetched` is the time of the latest download. `told` is the last of THRESHOLD_DAYS reported for this delivery.
    """

    tenant: str
    key: str
    delivery: str | None = None
    delivered: str | None = None
    expires: str | None = None
    size: int | None = None
    fetched: str | None = None
    told: int | None = None

    @property
    def state(self) -> str | None:
        """DELIVERED, FETCHED or EXPIRED, or None if only a download has been reported."""
        if not self.delivered:
            return None
        if self.fetched and self.fetched >= timestamp(_moment(self.delivered) - LEEWAY):
            return FETCHED
        return EXPIRED if self.told == 0 else DELIVERED

    @property
    def due(self) -> datetime | None:
        """When the next report about the file is due, or None if no report is left."""
        return next((moment for moment, _ in self._pending_reports()), None)

    @property
    def forgotten(self) -> datetime | None:
        """When the item may be removed: REMEMBERED after its expiry or its last download, or None without either."""
        last = max(filter(None, (self.expires, self.fetched)), default=None)
        return _moment(last) + REMEMBERED if last else None

    def delivered_by(self, delivery: str, time: str, size: int, days: int) -> DeliveredFile:
        """Return the file as it is after a delivery's event. The SFTP bucket keeps it for `days` days."""
        if delivery == self.delivery and self.delivered:
            earlier = min(time, self.delivered)
            return replace(self, delivered=earlier, expires=timestamp(expiry(_moment(earlier), days)))
        if self.delivered and (time, delivery) < (self.delivered, self.delivery or ""):
            return self  # an earlier file with this key
        expires = timestamp(expiry(_moment(time), days))
        return DeliveredFile(self.tenant, self.key, delivery, time, expires, size, self.fetched)

    def fetched_at(self, time: str) -> DeliveredFile:
        """Return the file as it is after a download's event."""
        return replace(self, fetched=max(time, self.fetched or time))

    def reached(self, now: datetime) -> int | None:
        """Return the threshold to report now, in days, or None; if several have passed, the most urgent one."""
        return min((days for moment, days in self._pending_reports() if moment <= now), default=None)

    def _pending_reports(self) -> Iterator[tuple[datetime, int]]:
        if self.state != DELIVERED or not self.delivered or not self.expires:
            return
        for days in THRESHOLD_DAYS:
            moment = _moment(self.expires) - timedelta(days=days)
            is_reported = self.told is not None and self.told <= days
            if not is_reported and (days == 0 or moment - _moment(self.delivered) >= TOO_SOON):
                yield moment, days


def expiry(delivered: datetime, days: int) -> datetime:
    """Return the earliest time at which S3 removes a file: `days` days after its writing, at the next midnight UTC.

    It is computed from LEEWAY before `delivered`, because the file may have been written before a midnight and reported
    after it. https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
    """
    end = (delivered - LEEWAY).astimezone(UTC) + timedelta(days=days)
    midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == end else midnight + timedelta(days=1)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
