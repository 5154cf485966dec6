"""A policy's outcome as a card stores it, a plain mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from callseal.calls.classes import Class, dispose_on, keep_until
from callseal.calls.decisions import Outcome
from callseal.core.audit import timestamp
from callseal.core.errors import Reason


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
        "keep_until": timestamp(keep) if keep else None,
        "dispose_on": timestamp(dispose) if dispose else None,
    }


def outcome_of(stored: Mapping[str, Any]) -> Outcome:
    """Return the outcome in a mapping that `stored_outcome` returned."""
    names = ("rule", "record", "consent", "restricted", "sensitive", "archive", "denied")
    held = next((reason for reason in Reason if reason == stored["held"]), None)
    return Outcome(class_=stored["class"], held=held, **{name: stored[name] for name in names})
