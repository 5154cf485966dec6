"""The resources of template.yaml around EncryptRecordingFunction, on a moto server: buckets, queue, bus, tenants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from tests.security.privacy.watch import WATCH
from tests.support.stack import make_calls_table, make_sweep_memory, make_tables

STACK = "callseal-rie"
REGION = "eu-north-1"
BUCKETS = {name: f"{STACK}-{name}" for name in ("landing", "sftp", "archive")}


@dataclass(frozen=True)
class Landed:
    """A file in the landing bucket, and its notification."""

    key: str
    etag: str
    size: int

    def as_sqs_event(self) -> dict[str, Any]:
        return {"Records": [sqs_record(json.dumps({"Records": [self.as_s3_record()]}))]}

    def as_s3_record(self) -> dict[str, Any]:
        bucket = BUCKETS["landing"]
        return {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": REGION,
            "eventTime": "2026-11-23T09:00:00.000Z",
            "eventName": "ObjectCreated:Put",
            "userIdentity": {"principalId": "AWS:AROAEXAMPLE:platform"},
            "requestParameters": {"sourceIPAddress": "192.0.2.1"},
            "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8/IgAtTv8x"},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "EncryptQueue",
                "bucket": {"name": bucket, "ownerIdentity": {"principalId": "A3NL"}, "arn": f"arn:aws:s3:::{bucket}"},
                "object": {"key": self.key, "size": self.size, "eTag": self.etag, "sequencer": "0055AED6DCD90281E5"},
            },
        }


def sqs_record(body: str) -> dict[str, Any]:
    return {
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{STACK}-encrypt",
        "awsRegion": REGION,
    }


def label_updated(tenant: str) -> dict[str, Any]:
    """Return the event by which Secrets Manager announces a tenant's new key."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Secret Label Updated",
        "source": "aws.secretsmanager",
        "account": "123456789012",
        "time": "2026-11-23T09:00:00Z",
        "region": REGION,
        "resources": [],
        "detail": {"name": f"{STACK}/tenants/{tenant}/public-key", "labelUpdated": "AWSCURRENT", "versionId": "1"},
    }


@dataclass(frozen=True)
class Cloud:
    """A moto server with the stack's resources. `audit_queue` receives a copy of each event on the audit bus."""

    endpoint: str
    encrypt_queue: str
    recheck_queue: str
    metadata_queue: str
    audit_queue: str

    def client(self, service: str) -> Any:
        return client(service, self.endpoint)

    def environment(self) -> dict[str, str]:
        """Return the variables that template.yaml sets from its resources."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "STACK_NAME": STACK,
            "TENANTS_PREFIX": f"{STACK}/tenants",
            "SWEEP_MEMORY": f"{STACK}-sweep",
            "CHECK_KEYS_FUNCTION": f"{STACK}-check-keys",
            "LANDING_BUCKET": BUCKETS["landing"],
            "SFTP_BUCKET": BUCKETS["sftp"],
            "ARCHIVE_BUCKET": BUCKETS["archive"],
            "MAXIMUM_COMPLIANCE_YEARS": "10",
            "ENCRYPT_QUEUE_URL": self.encrypt_queue,
            "RECHECK_QUEUE_URL": self.recheck_queue,
            "METADATA_QUEUE_URL": self.metadata_queue,
            "CALLS_TABLE": f"{STACK}-calls",
            "AUDIT_BUS": f"{STACK}-audit",
            "KEY_REGISTER": f"{STACK}-key-register",
            "KEY_EVENTS": f"{STACK}-key-events",
        }

    def add_tenant(self, tenant: str, settings: dict[str, object], public_key: str | None) -> None:
        name = f"/{STACK}/tenants/{tenant}/settings"
        self.client("ssm").put_parameter(Name=name, Type="String", Value=json.dumps(settings))
        if public_key is not None:
            self.add_key(tenant, public_key)

    def add_key(self, tenant: str, public_key: str) -> None:
        secret = f"{STACK}/tenants/{tenant}/public-key"
        self.client("secretsmanager").create_secret(Name=secret, SecretString=public_key)

    def land(self, key: str, content: bytes) -> Landed:
        put = self.client("s3").put_object(Bucket=BUCKETS["landing"], Key=key, Body=content)
        return Landed(key, put["ETag"].strip('"'), len(content))

    def keys(self, bucket: str) -> list[str]:
        listed = self.client("s3").list_objects_v2(Bucket=BUCKETS[bucket])
        return [each["Key"] for each in listed.get("Contents", [])]

    def fetch(self, bucket: str, key: str) -> tuple[bytes, dict[str, str]]:
        """Return an object's content and its metadata."""
        got = self.client("s3").get_object(Bucket=BUCKETS[bucket], Key=key)
        return got["Body"].read(), got["Metadata"]

    def put_back(self) -> str:
        """Return the messages of the encrypt queue, as one text."""
        received = self.client("sqs").receive_message(QueueUrl=self.encrypt_queue, MaxNumberOfMessages=10)
        return "".join(message["Body"] for message in received.get("Messages", []))

    def audit_events(self, key: str) -> list[dict[str, Any]]:
        """Return the audit events of a landing key."""
        received = self.client("sqs").receive_message(QueueUrl=self.audit_queue, MaxNumberOfMessages=10)
        events = [json.loads(message["Body"]) for message in received.get("Messages", [])]
        for event in events:
            WATCH.audit(event["detail"])
        return [event for event in events if (event["detail"]["source"] or {}).get("key") == key]


def client(service: str, endpoint: str) -> Any:
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.client(service, endpoint_url=endpoint, region_name=REGION, **keys)  # type: ignore[call-overload]


@contextmanager
def moto_cloud() -> Iterator[Cloud]:
    """Start a moto server with the resources on it, and stop it when the block ends."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield created(f"http://{host}:{port}")
    finally:
        server.stop()


def created(endpoint: str) -> Cloud:
    s3, sqs = client("s3", endpoint), client("sqs", endpoint)
    for bucket in BUCKETS.values():
        s3.create_bucket(
            Bucket=bucket,
            CreateBucketConfiguration={"LocationConstraint": REGION},
            ObjectLockEnabledForBucket=bucket == BUCKETS["archive"],
        )
    encrypt_queue, recheck_queue, metadata_queue, audit_queue = (
        sqs.create_queue(QueueName=f"{STACK}-{name}")["QueueUrl"]
        for name in ("encrypt", "recheck", "metadata", "audit-copy")
    )
    dynamodb = client("dynamodb", endpoint)
    make_tables(dynamodb, f"{STACK}-key-register", f"{STACK}-key-events")
    make_calls_table(dynamodb, f"{STACK}-calls")
    make_sweep_memory(dynamodb, f"{STACK}-sweep")
    copy_audit(endpoint, sqs.get_queue_attributes(QueueUrl=audit_queue, AttributeNames=["QueueArn"])["Attributes"])
    return Cloud(endpoint, encrypt_queue, recheck_queue, metadata_queue, audit_queue)


def copy_audit(endpoint: str, queue: dict[str, str]) -> None:
    """Send a copy of each event on the audit bus to a queue."""
    events = client("events", endpoint)
    bus = f"{STACK}-audit"
    events.create_event_bus(Name=bus)
    events.put_rule(Name="copy", EventBusName=bus, EventPattern=json.dumps({"source": ["callseal"]}))
    events.put_targets(Rule="copy", EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue["QueueArn"]}])
