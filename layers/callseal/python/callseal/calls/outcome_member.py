"""A policy's outcome as a card stores it, a plain mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from callseal.calls.classes import Class, Lock, dispose_on, keep_until
from callseal.calls.decisions import Outcome
from callseal.core.audit import timestamp
from callseal.core.errors import Reason
from callseal.core.stored import LockMode, ObjectLock

# S3's mode of each lock of a class. The lock `none` asks S3 for nothing.
MODES: Mapping[Lock, LockMode] = {"governance": "GOVERNANCE", "compliance": "COMPLIANCE"}


def stored_outcome(outcome: Outcome, version: str, judged_by: str, class_: Class, ended: datetime) -> dict[str, Any]:
    """Return an outcome with the policy's version, and with the dates of the class for a call that ended then.

    `judged_by` is `TenantPolicy.judged_by`. It stays of the last judgement if that changed nothing.
    """
    members = asdict(outcome)
    keep, dispose = keep_until(class_, ended), dispose_on(class_, ended)
    return {
        **{name.rstrip("_"): value for name, value in members.items()},
        "held": outcome.held.value if outcome.held else None,
        "version": version,
        "judged_by": judged_by,
        "lock": class_.lock,
        "keep_until": timestamp(keep) if keep else None,
        "dispose_on": timestamp(dispose) if dispose else None,
    }


def lock_of(stored: Mapping[str, Any], classes: Mapping[str, Class]) -> ObjectLock | None:
    """Return the retention that a stored outcome asks for, or None for none.

    `classes` are the present policy's, for outcomes that were stored without a lock.
    """
    lock = stored.get("lock") or classes.get(stored["class"], Class()).lock
    return object_lock(lock, datetime.fromisoformat(stored["keep_until"])) if stored["keep_until"] else None


def object_lock(lock: Lock, until: datetime | None) -> ObjectLock | None:
    """Return the retention of a class's `lock` until its `keep_until`, or None if it has none."""
    return ObjectLock(MODES[lock], until) if lock in MODES and until else None


def outcome_of(stored: Mapping[str, Any]) -> Outcome:
    """Return the outcome in a mapping that `stored_outcome` returned."""
    names = ("rule", "record", "consent", "restricted", "sensitive", "archive", "denied")
    held = next((reason for reason in Reason if reason == stored["held"]), None)
    return Outcome(class_=stored["class"], held=held, **{name: stored[name] for name in names})
