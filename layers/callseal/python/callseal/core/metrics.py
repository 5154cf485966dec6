"""The metrics: their names, and what they are measured in. docs/operations.md says what each is good for."""

from dataclasses import dataclass

from callseal.core.errors import Reason

NAMESPACE = "Callseal"
# In CloudWatch's own words for units.
UNITS = {
    "RecordingsDelivered": "Count",
    "RecordingsHeld": "Count",
    "BytesSealed": "Bytes",
    "SecondsToDelivery": "Seconds",
    "HeldFiles": "Count",
    "OldestHeldAge": "Seconds",
    "PendingFiles": "Count",
    "OldestPendingAge": "Seconds",
    "TenantsStuck": "Count",
    "TenantsNewlyStuck": "Count",
    "KeysChecked": "Count",
    "KeysAccepted": "Count",
    "KeysRejected": "Count",
    "KeysExpiring": "Count",
    "KeysProven": "Count",
    "KeyProofsRefused": "Count",
    "KeyAnswersDiscarded": "Count",
    "FilesUnfetched": "Count",
    "FilesExpired": "Count",
    "AuditGapBucket": "Count",
    "AuditGapLog": "Count",
    "AuditObjectsUnlocked": "Count",
    "AuditReconcileAge": "Seconds",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One value of a metric; of RecordingsHeld and KeysRejected, with the reason as a dimension."""

    name: str
    value: float
    reason: Reason | None = None
