"""One local cloud with tenants whose calls are in the archive, plain and sealed, and people who sign in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from localcloud import LocalCloud, Pace
from localcloud.http.client import Client
from tests.support.keys import openpgp_tenant, x509_tenant

PLAIN = {"encrypt": False, "deliver_to_archive": True, "archive_formats": ["wav", "mp3"], "call_index": "plain"}
SEALED = {"deliver_to_archive": True, "archive_formats": ["wav", "mp3"], "call_index": "plain"}
PROFILE = {"metadata_profile": "generic", "default_region": "NO"}
ACCESS = {
    "grants": [
        {"group": "agents", "may": ["search", "play"], "scope": "own"},
        {"group": "leads", "may": ["search", "play", "download"], "queues": ["sales*"]},
        {
            "group": "officers",
            "may": ["search", "play", "download", "share", "audit"],
            "restricted": True,
            "sensitive": True,
        },
        {"group": "governors", "may": ["hold", "erase"], "restricted": True, "sensitive": True},
    ]
}
SAMPLES = Path(__file__).resolve().parents[2] / "samples"
WAV = (SAMPLES / "4711000000000001_1.wav").read_bytes()
# An hour, of frames that need no others: 16 kbit/s, without a header that says how many there are.
HOUR = (SAMPLES / "4711000000000002_1.mp3").read_bytes() * 486
CALLER, HOUR_CALLER = "+4722334455", "+4799887766"
TERMS = {"version": "2026-11", "text": "Recordings are confidential.\nThey serve quality and training only."}


def metadata(**facts: Any) -> dict[str, Any]:
    """Return what a platform says of an incoming call of today."""
    return {"startTime": datetime.now(UTC).isoformat(), "durationSeconds": 14, "direction": "in", **facts}


@dataclass
class Archive:
    """The archive of a local cloud, as operators, platforms and people see it."""

    cloud: LocalCloud
    state: Path
    calls: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The page's URL."""
        return self.cloud.outputs["ArchiveUrl"]

    @property
    def outputs(self) -> dict[str, str]:
        """What `.local/outputs.json` says, which has more than the stack's outputs."""
        return dict(json.loads((self.state / "outputs.json").read_text()))

    def client(self, groups: str = "officers", tenant: str = "acme", email: str = "kari@acme.example") -> Client:
        """Return a browser that has signed in."""
        client = Client(self.url)
        assert client.sign_in(email, tenant, groups).status == 200
        return client

    def parameter(self, tenant: str, name: str, value: Any) -> None:
        """Put one of a tenant's parameters, as an operator does."""
        full = f"/{self.cloud.stack_name}/tenants/{tenant}/{name}"
        text = json.dumps(value)
        self.cloud.client("ssm").put_parameter(Name=full, Type="String", Value=text, Overwrite=True)

    def key(self, tenant: str, text: str) -> None:
        """Put a tenant's public key."""
        name = f"{self.cloud.stack_name}/tenants/{tenant}/public-key"
        self.cloud.client("secretsmanager").create_secret(Name=name, SecretString=text)

    def land(self, tenant: str, name: str, data: bytes, facts: Mapping[str, Any], extension: str = "wav") -> None:
        """Land a call's recording and its metadata."""
        s3, bucket = self.cloud.client("s3"), self.cloud.outputs["LandingBucketName"]
        s3.put_object(Bucket=bucket, Key=f"{tenant}/{name}.json", Body=json.dumps(facts).encode())
        s3.put_object(Bucket=bucket, Key=f"{tenant}/{name}.{extension}", Body=data)

    def mails(self) -> list[str]:
        """Return the mails that were sent, the oldest first."""
        paths = sorted(Path(self.outputs["MailDir"]).glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        return [path.read_text() for path in paths]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Start the cloud, and wait until the calls are in the archive."""
    state = tmp_path_factory.mktemp("archive")
    with LocalCloud(state_dir=state, pace=Pace(change_poll=3600.0)) as cloud:
        archive = Archive(cloud, state)
        # At its first request the issuer imports its library, for which sign_in may not wait on a busy machine.
        Client(archive.outputs["OidcIssuer"]).get("/.well-known/openid-configuration")
        for tenant, settings in {"acme": PLAIN, "globex": PLAIN, "cms": SEALED, "pgp": SEALED}.items():
            archive.parameter(tenant, "settings", settings | PROFILE)
            archive.parameter(tenant, "access", ACCESS)
        archive.parameter("globex", "access", ACCESS | {"reason_for": ["play", "download", "share"]})
        archive.parameter("strict", "settings", PLAIN)
        archive.parameter("strict", "access", ACCESS | {"terms": TERMS})
        archive.key("cms", x509_tenant().public_text)
        archive.key("pgp", openpgp_tenant().public_text)
        for tenant in ("acme", "globex", "cms", "pgp"):
            archive.land(tenant, "2026/11/1_1", WAV, metadata(caller=CALLER, queue="sales", agent="ola"))
        archive.land("acme", "2026/11/2_1", WAV, metadata(queue="support", agent="kari@acme.example"))
        archive.land("acme", "2026/11/3_1", WAV, metadata(queue="sales", restricted=True))
        archive.land("acme", "2026/11/4_1", WAV, metadata(queue="sales", sensitive=True))
        archive.land("acme", "2026/11/9_1", HOUR, metadata(caller=HOUR_CALLER) | {"durationSeconds": 3604}, "mp3")
        cloud.wait_until_idle()
        for tenant in ("acme", "globex", "cms", "pgp"):
            officer = archive.client(tenant=tenant, email=f"officer@{tenant}.example")
            found = officer.get("/api/calls").json["calls"]
            archive.calls |= {f"{tenant}/{call['name'][8:]}": call["id"] for call in found}
        assert len(archive.calls) == 8, archive.calls
        yield archive
