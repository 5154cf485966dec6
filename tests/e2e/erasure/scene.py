"""The people of an erasure on a local cloud: two officers with the command, the tenant by SFTP, a share's recipient."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from localcloud import LocalCloud
from localcloud.http.client import Client
from tests.e2e.cli.command import Answer, run
from tests.support import shares
from tests.support.keys import OpenPgpTenant, X509Tenant

KARI, OLA = "kari@acme.example", "ola@acme.example"
IDLE_SECONDS = 180


@dataclass
class Scene:
    """A local cloud with tenants, and the steps of people."""

    cloud: LocalCloud
    folder: Path
    said: list[str] = field(default_factory=list)

    def take_on(self, tenant: str, key: X509Tenant | OpenPgpTenant, settings: Any, **documents: Any) -> None:
        """Store a tenant's settings, policy and access, its key and an SSH key."""
        ssm, prefix = self.cloud.client("ssm"), f"/{self.cloud.stack_name}/tenants/{tenant}"
        for name, value in {"settings": settings, **documents}.items():
            ssm.put_parameter(Name=f"{prefix}/{name}", Type="String", Tier="Advanced", Value=json.dumps(value))
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / tenant], check=True)
        secrets = self.cloud.client("secretsmanager")
        for name, text in {
            "public-key": key.public_text, "sftp-keys": (self.folder / f"{tenant}.pub").read_text()
        }.items():  # fmt: skip
            secrets.create_secret(Name=f"{prefix[1:]}/{name}", SecretString=text)

    def settle(self) -> None:
        """Wait until nothing is left to do."""
        self.cloud.wait_until_idle(IDLE_SECONDS)

    def callseal(self, *arguments: str, person: str = KARI, code: int = 0) -> Any:
        """Run the command with `--json`, and return its answer."""
        answer = self.run(*arguments, "--json", person=person)
        assert answer.code == code, answer
        return json.loads(answer.out)

    def run(self, *arguments: str, person: str = KARI) -> Answer:
        """Run the command as a person. What it prints about erasures is kept in `said`."""
        cloud = self.cloud
        env = {"AWS_ENDPOINT_URL": cloud.endpoint_url, "CALLSEAL_STACK": cloud.stack_name, "AWS_REGION": cloud.region}
        answer = run(*arguments, env=env | {"CALLSEAL_USER": person}, cwd=self.folder)
        if arguments[0] == "erase":
            self.said.append(f"{answer.out}\n{answer.err}")
        return answer

    def sftp(self, tenant: str, batch: str) -> None:
        """Run OpenSSH's sftp as a tenant."""
        options = {
            "BatchMode": "yes", "IdentitiesOnly": "yes", "IdentityAgent": "none", "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self.cloud.state_dir / "sftp/known_hosts"), "ConnectTimeout": "30",
        }  # fmt: skip
        command = ["sftp", "-F", "none", "-P", self.cloud.outputs["SftpPort"], "-i", str(self.folder / tenant)]
        command += [f"-o{name}={value}" for name, value in options.items()]
        done = subprocess.run(
            [*command, "-b", "-", f"{tenant}@127.0.0.1"], input=batch, capture_output=True, text=True, cwd=self.folder
        )
        assert done.returncode == 0, done.stderr

    def officer(self, tenant: str = "acme") -> Client:
        """Return the browser of an officer who has signed in."""
        outputs = json.loads((self.cloud.state_dir / "outputs.json").read_text())
        # At its first request the issuer imports its library, for which sign_in may not wait on a busy machine.
        Client(outputs["OidcIssuer"]).get("/.well-known/openid-configuration")
        client = Client(self.cloud.outputs["ArchiveUrl"])
        assert client.sign_in(KARI, tenant, "officers").status == 200
        return client

    def mail(self) -> str:
        """Return the text of the last mail."""
        paths = sorted((self.cloud.state_dir / "mail").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        body = message_from_bytes(paths[-1].read_bytes(), policy=policy.SMTP).get_body()  # type: ignore[attr-defined]
        return str(body.get_content())

    def share(self, officer: Client, call: str, file: int) -> tuple[Client, str]:
        """Share a recording and open it as the recipient. Return the recipient's browser and the path of the sound."""
        asked = {"call": call, "file": file, "to": shares.TO, "days": 30, "language": "en", "reason": "complaint"}
        assert (made := officer.post("/api/shares", asked)).status == 201, made.data
        identifier, secret = shares.link(self.mail())
        browser = Client(self.cloud.outputs["ArchiveUrl"])
        assert browser.post(f"/s/{identifier}/code", {"secret": secret}).status == 200
        opened = browser.post(f"/s/{identifier}/open", {"secret": secret, "code": shares.code(self.mail())})
        assert opened.status == 200, opened.data
        return browser, f"/s/{identifier}/audio"

    def audit(self, kind: str, tenant: str) -> list[dict[str, Any]]:
        """Return the details of a tenant's audit events of a kind, each id once."""
        pages = self.cloud.client("logs").get_paginator("filter_log_events")
        group = self.cloud.outputs["AuditLogGroupName"]
        events = [json.loads(each["message"]) for page in pages.paginate(logGroupName=group) for each in page["events"]]
        of_kind = [each["detail"] for each in events if each["detail-type"] == kind]
        return [*{each["id"]: each for each in of_kind if each["tenant"] == tenant}.values()]

    def get(self, output: str, key: str) -> bytes:
        """Return an object's bytes."""
        found = self.cloud.client("s3").get_object(Bucket=self.cloud.outputs[output], Key=key)
        return bytes(found["Body"].read())

    def certificate(self, tenant: str, request: str) -> dict[str, Any]:
        """Save a request's last certificate by the command, verify it with openssl, and return it."""
        names = self.callseal("erase", "certificate", tenant, request, "--to", "answer")
        path, signature = self.folder / names["certificate"], self.folder / names["signature"]
        document: dict[str, Any] = json.loads(path.read_text())
        pem = self.folder / "key.pem"
        pem.write_bytes(self.get("SftpBucketName", f"{tenant}/proof/keys/{document['key']}.pem"))
        verify = ["openssl", "dgst", "-sha256", "-verify", str(pem), "-signature", str(signature), str(path)]
        assert subprocess.run(verify, capture_output=True).returncode == 0
        return document
