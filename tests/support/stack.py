"""A stack in moto, in process: of what template.yaml makes, as much as the functions touch, and ways to look at it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest.mock import patch
from urllib.parse import quote_plus

import boto3
from botocore.client import ClientCreator
from botocore.loaders import create_loader
from moto import mock_aws
from moto.core.request import normalize_request

from localcloud.moto_child import heed_etags_of_batch_deletes
from localcloud.moto_expressions import walk_quickly_over_expressions
from localcloud.moto_items import hasten_items
from localcloud.moto_lock import repair_object_lock
from localcloud.moto_signing import sign_digests
from localcloud.moto_transactions import copy_little_for_transactions
from tests.security.privacy.watch import WATCH
from tests.support.events import check_event

REGION = "eu-north-1"
STACK = "callseal-test"
LANDING, SFTP, ARCHIVE, AUDIT = "landing", "sftp", "archive", "audit"
# The buckets with Object Lock.
LOCKED = (ARCHIVE, AUDIT)
AUDIT_LOG = f"/{STACK}/audit"
ARCHIVE_URL = "https://archive.example"
MAIL_FROM = "recordings@callseal.example"

hasten_items()
heed_etags_of_batch_deletes()
repair_object_lock()
copy_little_for_transactions()
walk_quickly_over_expressions()
sign_digests()
# The SDK reads each service's model, and makes its client's class from it, once for all tests. Both take most of the
# time of making a client.
_one_loader = cache(create_loader)
_make_client_class = ClientCreator._create_client_class
_client_classes: dict[str, type] = {}


def _client_class(creator: ClientCreator, service: str, model: Any) -> type:
    if service not in _client_classes:
        _client_classes[service] = _make_client_class(creator, service, model)
    return _client_classes[service]


@cache
def _client(service: str) -> Any:
    """Return the tests' own client of a service. It has no state of the stack that it was made for."""
    return boto3.session.Session().client(service)


def _normalize_request(request: Any) -> Any:
    """Give moto, in process, bytes where we send a bytearray, as a connection would."""
    if isinstance(request.body, bytearray):
        request.body = bytes(request.body)
    return normalize_request(request)


@dataclass
class Stack:
    """Clients and names of a stack that lives in this process."""

    s3: Any
    sqs: Any
    ssm: Any
    secrets: Any
    events: Any
    dynamodb: Any
    logs: Any
    kms: Any
    environment: dict[str, str]
    queue_url: str
    recheck_url: str
    audit_queue_url: str
    _audit: list[dict[str, Any]] = field(default_factory=list)

    def tenant(self, name: str, key: str | None = None, settings: Mapping[str, Any] | str | None = None) -> None:
        """Take on a tenant, or change it, as an operator does: a secret with the key's text, a parameter with JSON."""
        if key is not None:
            self.put_key(name, key)
        text = settings if isinstance(settings, str) else json.dumps(settings or {})
        self.ssm.put_parameter(Name=f"/{STACK}/tenants/{name}/settings", Value=text, Type="String", Overwrite=True)

    def put_key(self, name: str, text: str, which: str = "public-key") -> None:
        """Paste a key, or SFTP keys."""
        WATCH.learn(text)
        secret = f"{STACK}/tenants/{name}/{which}"
        try:
            self.secrets.put_secret_value(SecretId=secret, SecretString=text)
        except self.secrets.exceptions.ResourceNotFoundException:
            self.secrets.create_secret(Name=secret, SecretString=text)

    def land(self, key: str, data: bytes) -> dict[str, Any]:
        """Land a file; gives the S3 notification that announces it."""
        WATCH.landed(key)
        etag = self.s3.put_object(Bucket=LANDING, Key=key, Body=data)["ETag"].strip('"')
        return notification(key, etag, len(data))

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Give everything that stands in a bucket."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        found = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {key: self.s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in found}

    def metadata(self, bucket: str, key: str) -> dict[str, str]:
        """Give an object's metadata."""
        return dict(self.s3.head_object(Bucket=bucket, Key=key)["Metadata"])

    def tags(self, key: str) -> dict[str, str]:
        """Give a landed object's tags."""
        return {tag["Key"]: tag["Value"] for tag in self.s3.get_object_tagging(Bucket=LANDING, Key=key)["TagSet"]}

    def rechecks(self) -> list[str]:
        """Take what waits in the recheck queue (which delays nothing here): the messages' bodies."""
        return self.take(self.recheck_url)

    def take(self, url: str) -> list[str]:
        """Take all messages of a queue, and return their bodies."""
        taken = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            taken += [message["Body"] for message in messages]
            for message in messages:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return taken

    def unfinished_uploads(self, bucket: str) -> list[Any]:
        """List the multipart uploads that were neither completed nor aborted."""
        return list(self.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []))

    def audit(self) -> list[dict[str, Any]]:
        """Return all events that the audit bus has accepted so far, in order, as EventBridge envelopes; check each."""
        while messages := self.sqs.receive_message(QueueUrl=self.audit_queue_url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                event = json.loads(message["Body"])
                if event["source"] == "callseal":
                    check_event(event["detail-type"], event["detail"])
                self._audit.append(event)
                self.sqs.delete_message(QueueUrl=self.audit_queue_url, ReceiptHandle=message["ReceiptHandle"])
        return self._audit

    def audit_details(self, detail_type: str) -> list[dict[str, Any]]:
        """Give the details of the audit events of one type."""
        return [event["detail"] for event in self.audit() if event["detail-type"] == detail_type]


def notification(key: str, etag: str, size: int) -> dict[str, Any]:
    """Write an S3 notification as S3 does, with the key encoded like a form."""
    thing = {"key": quote_plus(key, safe="/"), "size": size, "eTag": etag, "sequencer": "0055AED6DCD90281E5"}
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventName": "ObjectCreated:Put",
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": LANDING}, "object": thing},
    }
    return {"Records": [record]}


