"""One local cloud with three tenants, and clients that fetch from it: OpenSSH's sftp and paramiko."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
import pytest

from localcloud import LocalCloud

TENANTS = ("acme", "nordlys", "acme-two")


@dataclass
class Front:
    """The SFTP front of a local cloud, as tenants and operators see it."""

    cloud: LocalCloud
    state: Path
    folder: Path
    _seen: set[str] = field(default_factory=set)
    _changed: set[str] = field(default_factory=lambda: set(TENANTS))

    @property
    def port(self) -> int:
        return int(self.cloud.outputs["SftpPort"])

    def key(self, name: str, kind: str = "ed25519", bits: int = 0) -> Path:
        """Return an SSH key, which is made at its first use."""
        path = self.folder / f"{name}-{kind}{bits or ''}"
        if not path.exists():
            size = ["-b", str(bits)] if bits else []
            subprocess.run(["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-f", path], check=True)
        return path

    def public(self, name: str, kind: str = "ed25519", bits: int = 0) -> str:
        return self.key(name, kind, bits).with_suffix(".pub").read_text()

    def let_in(self, tenant: str, keys: str) -> None:
        """Put keys into a tenant's secret, as an operator does."""
        self._changed.add(tenant)
        secrets, name = self.cloud.client("secretsmanager"), f"{self.cloud.stack_name}/tenants/{tenant}/sftp-keys"
        try:
            secrets.put_secret_value(SecretId=name, SecretString=keys)
        except secrets.exceptions.ResourceNotFoundException:
            secrets.create_secret(Name=name, SecretString=keys)

    def set(self, tenant: str, **settings: Any) -> None:
        """Put a tenant's settings, and drop the cached copy so that the next login uses them."""
        self._changed.add(tenant)
        name = f"/{self.cloud.stack_name}/tenants/{tenant}/settings"
        self.cloud.client("ssm").put_parameter(Name=name, Type="String", Value=json.dumps(settings), Overwrite=True)
        table = f"{self.cloud.stack_name}-login-settings"
        self.cloud.client("dynamodb").delete_item(TableName=table, Key={"tenant": {"S": tenant}})

    def reset(self) -> None:
        """Restore default settings and the single key of changed tenants, and empty the bucket."""
        for tenant in self._changed & set(TENANTS):
            self.let_in(tenant, self.public(tenant))
            self.set(tenant)
        self._changed.clear()
        s3, bucket = self.cloud.client("s3"), self.cloud.outputs["SftpBucketName"]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for key in [item["Key"] for page in pages for item in page.get("Contents", [])]:
            s3.delete_object(Bucket=bucket, Key=key)
        self.audit()

    def deliver(self, key: str, data: bytes) -> None:
        """Put a file under a delivery's key."""
        self.cloud.client("s3").put_object(Bucket=self.cloud.outputs["SftpBucketName"], Key=key, Body=data)

    def delivered(self, prefix: str = "") -> dict[str, bytes]:
        """Return the objects in the SFTP bucket."""
        s3, bucket = self.cloud.client("s3"), self.cloud.outputs["SftpBucketName"]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def options(self, key: Path | None, **more: str) -> list[str]:
        """Return OpenSSH's options for this front, without the machine's configuration, and with host key checks."""
        given = {
            "BatchMode": "yes", "IdentitiesOnly": "yes", "IdentityAgent": "none", "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self.state / "sftp/known_hosts"), "ConnectTimeout": "30", **more,
        }  # fmt: skip
        identity = ["-i", str(key)] if key else ["-o", "IdentityFile=none"]
        return ["-F", "none", "-P", str(self.port), *identity, *(f"-o{name}={value}" for name, value in given.items())]

    def sftp(
        self, batch: str, user: str = "acme", key: Path | None = None, cwd: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run OpenSSH's sftp on a batch. A line that begins with `-` may fail."""
        command = ["sftp", *self.options(key or self.key(user), **more), "-b", "-", f"{user}@127.0.0.1"]
        return subprocess.run(command, input=batch, capture_output=True, text=True, cwd=cwd, timeout=300)

    @contextmanager
    def session(self, user: str = "acme", key: Path | None = None) -> Iterator[paramiko.SFTPClient]:
        """Open a session with paramiko."""
        with paramiko.SSHClient() as client:
            client.load_host_keys(str(self.state / "sftp/known_hosts"))
            client.connect(
                "127.0.0.1", self.port, user, key_filename=str(key or self.key(user)), allow_agent=False,
                look_for_keys=False, timeout=300, banner_timeout=300, auth_timeout=300,
            )  # fmt: skip
            with client.open_sftp() as sftp:
                yield sftp

    def audit(self) -> list[dict[str, Any]]:
        """Return the SFTP events that have arrived in the audit trail since the last call."""
        self.cloud.wait_until_idle()
        pages = self.cloud.client("logs").get_paginator("filter_log_events").paginate(
            logGroupName=self.cloud.outputs["AuditLogGroupName"]
        )  # fmt: skip
        found = [json.loads(entry["message"]) for page in pages for entry in page["events"]]
        new = [
            event
            for event in found
            if event["id"] not in self._seen and event["detail-type"].startswith(("Sftp", "FileFetched"))
        ]
        self._seen |= {event["id"] for event in new}
        return new

    def told(self, detail_type: str) -> list[Mapping[str, Any]]:
        """Return the details of the new events of one type. The others are dropped."""
        return [event["detail"] for event in self.audit() if event["detail-type"] == detail_type]


@pytest.fixture(scope="package")
def sftp_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    assert shutil.which("sftp"), "There is no sftp on this machine (Debian: apt-get install openssh-client)."
    state = tmp_path_factory.mktemp("state")
    with LocalCloud(state_dir=state) as cloud:
        yield Front(cloud, state, tmp_path_factory.mktemp("keys"))


@pytest.fixture
def front(sftp_cloud: Front) -> Front:
    """Return the front with an empty bucket, default settings and one key a tenant."""
    sftp_cloud.reset()
    return sftp_cloud
