"""Checks of the audit trail: each file has its event in the log group and in the locked bucket."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from callseal.core.errors import Reason
from callseal.core.event_types import EventType
from callseal_cli.selftest import observe
from callseal_cli.selftest.model import CheckFailedError, Wait, check
from callseal_cli.selftest.trial import CBC, GCM, HELD, PGP, Trial

DELIVERED, HELD_EVENT = EventType.RECORDING_DELIVERED, EventType.RECORDING_HELD
Events = Mapping[tuple[str, str], Mapping[str, Any]]


@check(
    "audit",
    seconds=45,
    means="What happens to files is not recorded where it can be searched.",
    look="Audit dead letters",
    needs=("sealed as CMS, GCM", "sealed as CMS, CBC", "sealed as OpenPGP", "held"),
)
def log_group(trial: Trial, wait: Wait) -> str:
    """The log group has each file's event, with the key that it was sealed to and the SHA-256 of what was delivered."""
    wanted = _wanted(trial)
    wait.until(lambda: wanted <= set(_by_file(trial)))
    found = _by_file(trial)
    if missing := sorted(f"{kind} of {key}" for kind, key in wanted - set(found)):
        raise CheckFailedError(
            f"After {wait.passed:.0f} s the log group lacks {len(missing)} of {len(wanted)} events: "
            f"{missing[0]}{', ...' if missing[1:] else ''}."
        )
    for kind in (GCM, CBC, PGP):
        for landed in trial[kind].files:
            _compare(trial, kind, landed, found[DELIVERED, landed])
    if (reason := found[HELD_EVENT, trial[HELD].recording]["reason"]) != Reason.SETTINGS_MISSING:
        raise CheckFailedError(f"RecordingHeld of {trial[HELD].recording} names the reason {reason}.")
    return f"{len(wanted)} events are in the log group."


@check(
    "locked copy",
    seconds=150,
    means="The audit trail that cannot be deleted has a gap, or is empty.",
    look="A selftest fails",
    needs=("sealed as CMS, GCM",),
    only_aws="that Firehose delivers to the bucket",
)
def locked_copy(trial: Trial, wait: Wait) -> str:
    """The RecordingDelivered event is in an object of the audit bucket."""
    if "AuditBucketName" not in trial.stack.outputs:
        raise CheckFailedError("The audit bucket is not deployed: the stack has no output AuditBucketName.")
    copy = wait.until(lambda: observe.locked_copy(trial, trial[GCM].tenant, DELIVERED))
    if not copy:
        raise CheckFailedError(f"After {wait.passed:.0f} s no object of the audit bucket has the event.")
    trial.locked = copy
    return f"The event is in an object of {copy.key.rpartition('/')[0]}/."


@check(
    "retention",
    seconds=30,
    means="What is in the audit bucket can be deleted.",
    look="A selftest fails",
    needs=("locked copy",),
)
def retention(trial: Trial, wait: Wait) -> str:
    """Object Lock keeps that version of the object."""
    copy = trial.locked
    if not copy:
        raise CheckFailedError("The object with the event is unknown.")
    # The function lock_audit sets the lock after the object was written.
    until = wait.until(lambda: observe.retained_until(trial.stack, copy))
    if not until or until <= datetime.now(UTC):
        end = f"locked only until {until:%Y-%m-%d %H:%M} UTC" if until else "not locked"
        raise CheckFailedError(f"{copy.key} is {end}.")
    return f"It is locked until {until:%Y-%m-%d}."


def _wanted(trial: Trial) -> set[tuple[str, str]]:
    delivered = {(DELIVERED, key) for kind in (GCM, CBC, PGP) for key in trial[kind].files}
    return delivered | {(HELD_EVENT, trial[HELD].recording)}


def _by_file(trial: Trial) -> Events:
    """Return the details of the canaries' events about files, by type and landing key."""
    events = observe.audit_events(trial.stack, trial.name, trial.started)
    return {
        (event["detail-type"], event["detail"]["source"]["key"]): event["detail"]
        for event in events
        if event["detail-type"] in (DELIVERED, HELD_EVENT)
    }


def _compare(trial: Trial, kind: str, landed: str, detail: Mapping[str, Any]) -> None:
    canary = trial[kind]
    output = canary.sealed[landed]
    recipients = [recipient["fingerprint"] for recipient in detail["recipients"] or ()]
    if not canary.key or recipients != [canary.key.fingerprint]:
        raise CheckFailedError(
            f"RecordingDelivered of {landed} names the recipients {', '.join(recipients) or 'none'}."
        )
    stored = observe.read(trial.stack, "SftpBucketName", output)
    recorded = [each["sha256"] for each in detail["outputs"] if each["key"] == output]
    if stored is None or recorded != [sha256(stored).hexdigest()]:
        raise CheckFailedError(f"RecordingDelivered of {landed} has another sha256 than {output} in the SFTP bucket.")