def sqs_event(*bodies: Mapping[str, Any] | str, receives: int = 1) -> dict[str, Any]:
    """Wrap notifications as Lambda's SQS batch; the message ids are m0, m1, ..."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": f"handle-{number}",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": str(receives)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{STACK}-encrypt",
                "awsRegion": REGION,
            }
            for number, body in enumerate(bodies)
        ]
    }


def failures(answer: Mapping[str, Any]) -> list[str]:
    """List the message ids that a batch's answer gives back."""
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


@contextmanager
def stack() -> Iterator[Stack]:
    """Make a fresh stack in moto; the environment is set as the function's would be."""
    credentials = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": REGION}
    with (
        patch.dict("os.environ", credentials),
        patch("botocore.session.create_loader", _one_loader),
        patch.object(ClientCreator, "_create_client_class", _client_class),
        patch("moto.core.botocore_stubber.normalize_request", _normalize_request),
        # moto would also answer the library requests, by 7 entries for each URL of AWS, which take time to make.
        patch("moto.core.models.RESPONSES_METHODS", ()),
        mock_aws(),
    ):
        made = _make()
        with patch.dict("os.environ", made.environment):
            yield made


def _make() -> Stack:
    s3, sqs, events = _client("s3"), _client("sqs"), _client("events")
    for bucket in (LANDING, SFTP, ARCHIVE, AUDIT):
        s3.create_bucket(
            Bucket=bucket,
            CreateBucketConfiguration={"LocationConstraint": REGION},
            ObjectLockEnabledForBucket=bucket in LOCKED,
        )
    logs = _client("logs")
    logs.create_log_group(logGroupName=AUDIT_LOG)
    logs.create_log_stream(logGroupName=AUDIT_LOG, logStreamName="events")
    queue_url = sqs.create_queue(QueueName=f"{STACK}-encrypt")["QueueUrl"]
    recheck_url = sqs.create_queue(QueueName=f"{STACK}-recheck")["QueueUrl"]
    audit_url = sqs.create_queue(QueueName="audit")["QueueUrl"]
    audit_arn = sqs.get_queue_attributes(QueueUrl=audit_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = f"{STACK}-audit"
    events.create_event_bus(Name=bus)
    events.put_rule(Name="audit", EventBusName=bus, EventPattern='{"source": ["callseal"]}')
    events.put_targets(Rule="audit", EventBusName=bus, Targets=[{"Id": "queue", "Arn": audit_arn}])
    dynamodb = _client("dynamodb")
    make_tables(dynamodb, f"{STACK}-key-register", f"{STACK}-key-events")
    make_file_register(dynamodb, f"{STACK}-files")
    make_calls_table(dynamodb, f"{STACK}-calls")
    kms = _client("kms")
    make_call_index_key(kms, STACK)
    make_archive_tables(dynamodb, STACK)
    ssm = _client("ssm")
    # moto's SES v2 knows only identities that were verified by SES v1.
    _client("ses").verify_domain_identity(Domain=MAIL_FROM.partition("@")[2])
    ssm.put_parameter(Name=f"/{STACK}/archive/url", Value=ARCHIVE_URL, Type="String")
    make_sweep_memory(dynamodb, f"{STACK}-sweep")
    make_login_settings(dynamodb, f"{STACK}-login-settings")
    metadata_url = sqs.create_queue(QueueName=f"{STACK}-metadata")["QueueUrl"]
    lock_url = sqs.create_queue(QueueName=f"{STACK}-lock")["QueueUrl"]
    notices_url = sqs.create_queue(QueueName=f"{STACK}-login-notices")["QueueUrl"]
    erasure_url = sqs.create_queue(QueueName=f"{STACK}-erasure")["QueueUrl"]
    make_retention_table(dynamodb, f"{STACK}-retention")
    make_proof_key(kms, STACK)
    environment = {
        "STACK_NAME": STACK,
        "TENANTS_PREFIX": f"{STACK}/tenants",
        "SWEEP_MEMORY": f"{STACK}-sweep",
        "CHECK_KEYS_FUNCTION": f"{STACK}-check-keys",
        "LANDING_BUCKET": LANDING,
        "SFTP_BUCKET": SFTP,
        "ARCHIVE_BUCKET": ARCHIVE,
        "MAXIMUM_COMPLIANCE_YEARS": "10",
        "ENCRYPT_QUEUE_URL": queue_url,
        "RECHECK_QUEUE_URL": recheck_url,
        "METADATA_QUEUE_URL": metadata_url,
        "LOCK_QUEUE_URL": lock_url,
        "AUDIT_BUS": bus,
        "KEY_REGISTER": f"{STACK}-key-register",
        "KEY_EVENTS": f"{STACK}-key-events",
        "FILE_REGISTER": f"{STACK}-files",
        "SFTP_RETENTION_DAYS": "7",
        "CALLS_TABLE": f"{STACK}-calls",
        "CALL_INDEX_KEY": f"alias/{STACK}-calls",
        "PROOF_KEY": f"alias/{STACK}-proof",
        "RETENTION_TABLE": f"{STACK}-retention",
        "ERASURE_QUEUE_URL": erasure_url,
        "ARCHIVE_SESSIONS": f"{STACK}-archive-sessions",
        "ARCHIVE_USERS": f"{STACK}-archive-users",
        "ACCESS_TRAIL": f"{STACK}-archive-trail",
        "ARCHIVE_SHARES": f"{STACK}-archive-shares",
        "ARCHIVE_WAVEFORMS": f"{STACK}-archive-waveforms",
        "ARCHIVE_URL": f"/{STACK}/archive/url",
        "ARCHIVE_PLATFORM_GROUP": "platform",
        "OIDC_ISSUER": "http://localhost:1",
        "OIDC_CLIENT_ID": "callseal",
        "OIDC_CLIENT_SECRET": f"{STACK}/oidc-client-secret",
        "OIDC_TENANT_CLAIM": "tenant",
        "OIDC_GROUPS_CLAIM": "groups",
        "OIDC_AGENT_CLAIM": "agent",
        "SHARE_MAIL_FROM": MAIL_FROM,
        "LOGIN_SETTINGS": f"{STACK}-login-settings",
        "LOGIN_NOTICE_QUEUE_URL": notices_url,
        "SFTP_SERVER_ID": "s-ours56789abcdef00",
        "AUDIT_BUCKET": AUDIT,
        "AUDIT_LOCK_MODE": "GOVERNANCE",
        "AUDIT_RETENTION_DAYS": "2557",
        "AUDIT_LOG_GROUP": AUDIT_LOG,
        "RECONCILE_PROGRESS": f"/{STACK}/reconcile/progress",
        "GPG_BINARY": "gpg",
        "POWERTOOLS_SERVICE_NAME": "callseal",
        "SFTP_BUCKET_ARN": f"arn:aws:s3:::{SFTP}",
        "SFTP_SESSION_ROLE_ARN": f"arn:aws:iam::123456789012:role/{STACK}-sftp-session",
        "STACK_KEY_ARN": f"arn:aws:kms:{REGION}:123456789012:key/stack",
    }
    secrets = _client("secretsmanager")
    return Stack(s3, sqs, ssm, secrets, events, dynamodb, logs, kms, environment, queue_url, recheck_url, audit_url)


def make_tables(dynamodb: Any, register: str, events: str) -> None:
    """Make the key register and the table of events that were counted, as template.yaml has them."""
    for table, names in {register: ("tenant", "fingerprint"), events: ("event_id",)}.items():
        kinds = zip(names, ("HASH", "RANGE"), strict=False)
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in kinds],
        )


