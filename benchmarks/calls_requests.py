"""Requests to AWS for a recording with its metadata: without an index, with an index, with a policy that waits.

Every request of the functions counts, those of a whole batch once: what they ask of S3, SQS, SSM, Secrets Manager,
DynamoDB, KMS and EventBridge. The receipt and the deletion of messages by Lambda's poller do not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any
from unittest.mock import patch

from benchmarks.measure import Row
from tests.support import functions
from tests.support.keys import x509_tenant
from tests.support.network import Network
from tests.support.stack import STACK, Stack, failures, sqs_event, stack

CALLS, BATCH = 50, 10
BOTH = {"deliver_to_archive": True, "archive_formats": ["wav"]}
METADATA = (
    '<recording><session id="{0}" start="2026-11-23T09:12:44+01:00"/><request remoteAddress="+47900{0:05}" '
    'queueKey="invoice"/><agent id="1042"/></recording>'
)
POLICY = {
    "schema": 1,
    "rules": [{"rule": "refused", "when": {"denied": True}, "record": "never"}],
    "default": {"class": "default", "record": "may", "consent": "none"},
}


def requests_per_recording() -> Row:
    """Count requests for a recording and its metadata, with a blind index and without an index."""
    without, blind = _per_call({"call_index": "off"}), _per_call({"call_index": "blind", "metadata_profile": "puzzel"})
    return _row("requests_per_recording", blind, without, "<= 1.5")


def requests_per_recording_with_policy() -> Row:
    """Count requests for a recording and its metadata, with a policy that needs the metadata, and without both."""
    settings = {"call_index": "blind", "metadata_profile": "puzzel"}
    return _row(
        "requests_per_recording_with_policy", _per_call(settings, POLICY), _per_call({"call_index": "off"}), "<= 1.75"
    )


def _row(name: str, ours: Counter[str], peer: Counter[str], goal: str) -> Row:
    most = ", ".join(f"{operation} {number / CALLS:g}" for operation, number in sorted(ours.items()))
    each, without = ours.total() / CALLS, peer.total() / CALLS
    note = f"recording and metadata to SFTP and archive, batches of {BATCH}; {most}"
    return Row(name, each, without, "requests", round(each / without, 3), goal, note)


def _per_call(settings: dict[str, Any], policy: dict[str, Any] | None = None) -> Counter[str]:
    """Return how often each operation was requested for CALLS calls, whose metadata lands first."""
    with _scene() as (cloud, network, apps):
        cloud.tenant("acme", x509_tenant().public_text, BOTH | settings)
        if policy:
            cloud.ssm.put_parameter(Name=f"/{STACK}/tenants/acme/policy", Value=json.dumps(policy), Type="String")
        for name in ("acme/warm.xml", "acme/warm.wav"):
            _process(cloud, apps, [cloud.land(name, METADATA.format(0).encode())])
        cloud.audit().clear()
        network.requests.clear()
        _process(cloud, apps, [cloud.land(f"acme/{n}.xml", METADATA.format(n).encode()) for n in range(CALLS)])
        _process(cloud, apps, [cloud.land(f"acme/{n}.wav", b"said") for n in range(CALLS)])
        return Counter(request.operation for request in network.requests)


@contextmanager
def _scene() -> Iterator[tuple[Stack, Network, dict[str, Any]]]:
    with stack() as cloud, redirect_stdout(StringIO()):
        network = Network(cloud.s3)
        with patch("callseal.wiring.container.Session", network.session):
            names = ("encrypt_recording", "read_metadata", "index_calls")
            yield cloud, network, {name: functions.load(name, watch=False) for name in names}


def _process(cloud: Stack, apps: dict[str, Any], notifications: list[dict[str, Any]]) -> None:
    """Process landed files in batches, until no queue has a message."""
    waiting = [json.dumps(notification) for notification in notifications]
    seen = len(cloud.audit())
    while waiting:
        _batches(apps["encrypt_recording"], waiting)
        _batches(apps["read_metadata"], cloud.take(cloud.environment["METADATA_QUEUE_URL"]))
        waiting = cloud.take(cloud.queue_url)
    delivered = [json.dumps(event) for event in cloud.audit()[seen:] if event["detail-type"] == "RecordingDelivered"]
    _batches(apps["index_calls"], delivered, size=100)


def _batches(app: Any, bodies: list[str], size: int = BATCH) -> None:
    for start in range(0, len(bodies), size):
        failed = failures(app.lambda_handler(sqs_event(*bodies[start : start + size]), None))
        if failed:
            raise RuntimeError(f"{len(failed)} messages failed.")
