"""Actions of an operator, the platform and a tenant on the complete system in the local cloud."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localcloud import LocalCloud
from tests.e2e.localcloud.support import eventually
from tests.support.keys import OpenPgpTenant, X509Tenant

CODE = re.compile(r"^ {4}([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})$", re.MULTILINE)
Tenant = X509Tenant | OpenPgpTenant


@dataclass
class Console:
    """Actions of an operator and of the platform, by the services' own calls."""

    cloud: LocalCloud
    landed: dict[str, datetime] = field(default_factory=dict)

    def secret(self, tenant: str) -> str:
        return f"{self.cloud.stack_name}/tenants/{tenant}/public-key"

    def take_on(self, tenant: str, key: Tenant, **settings: Any) -> None:
        name = f"/{self.cloud.stack_name}/tenants/{tenant}/settings"
        self.cloud.client("ssm").put_parameter(Name=name, Type="String", Value=json.dumps(settings))
        self.cloud.client("secretsmanager").create_secret(Name=self.secret(tenant), SecretString=key.public_text)

    def paste(self, tenant: str, text: str) -> None:
        """Edit the secret's plaintext and save: a new version receives the labels."""
        self.cloud.client("secretsmanager").put_secret_value(SecretId=self.secret(tenant), SecretString=text)

    def versions(self, tenant: str) -> dict[str, str]:
        """Return the version of each label."""
        described = self.cloud.client("secretsmanager").describe_secret(SecretId=self.secret(tenant))
        return {label: version for version, labels in described["VersionIdsToStages"].items() for label in labels}

    def put_back(self, tenant: str) -> None:
        """Move the label back to the previous version."""
        now = self.versions(tenant)
        self.cloud.client("secretsmanager").update_secret_version_stage(
            SecretId=self.secret(tenant),
            VersionStage="AWSCURRENT",
            MoveToVersionId=now["AWSPREVIOUS"],
            RemoveFromVersionId=now["AWSCURRENT"],
        )

    def land(self, key: str, data: bytes | None = None) -> None:
        self.landed[key] = datetime.now().astimezone()
        body = f"said in {key}".encode() if data is None else data
        self.cloud.client("s3").put_object(Bucket=self.cloud.outputs["LandingBucketName"], Key=key, Body=body)

    def policy(self, tenant: str, policy: dict[str, Any]) -> None:
        """Write a tenant's policy."""
        name = f"/{self.cloud.stack_name}/tenants/{tenant}/policy"
        text = json.dumps(policy)
        self.cloud.client("ssm").put_parameter(Name=name, Type="String", Tier="Advanced", Value=text, Overwrite=True)

    def audit(self, kind: str, tenant: str) -> list[dict[str, Any]]:
        pages = self.cloud.client("logs").get_paginator("filter_log_events")
        group = self.cloud.outputs["AuditLogGroupName"]
        events = [json.loads(one["message"]) for page in pages.paginate(logGroupName=group) for one in page["events"]]
        found = [one["detail"] for one in events if (one["detail-type"], one["detail"]["tenant"]) == (kind, tenant)]
        return sorted(found, key=lambda detail: str(detail["time"]))

    def delivered(self, tenant: str) -> dict[str, dict[str, Any]]:
        """Return the delivery of each landing key. Repeats have the same id."""
        return {detail["source"]["key"]: detail for detail in self.audit("RecordingDelivered", tenant)}

    def fetch(self, key: str) -> bytes:
        bucket = self.cloud.outputs["SftpBucketName"]
        data: bytes = self.cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return data

    def keys(self, prefix: str, bucket: str = "SftpBucketName") -> list[str]:
        listed = self.cloud.client("s3").list_objects_v2(Bucket=self.cloud.outputs[bucket], Prefix=prefix)
        return [one["Key"] for one in listed.get("Contents", [])]

    def prove(self, tenant: str, key: Tenant, fingerprint: str) -> None:
        """Open the challenge with the tenant's own tool, and upload the code as by SFTP."""
        text = key.open(self.fetch(f"{tenant}/key-check/{fingerprint}.txt{suffix(key)}")).decode()
        self.cloud.client("s3").put_object(
            Bucket=self.cloud.outputs["SftpBucketName"],
            Key=f"{tenant}/key-check/{fingerprint}.answer",
            Body=CODE.findall(text)[0].lower().encode(),
        )

    def sweep(self) -> None:
        """Start the sweep, which in production runs every 5 minutes."""
        name = f"{self.cloud.stack_name}-sweep-landing"
        self.cloud.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")

    def accepted(self, tenant: str) -> dict[str, Any]:
        """Wait until the current version of a tenant's secret is accepted, and return that event."""
        version = self.versions(tenant)["AWSCURRENT"]
        found: list[dict[str, Any]] = eventually(
            lambda: [one for one in self.audit("KeyAccepted", tenant) if one["key_version"] == version]
        )
        return found[-1]


def suffix(key: Tenant) -> str:
    return ".p7m" if isinstance(key, X509Tenant) else ".pgp"


def names(detail: dict[str, Any]) -> tuple[str, ...]:
    """Return the fingerprints of what the recipients encrypt with."""
    return tuple(one["subkey"] or one["fingerprint"] for one in detail["recipients"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
