"""moto's server with one stack of resources, inspected and changed from outside, without the proxy."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ClientError

from localcloud.moto_process import MotoProcess
from tests.security.privacy.watch import WATCH
from tests.support.stack import (
    ARCHIVE,
    ARCHIVE_URL,
    AUDIT,
    LANDING,
    LOCKED,
    MAIL_FROM,
    REGION,
    SFTP,
    make_archive_tables,
    make_call_index_key,
    make_calls_table,
    make_file_register,
    make_login_settings,
    make_proof_key,
    make_retention_table,
    make_sweep_memory,
    make_tables,
)

STACK = "callseal-faults"
BUS, SWEEPS, CALLS = f"{STACK}-audit", f"{STACK}-sweep", f"{STACK}-calls"
# The tables of the duties other than delivery, with their keys.
TABLES: Mapping[str, tuple[str, ...]] = {
    "key-register": ("tenant", "fingerprint"), "key-events": ("event_id",), "files": ("tenant", "key"),
    "login-settings": ("tenant",), "calls": ("tenant", "id"),
}  # fmt: skip
# Those of the archive's people.
ARCHIVE_TABLES: Mapping[str, tuple[str, ...]] = {
    "archive-sessions": ("id",), "archive-users": ("tenant", "email"), "archive-trail": ("tenant", "place"),
    "archive-shares": ("id",), "archive-waveforms": ("tenant", "place"), "calls": ("tenant", "id"),
}  # fmt: skip
BUCKETS = (LANDING, SFTP, ARCHIVE)
# Files are small, so that an attempt is fast, but still have several parts. The buffer size, in bytes, keeps small
# objects in memory: otherwise moto derives it from the smallest part size and keeps each object in an open file.
SMALLEST_PART = {"S3_UPLOAD_PART_MIN_SIZE": "1", "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": "5241856"}


@dataclass(frozen=True)
class Stored:
    """An object as it is stored in a bucket. `version` is None if the bucket has no versions."""

    data: bytes
    etag: str
    metadata: Mapping[str, str]
    version: str | None = None


class Cloud:
    """Runs until closed."""

    def __init__(self) -> None:
        os.environ.update(SMALLEST_PART)
        with patch("localcloud.moto_process._SCRIPT", Path(__file__).with_name("moto_server.py")):
            self._mails = Path(mkdtemp(prefix="mails-"))
            self._clock_file = self._mails / "clock"
            self._moto = MotoProcess(
                0, REGION, lambda _: None, mail_dir=str(self._mails), mail_sender=MAIL_FROM,
                clock_file=str(self._clock_file),
            )  # fmt: skip
        self.endpoint_url = self._moto.endpoint_url
        self._s3, self._sqs, self._events = (self._moto.client(name) for name in ("s3", "sqs", "events"))
        self._ssm, self._secrets = self._moto.client("ssm"), self._moto.client("secretsmanager")
        self._dynamodb = self._moto.client("dynamodb")
        make_call_index_key(self._moto.client("kms"), STACK)
        make_sweep_memory(self._dynamodb, SWEEPS)
        make_tables(self._dynamodb, f"{STACK}-key-register", f"{STACK}-key-events")
        make_file_register(self._dynamodb, f"{STACK}-files")
        make_calls_table(self._dynamodb, CALLS)
        make_retention_table(self._dynamodb, f"{STACK}-retention")
        make_proof_key(self._moto.client("kms"), STACK)
        make_login_settings(self._dynamodb, f"{STACK}-login-settings")
        make_archive_tables(self._dynamodb, STACK)
        self._ssm.put_parameter(Name=f"/{STACK}/archive/url", Value=ARCHIVE_URL, Type="String")
        for bucket in (*BUCKETS, AUDIT):
            self._s3.create_bucket(
                Bucket=bucket,
                CreateBucketConfiguration={"LocationConstraint": REGION},
                ObjectLockEnabledForBucket=bucket in LOCKED,
            )
        self.queue_url, queue_arn = self._queue(f"{STACK}-encrypt")
        self.recheck_url, _ = self._queue(f"{STACK}-recheck")
        self.metadata_url, _ = self._queue(f"{STACK}-metadata")
        self.notices_url, _ = self._queue(f"{STACK}-login-notices")
        self.lock_url, _ = self._queue(f"{STACK}-lock")
        self.erasure_url, _ = self._queue(f"{STACK}-erasure")
        self._audit_url, audit_arn = self._queue("audit")
        self._events.create_event_bus(Name=BUS)
        self._events.put_rule(Name="audit", EventBusName=BUS, EventPattern='{"source": ["callseal"]}')
        self._events.put_targets(Rule="audit", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": audit_arn}])
        announced: Any = {"QueueConfigurations": [{"QueueArn": queue_arn, "Events": ["s3:ObjectCreated:*"]}]}
        self._s3.put_bucket_notification_configuration(Bucket=LANDING, NotificationConfiguration=announced)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that template.yaml sets for the functions."""
        return {
            "STACK_NAME": STACK,
            "TENANTS_PREFIX": f"{STACK}/tenants",
            "SWEEP_MEMORY": SWEEPS,
            "CHECK_KEYS_FUNCTION": f"{STACK}-check-keys",
            "LANDING_BUCKET": LANDING,
            "SFTP_BUCKET": SFTP,
            "ARCHIVE_BUCKET": ARCHIVE,
            "MAXIMUM_COMPLIANCE_YEARS": "10",
            "ENCRYPT_QUEUE_URL": self.queue_url,
            "RECHECK_QUEUE_URL": self.recheck_url,
            "METADATA_QUEUE_URL": self.metadata_url,
            "AUDIT_BUS": BUS,
            "KEY_REGISTER": f"{STACK}-key-register",
            "KEY_EVENTS": f"{STACK}-key-events",
            "FILE_REGISTER": f"{STACK}-files",
            "CALLS_TABLE": CALLS,
            "CALL_INDEX_KEY": f"alias/{STACK}-calls",
            "RETENTION_TABLE": f"{STACK}-retention",
            "PROOF_KEY": f"alias/{STACK}-proof",
            "LOCK_QUEUE_URL": self.lock_url,
            "ERASURE_QUEUE_URL": self.erasure_url,
            "ARCHIVE_SESSIONS": f"{STACK}-archive-sessions",
            "ARCHIVE_USERS": f"{STACK}-archive-users",
            "ACCESS_TRAIL": f"{STACK}-archive-trail",
            "ARCHIVE_SHARES": f"{STACK}-archive-shares",
            "ARCHIVE_WAVEFORMS": f"{STACK}-archive-waveforms",
            "ARCHIVE_URL": f"/{STACK}/archive/url",
            "ARCHIVE_PLATFORM_GROUP": "",
            "OIDC_ISSUER": "http://localhost:1",
            "OIDC_CLIENT_ID": "callseal",
            "OIDC_CLIENT_SECRET": f"{STACK}/oidc-client-secret",
            "OIDC_TENANT_CLAIM": "tenant",
            "OIDC_GROUPS_CLAIM": "groups",
            "OIDC_AGENT_CLAIM": "agent",
            "SHARE_MAIL_FROM": MAIL_FROM,
            "SFTP_RETENTION_DAYS": "7",
            "LOGIN_SETTINGS": f"{STACK}-login-settings",
            "LOGIN_NOTICE_QUEUE_URL": self.notices_url,
            "SFTP_SERVER_ID": "s-1",
            "SFTP_BUCKET_ARN": f"arn:aws:s3:::{SFTP}",
            "SFTP_SESSION_ROLE_ARN": f"arn:aws:iam::123456789012:role/{STACK}-sftp-session",
            "STACK_KEY_ARN": f"arn:aws:kms:{REGION}:123456789012:key/stack",
            "AWS_REGION": REGION,
            "AUDIT_BUCKET": AUDIT,
            "AUDIT_LOCK_MODE": "GOVERNANCE",
            "AUDIT_RETENTION_DAYS": "2557",
            "GPG_BINARY": "gpg",
            "POWERTOOLS_SERVICE_NAME": "callseal",
        }

    def close(self) -> None:
        """Stop moto."""
        self._moto.close()
        shutil.rmtree(self._mails, ignore_errors=True)

    def remove(self, places: Iterable[tuple[str, str]], uploads: Iterable[tuple[str, str, str]]) -> None:
        """Delete the objects and uploads that an attempt has left."""
        for bucket, key in places:
            if bucket in LOCKED:
                self._remove_versions(bucket, key)
            else:
                self._s3.delete_object(Bucket=bucket, Key=key)
        for bucket, key, identifier in uploads:
            self._s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=identifier)

    def _remove_versions(self, bucket: str, key: str) -> None:
        for version in self._s3.list_object_versions(Bucket=bucket, Prefix=key).get("Versions", []):
            if version["Key"] == key:
                self._s3.delete_object(
                    Bucket=bucket, Key=key, VersionId=version["VersionId"], BypassGovernanceRetention=True
                )

    def forget_sweeps(self) -> None:
        """Delete the sweep's saved state: the clock of the next trial starts earlier."""
        self._dynamodb.delete_item(TableName=SWEEPS, Key={"id": {"S": "sweep"}})

    def items(self, table: str, tenant: str, key: str) -> dict[str, dict[str, Any]]:
        """Return a tenant's items in a table by their sort key, as plain values."""
        found = self._dynamodb.scan(TableName=f"{STACK}-{table}", ConsistentRead=True)["Items"]
        plain = [{name: int(value["N"]) if "N" in value else value.get("S") for name, value in item.items()}
                 for item in found]  # fmt: skip
        return {item[key]: {name: value for name, value in item.items() if value is not None}
                for item in plain if item["tenant"] == tenant}  # fmt: skip

    def change_challenge(self, tenant: str, name: str, attempts: int) -> None:
        """Set the number of wrong answers to a challenge."""
        self._dynamodb.update_item(
            TableName=f"{STACK}-key-register",
            Key={"tenant": {"S": tenant}, "fingerprint": {"S": f"challenge#{name}"}},
            UpdateExpression="SET attempts = :attempts",
            ExpressionAttributeValues={":attempts": {"N": str(attempts)}},
        )

    def forget_duties(self, tenant: str) -> None:
        """Empty the tables of the duties, and a tenant's SFTP area."""
        self._empty(TABLES)
        for key in self.listing(SFTP):
            if key.startswith(f"{tenant}/"):
                self._s3.delete_object(Bucket=SFTP, Key=key)

    def forget_archive(self) -> None:
        """Empty the tables of the archive's people, and delete the mails."""
        self._empty(ARCHIVE_TABLES)
        for path in self._mails.glob("*.eml"):
            path.unlink()

    def mails(self) -> list[str]:
        """Return the texts of the mails that were sent, the oldest first."""
        read = [message_from_bytes(path.read_bytes(), policy=policy.SMTP) for path in sorted(self._mails.glob("*.eml"))]
        return [mail.get_content() for mail in read]

    def client(self, service: str) -> Any:
        """Return a client that bypasses the proxy."""
        return self._moto.client(service)

    def put_clock_ahead(self, ahead: timedelta) -> None:
        """Put the clock of S3 ahead."""
        self._clock_file.write_text(str(int(ahead.total_seconds())))

    def put_access(self, tenant: str, access: Mapping[str, Any]) -> None:
        """Put who of a tenant may do what in the archive."""
        name = f"/{STACK}/tenants/{tenant}/access"
        self._ssm.put_parameter(Name=name, Value=json.dumps(access), Type="String", Overwrite=True)

    def put_settings(self, tenant: str, settings: Mapping[str, Any]) -> None:
        """Put a tenant's settings."""
        name = f"/{STACK}/tenants/{tenant}/settings"
        self._ssm.put_parameter(Name=name, Value=json.dumps(settings), Type="String", Overwrite=True)

    def put_policy(self, tenant: str, policy: Mapping[str, Any]) -> None:
        """Put a tenant's policy."""
        name, text = f"/{STACK}/tenants/{tenant}/policy", json.dumps(policy)
        self._ssm.put_parameter(Name=name, Value=text, Type="String", Tier="Advanced", Overwrite=True)

    def cards(self, tenant: str) -> list[dict[str, Any]]:
        """Return the items of a tenant's cards, without its salt."""
        items = self._of_calls(tenant)
        return [item for item in items if item["id"] != {"S": "salt"}]

    def forget_calls(self, tenant: str) -> None:
        """Delete a tenant's cards and its salt."""
        for item in self._of_calls(tenant):
            self._dynamodb.delete_item(TableName=CALLS, Key={name: item[name] for name in TABLES["calls"]})

    def hold(self, key: str, reason: str) -> None:
        """Tag a landed object as held."""
        tags = {"callseal-state": "held", "callseal-reason": reason}
        tag_set: Any = [{"Key": name, "Value": value} for name, value in tags.items()]
        self._s3.put_object_tagging(Bucket=LANDING, Key=key, Tagging={"TagSet": tag_set})

    def put_key(self, tenant: str, text: str) -> str:
        """Store a tenant's key and return the secret's version."""
        return self.put_secret(tenant, "public-key", text)

    def put_secret(self, tenant: str, which: str, text: str) -> str:
        """Store one of a tenant's secrets and return its version."""
        WATCH.learn(text)
        name = f"{STACK}/tenants/{tenant}/{which}"
        try:
            answer = self._secrets.put_secret_value(SecretId=name, SecretString=text)
        except self._secrets.exceptions.ResourceNotFoundException:
            answer = self._secrets.create_secret(Name=name, SecretString=text)
        return str(answer["VersionId"])

    def put(self, bucket: str, key: str, data: bytes, metadata: Mapping[str, str] | None = None) -> str:
        """Put an object and return its etag."""
        if bucket == LANDING:
            WATCH.landed(key)
        answer = self._s3.put_object(Bucket=bucket, Key=key, Body=data, Metadata=metadata or {})
        return str(answer["ETag"]).strip('"')

    def read(self, bucket: str, key: str) -> Stored | None:
        """Return an object, or None if it does not exist."""
        try:
            answer = self._s3.get_object(Bucket=bucket, Key=key)
        except ClientError:
            return None
        return Stored(answer["Body"].read(), answer["ETag"].strip('"'), answer["Metadata"], answer.get("VersionId"))

    def put_audit(self, key: str) -> str:
        """Put an object into the audit bucket, as Firehose does, and return its version."""
        return str(self._s3.put_object(Bucket=AUDIT, Key=key, Body=b"{}")["VersionId"])

    def put_version(self, bucket: str, key: str) -> str:
        """Put an object into a bucket with versions, and return its version."""
        return str(self._s3.put_object(Bucket=bucket, Key=key, Body=b"said")["VersionId"])

    def lock_end(self, bucket: str, key: str, version: str) -> tuple[str | None, datetime | None]:
        """Return the mode and the end of a version's lock."""
        found = self._s3.head_object(Bucket=bucket, Key=key, VersionId=version)
        return found.get("ObjectLockMode"), found.get("ObjectLockRetainUntilDate")

    def lock(self, key: str, version: str) -> tuple[str | None, int | None]:
        """Return the mode of an audit object's lock, and its length in days from the time of writing."""
        found = self._s3.head_object(Bucket=AUDIT, Key=key, VersionId=version)
        until = found.get("ObjectLockRetainUntilDate")
        return found.get("ObjectLockMode"), (until - found["LastModified"]).days if until else None

    def tags(self, key: str) -> dict[str, str]:
        """Return a landed object's tags, or none if the object does not exist."""
        try:
            tags = self._s3.get_object_tagging(Bucket=LANDING, Key=key)["TagSet"]
        except ClientError:
            return {}
        return {tag["Key"]: tag["Value"] for tag in tags}

    def listing(self, bucket: str) -> dict[str, str]:
        """Return the etags of a bucket's objects by key."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {item["Key"]: item["ETag"].strip('"') for page in pages for item in page.get("Contents", [])}

    def unfinished_uploads(self) -> list[tuple[str, str, str]]:
        """List the multipart uploads that were neither completed nor aborted: bucket, key, id."""
        return [
            (bucket, upload["Key"], upload["UploadId"])
            for bucket in (SFTP, ARCHIVE)
            for upload in self._s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        ]

    def audit(self) -> list[dict[str, Any]]:
        """Return the events that the bus has accepted since the last call."""
        return [json.loads(message["Body"]) for message in self._take(self._audit_url)]

    def messages(self, url: str) -> list[dict[str, Any]]:
        """Receive a queue's messages in the shape that Lambda passes to a function. They are never redelivered."""
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{url.rpartition('/')[2]}",
                "awsRegion": REGION,
            }
            for message in self._receive(url)
        ]

    def delete_message(self, url: str, message: Mapping[str, Any]) -> None:
        """Delete a message from its queue: it was processed, or is a dead letter."""
        self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["receiptHandle"])

    def _empty(self, tables: Mapping[str, tuple[str, ...]]) -> None:
        for table, keys in tables.items():
            for item in self._dynamodb.scan(TableName=f"{STACK}-{table}")["Items"]:
                self._dynamodb.delete_item(TableName=f"{STACK}-{table}", Key={name: item[name] for name in keys})

    def _of_calls(self, tenant: str) -> list[dict[str, Any]]:
        return list(
            self._dynamodb.query(
                TableName=CALLS,
                KeyConditionExpression="tenant = :tenant",
                ExpressionAttributeValues={":tenant": {"S": tenant}},
                ConsistentRead=True,
            )["Items"]
        )

    def take_all(self, url: str) -> None:
        """Delete the messages of a queue."""
        self._take(url)

    def _take(self, url: str) -> list[Any]:
        messages = self._receive(url)
        for start in range(0, len(messages), 10):
            some = messages[start : start + 10]
            entries = [{"Id": one["MessageId"], "ReceiptHandle": one["ReceiptHandle"]} for one in some]
            self._sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        return messages

    def _receive(self, url: str) -> list[Any]:
        received: list[Any] = []
        while True:
            answer = self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=43_000)
            some = answer.get("Messages", [])
            received += some
            if len(some) < 10:
                return received

    def _queue(self, name: str) -> tuple[str, str]:
        url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        return url, attributes["QueueArn"]
