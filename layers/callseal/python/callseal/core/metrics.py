"""The metrics: their names and units. template.yaml's alarms and dashboard read them."""

from dataclasses import dataclass

from callseal.core.errors import Reason

NAMESPACE = "Callseal"
# Units by CloudWatch's names:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
UNITS = {
    "RecordingsDelivered": "Count",
    "RecordingsHeld": "Count",
    "RecordingsDenied": "Count",
    "RecordingsErased": "Count",
    "CallsDisposed": "Count",
    "DisposalsStopped": "Count",
    "RetentionFindings": "Count",
    "RetentionReconcileAge": "Seconds",
    "ErasuresLate": "Count",
    "ErasuresOverdue": "Count",
    "MetadataOverdue": "Count",
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
    "AccessUnusable": "Count",
    "AuditGapBucket": "Count",
    "AuditGapLog": "Count",
    "AuditObjectsUnlocked": "Count",
    "AuditReconcileAge": "Seconds",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One value of a metric. RecordingsHeld and KeysRejected have the reason as a dimension."""

    name: str
    value: float
    reason: Reason | None = None
