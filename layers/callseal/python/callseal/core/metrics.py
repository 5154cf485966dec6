"""The names and units of the metrics. docs/operations.md explains them."""

from dataclasses import dataclass

from callseal.core.errors import Reason

NAMESPACE = "Callseal"
# Units as CloudWatch spells them.
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
    """One value of a metric. RecordingsHeld and KeysRejected also have the reason, as a dimension."""

    name: str
    value: float
    reason: Reason | None = None
