"""The register of delivered files as its readers see it, and the audit events that feed it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from callseal.core.audit import event
from tests.support.clock import Clock
from tests.support.stack import LANDING, SFTP, STACK, Stack, failures, sqs_event

Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]
TABLE = f"{STACK}-files"
FILE_EVENTS = ("RecordingDelivered", "FileFetched")


def files(dynamodb: Any, tenant: str = "acme", table: str = TABLE) -> dict[str, dict[str, Any]]:
    """Return a tenant's items by the file's key, as plain values."""
    answer = dynamodb.query(
        TableName=table,
        KeyConditionExpression="tenant = :tenant",
        ExpressionAttributeValues={":tenant": {"S": tenant}},
        ConsistentRead=True,
    )
    found = [{name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()}
             for item in answer["Items"]]  # fmt: skip
    return {item["key"]: item for item in found}


def states(dynamodb: Any, tenant: str = "acme", table: str = TABLE) -> dict[str, str]:
    """Return the state of a tenant's files by their keys."""
    return {key: item["state"] for key, item in files(dynamodb, tenant, table).items() if "state" in item}


def fetched(clock: Clock, key: str, **members: Any) -> dict[str, Any]:
    """Return the audit event of a download, as audit_sftp puts it on the bus."""
    audit_event = event(
        "FileFetched",
        clock(),
        {"tenant": key.partition("/")[0], "source": {"bucket": SFTP, "key": key, "etag": None, "size": 4}, **members},
        ["FileFetched", key, clock().isoformat()],
    )
    return {"detail-type": audit_event.detail_type, "detail": audit_event.detail}


def delivered(clock: Clock, key: str) -> dict[str, Any]:
    """Return the audit event of a delivery to the SFTP bucket, as encrypt_recording puts it on the bus."""
    output = {"destination": "sftp", "bucket": SFTP, "key": key, "size": 4, "sha256": None, "sealed": "none"}
    members = {
        "tenant": key.partition("/")[0],
        "source": {"bucket": LANDING, "key": key, "etag": "e", "size": 4},
        "outputs": [output],
    }
    audit_event = event("RecordingDelivered", clock(), members, ["RecordingDelivered", key])
    return {"detail-type": audit_event.detail_type, "detail": json.loads(json.dumps(audit_event.detail))}


def track(cloud: Stack, handler: Handler, *events: Mapping[str, Any]) -> None:
    """Pass audit events (by default all so far) to track_files, as the rule on the bus does."""
    matching = [one for one in events or cloud.audit() if one["detail-type"] in FILE_EVENTS]
    if matching:
        assert failures(handler(sqs_event(*matching), None)) == []
