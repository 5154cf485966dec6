"""The rules of S3 Object Lock that localcloud/moto_lock.py adds to moto: which headers, dates and changes are valid."""

from datetime import UTC, datetime
from typing import Any

import xmltodict
from moto.s3 import models
from moto.s3.exceptions import MalformedXML, S3ClientError

MODE, UNTIL = "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date"
HOLD, BYPASS = "x-amz-object-lock-legal-hold", "x-amz-bypass-governance-retention"
MODES, HOLDS = ("GOVERNANCE", "COMPLIANCE"), ("ON", "OFF")


def check_headers(headers: Any) -> None:
    """Raise if the lock headers of a write are incomplete, unknown or in the past."""
    mode, until, hold = headers.get(MODE), headers.get(UNTIL), headers.get(HOLD)
    if bool(mode) != bool(until):
        raise _argument(f"{UNTIL} and {MODE} must both be supplied")
    if mode and mode not in MODES:
        raise _argument("Unknown wormMode directive.")
    if until and moment(until) <= now():
        raise _argument("The retain until date must be in the future!")
    if hold and hold not in HOLDS:
        raise _argument("Legal Hold must be either of 'ON' or 'OFF'")


def read_retention(body: bytes) -> tuple[str | None, str | None]:
    """Return the mode and the date of a request's body; both are None for an empty retention, which removes it."""
    given = read_document(body, "Retention")
    mode, until = given.get("Mode"), given.get("RetainUntilDate")
    if not mode and not until:
        return None, None
    if mode not in MODES or not until:
        raise MalformedXML
    if moment(until) <= now():
        raise _argument("The retain until date must be in the future!")
    return mode, until


def is_weaker(key: Any, mode: str | None, until: str | None) -> bool:
    """Return whether a retention ends earlier than a key's present one, or has another mode."""
    return mode != key.lock_mode or moment(until) < moment(key.lock_until)


def read_document(body: bytes, name: str) -> dict[str, Any]:
    """Return the members of a request's body, whose root element has this name."""
    parsed: dict[str, Any] = xmltodict.parse(body)  # type: ignore[no-untyped-call]
    return parsed.get(name) or {}


def moment(text: str | None) -> datetime:
    """Return the moment of a text, or the earliest one for None."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else datetime.min.replace(tzinfo=UTC)


def now() -> datetime:
    """Return the time of moto's S3, which localcloud/moto_child.py may put ahead."""
    # Naive, in UTC.
    return models.utcnow().replace(tzinfo=UTC)  # type: ignore[attr-defined]


def _argument(message: str) -> S3ClientError:
    return S3ClientError("InvalidArgument", message)


def no_lock() -> S3ClientError:
    """Return the error for an object without a retention or a hold."""
    message = "The specified object does not have a ObjectLock configuration"
    return S3ClientError("NoSuchObjectLockConfiguration", message)