def make_sweep_memory(dynamodb: Any, table: str) -> None:
    """Make the table with the sweep's memory, as template.yaml has it."""
    _make_table(dynamodb, table, "id")


def make_login_settings(dynamodb: Any, table: str) -> None:
    """Make the table of settings' copies for logins, as template.yaml has it."""
    _make_table(dynamodb, table, "tenant")


def _make_table(dynamodb: Any, table: str, key: str) -> None:
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
    )


def make_archive_tables(dynamodb: Any, stack: str) -> None:
    """Make the tables of the archive's people, as template.yaml has them."""
    _make_table(dynamodb, f"{stack}-archive-sessions", "id")
    keys = {"users": ("tenant", "email"), "waveforms": ("tenant", "place")}
    for name, names in keys.items():
        dynamodb.create_table(
            TableName=f"{stack}-archive-{name}",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in names],
            KeySchema=_keys(*names),
        )
    dynamodb.create_table(
        TableName=f"{stack}-archive-shares",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("id", "tenant", "created")],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {"IndexName": "tenant", "KeySchema": _keys("tenant", "created"), "Projection": {"ProjectionType": "ALL"}}
        ],
    )
    dynamodb.create_table(
        TableName=f"{stack}-archive-trail",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": each, "AttributeType": "S"} for each in ("tenant", "place", "call", "user")
        ],
        KeySchema=_keys("tenant", "place"),
        GlobalSecondaryIndexes=[
            {"IndexName": name, "KeySchema": _keys(name, "place"), "Projection": {"ProjectionType": "ALL"}}
            for name in ("call", "user")
        ],
    )


