"""What became of each delivered file, fetched or not; from audit events that come twice, late and in any order.

A delivery is known by its event's id. Under KMS each landing of a file has an id of its own, so a file that lands again
under a name that is free again starts anew; the same id once more is a repeat. Moments are RFC 3339 in UTC with
milliseconds, as in the audit events, so that they compare as texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from callseal.core.audit import timestamp

DELIVERED, FETCHED, EXPIRED = "delivered", "fetched", "expired"
# Days left at which it is told that a file was not fetched; at 0 its time is over.
THRESHOLD_DAYS = (3, 1, 0)
# What is told within a day of the delivery is noise, where files are kept for few days.
TOO_SOON = timedelta(days=1)
# The event comes after the file, by no more than a delivery may take: the function's timeout in template.yaml.
LEEWAY = timedelta(minutes=15)
# Longer than the queue and its dead-letter queue keep a message, 14 days each: whatever comes meets what it repeats.
REMEMBERED = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class DeliveredFile:
    """A file of the SFTP bucket; None for what has not been heard of (yet).

    `delivery` is the id of the event that tells `delivered`, the first time that it was told; `fetched` is the last
    time that it was; `told` is the last of THRESHOLD_DAYS that was told of this delivery.
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
        """Tell what became of it; None where nothing but a download is known of it."""
        if not self.delivered:
            return None
        if self.fetched and self.fetched >= timestamp(_moment(self.delivered) - LEEWAY):
            return FETCHED
        return EXPIRED if self.told == 0 else DELIVERED

    @property
    def due(self) -> datetime | None:
        """Tell when something is to be told of it next; None where nothing is left to tell."""
        return next((moment for moment, _ in self._left_to_tell()), None)

    @property
    def forgotten(self) -> datetime | None:
        """Tell when nobody asks for it any more."""
        last = max(filter(None, (self.expires, self.fetched)), default=None)
        return _moment(last) + REMEMBERED if last else None

    def delivered_by(self, delivery: str, time: str, size: int, days: int) -> DeliveredFile:
        """Give the file as it is after a delivery was told of, which lies ready for so many days."""
        if delivery == self.delivery and self.delivered:
            earlier = min(time, self.delivered)
            return replace(self, delivered=earlier, expires=timestamp(expiry(_moment(earlier), days)))
        if self.delivered and (time, delivery) < (self.delivered, self.delivery or ""):
            return self  # what lay here before
        expires = timestamp(expiry(_moment(time), days))
        return DeliveredFile(self.tenant, self.key, delivery, time, expires, size, self.fetched)

    def fetched_at(self, time: str) -> DeliveredFile:
        """Give the file as it is after a download of it was told of."""
        return replace(self, fetched=max(time, self.fetched or time))

    def reached(self, now: datetime) -> int | None:
        """Give the threshold that is to be told of now, in days: of several that have passed the most urgent alone."""
        return min((days for moment, days in self._left_to_tell() if moment <= now), default=None)

    def _left_to_tell(self) -> Iterator[tuple[datetime, int]]:
        if self.state != DELIVERED or not self.delivered or not self.expires:
            return
        for days in THRESHOLD_DAYS:
            moment = _moment(self.expires) - timedelta(days=days)
            is_told = self.told is not None and self.told <= days
            if not is_told and (days == 0 or moment - _moment(self.delivered) >= TOO_SOON):
                yield moment, days


def expiry(delivered: datetime, days: int) -> datetime:
    """Tell from when S3 removes a file: so many days after it was written, rounded up to the next midnight UTC.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html; not later than that where the file
    was written before a midnight and told of after it.
    """
    end = (delivered - LEEWAY).astimezone(UTC) + timedelta(days=days)
    midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == end else midnight + timedelta(days=1)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
