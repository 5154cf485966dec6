"""What the platform and its operator do and see, with plain boto3 and public interfaces only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from callseal.tenants.names import (
    access_parameter,
    key_secret,
    policy_parameter,
    settings_parameter,
    sftp_keys_secret,
    tenants_prefix,
)
from localcloud.cloud import LocalCloud
from localcloud.demo.tenants import Tenant


class Operator:
    """Adds tenants, uploads files, and reads buckets, tags, the audit trail and queues."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self._s3, self._secrets = cloud.client("s3"), cloud.client("secretsmanager")
        self._ssm, self._logs, self._sqs = cloud.client("ssm"), cloud.client("logs"), cloud.client("sqs")
        self._prefix = tenants_prefix(cloud.stack_name)
        self._buckets = {name: cloud.outputs[f"{name}BucketName"] for name in ("Landing", "Sftp", "Archive")}

    def add(self, tenant: Tenant, key: str | None) -> None:
        """Paste a tenant's key, if it has one, into a new secret, and its settings into a parameter."""
        if key:
            self._secrets.create_secret(Name=key_secret(self._prefix, tenant.name), SecretString=key)
        name = settings_parameter(self._prefix, tenant.name)
        self._ssm.put_parameter(Name=name, Value=tenant.settings_text, Type="String")

    def put_policy(self, tenant: Tenant, policy: Mapping[str, Any]) -> None:
        """Store a tenant's policy, as `callseal policy put` does."""
        name = policy_parameter(self._prefix, tenant.name)
        self._ssm.put_parameter(Name=name, Value=json.dumps(policy), Type="String", Tier="Advanced")

    def put_access(self, tenant: Tenant, access: Mapping[str, Any]) -> None:
        """Store who of a tenant may do what in the archive."""
        self._ssm.put_parameter(
            Name=access_parameter(self._prefix, tenant.name), Value=json.dumps(access), Type="String"
        )

    def add_ssh_key(self, tenant: Tenant, key: str) -> None:
        """Paste a tenant's SSH key into a new secret."""
        self._secrets.create_secret(Name=sftp_keys_secret(self._prefix, tenant.name), SecretString=key)

    def files(self, bucket: str, tenant: Tenant) -> dict[str, bytes]:
        """Return a tenant's objects in a bucket by their names without folders."""
        return {key.rpartition("/")[2]: self.fetch(bucket, key) for key in self.keys(bucket, f"{tenant.name}/")}

    def replace_key(self, tenant: Tenant, key: str) -> None:
        """Paste a new key into a tenant's secret."""
        self._secrets.put_secret_value(SecretId=key_secret(self._prefix, tenant.name), SecretString=key)

    def land(self, tenant: Tenant, path: Path) -> None:
        """Upload a file to landing, as the platform does when a call has ended."""
        self._s3.upload_file(str(path), self._buckets["Landing"], f"{tenant.name}/{path.name}")

    def keys(self, bucket: str, prefix: str = "") -> Iterator[str]:
        """Return the keys in a bucket (`Landing`, `Sftp`, `Archive`)."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._buckets[bucket], Prefix=prefix)
        return (item["Key"] for page in pages for item in page.get("Contents", []))

    def wait_for_empty_landing(self, tenant: Tenant, seconds: float) -> None:
        """Wait until no file of a tenant is in landing. Raise TimeoutError."""
        deadline = monotonic() + seconds
        while list(self.keys("Landing", f"{tenant.name}/")):
            if monotonic() > deadline:
                raise TimeoutError(f"After {seconds} s the files of {tenant.name} are still held.")
            sleep(0.1)
        self.cloud.wait_until_idle(seconds)

    def fetch(self, bucket: str, key: str) -> bytes:
        """Return an object's bytes."""
        data: bytes = self._s3.get_object(Bucket=self._buckets[bucket], Key=key)["Body"].read()
        return data

    def state(self, bucket: str, file: str) -> str:
        """Return words for what a bucket has of a landed file: "-", "plain", "sealed .p7m", or its tags in landing."""
        keys = list(self.keys(bucket, file))
        if not keys:
            return "-"
        if bucket == "Landing":
            return self._held_state(file)
        return ", ".join("plain" if key == file else f"sealed {key.removeprefix(file)}" for key in keys)

    def audit(self) -> list[dict[str, Any]]:
        """Return the events of the audit trail by time."""
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=self.cloud.outputs["AuditLogGroupName"]
        )
        events = [json.loads(entry["message"]) for page in pages for entry in page["events"]]
        return sorted(events, key=lambda event: str(event["detail"]["time"]))

    def held(self, tenant: Tenant) -> list[Mapping[str, Any]]:
        """Return the details of a tenant's RecordingHeld events, the last one for each file."""
        details = [event["detail"] for event in self.audit() if event["detail-type"] == "RecordingHeld"]
        return list({detail["source"]["key"]: detail for detail in details if detail["tenant"] == tenant.name}.values())

    def dead_letters(self) -> int:
        """Return the number of messages in the dead-letter queue."""
        url, name = self.cloud.outputs["EncryptDeadLetterQueueUrl"], "ApproximateNumberOfMessages"
        return int(self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])

    def _held_state(self, file: str) -> str:
        tags = self._s3.get_object_tagging(Bucket=self._buckets["Landing"], Key=file)["TagSet"]
        values = {tag["Key"]: tag["Value"] for tag in tags}
        return f"{values.get('callseal-state', 'waiting')} {values.get('callseal-reason', '')}".strip()