def make_calls_table(dynamodb: Any, table: str) -> None:
    """Make the table of calls with its indexes, as template.yaml has it."""
    hash_keys = {"started": "tenant", "session": "session", "party": "party", "agent": "agent", "queue": "queue"}
    names = {"tenant", "id", "place", "due", *hash_keys.values()}
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in sorted(names)],
        KeySchema=_keys("tenant", "id"),
        GlobalSecondaryIndexes=[
            {"IndexName": name, "KeySchema": _keys(key, place), "Projection": {"ProjectionType": "KEYS_ONLY"}}
            for name, key, place in [
                *((name, key, "place") for name, key in hash_keys.items()),
                ("due", "tenant", "due"),
            ]
        ],
    )


def make_retention_table(dynamodb: Any, table: str) -> None:
    """Make the table of holds, erasures and disposals, as template.yaml has it."""
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("tenant", "id")],
        KeySchema=_keys("tenant", "id"),
    )


def make_waveform_table(dynamodb: Any, table: str) -> None:
    """Make the table of waveforms, as template.yaml has it."""
    names = ("tenant", "place")
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=_keys(*names),
    )


def _keys(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=True)]


def make_call_index_key(kms: Any, stack: str) -> None:
    """Make the HMAC key of the blind index, as template.yaml has it."""
    key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=f"alias/{stack}-calls", TargetKeyId=key)


def make_proof_key(kms: Any, stack: str) -> None:
    """Make the key that signs certificates, as template.yaml has it."""
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=f"alias/{stack}-proof", TargetKeyId=key)


def make_file_register(dynamodb: Any, table: str) -> None:
    """Make the register of delivered files with its index, as template.yaml has it."""
    index = {
        "IndexName": "due",
        "KeySchema": [
            {"AttributeName": "shard", "KeyType": "HASH"},
            {"AttributeName": "due", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["expires"]},
    }
    names = ("tenant", "key", "shard", "due")
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=[{"AttributeName": "tenant", "KeyType": "HASH"}, {"AttributeName": "key", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[index],
    )
