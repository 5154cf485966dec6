"""Holds and an erasure over HTTP on the complete local cloud, by two people who sign in."""

from __future__ import annotations

import subprocess
from base64 import b64decode
from pathlib import Path

import pytest

from localcloud.http.client import Client
from tests.e2e.archive.conftest import PLAIN, PROFILE, WAV, Archive, metadata
from tests.e2e.localcloud.support import eventually

NUMBER = "+4791000001"
ACCESS = {"grants": [{"group": "officers", "may": ["search", "play", "hold", "erase"]}]}
KARI, OLA = "kari@law.example", "ola@law.example"


@pytest.fixture(scope="module")
def call(archive: Archive) -> str:
    """Return a call of a tenant of its own."""
    archive.parameter("law", "settings", PLAIN | PROFILE)
    archive.parameter("law", "access", ACCESS)
    archive.land("law", "2026/11/1_1", WAV, metadata(caller=NUMBER, queue="sales"))
    archive.cloud.wait_until_idle()
    (found,) = archive.client(tenant="law", email=KARI).get("/api/calls").json["calls"]
    return str(found["id"])


@pytest.fixture(scope="module")
def kari(archive: Archive, call: str) -> Client:
    assert call
    return archive.client(tenant="law", email=KARI)


@pytest.fixture(scope="module")
def ola(archive: Archive, call: str) -> Client:
    assert call
    return archive.client(tenant="law", email=OLA)


def state_of_hold(client: Client, name: str) -> str:
    return str(next(hold["state"] for hold in client.get("/api/holds").json["holds"] if hold["name"] == name))


def test_hold_begins_and_ends_with_two_people(archive: Archive, call: str, kari: Client, ola: Client) -> None:
    placed = kari.post(f"/api/calls/{call}/holds", {"name": "case 1", "reason": "Complaint"})
    assert (placed.status, placed.json) == (202, {"name": "case 1", "state": "placing"})
    eventually(lambda: state_of_hold(ola, "case 1") == "held")
    assert kari.get(f"/api/calls/{call}").json["holds"] == ["case 1"]
    assert kari.post("/api/erasures", {"call": call, "basis": "GDPR"}).json["counts"] == {"held": 2, "pending": 2}
    assert ola.post("/api/holds/case%201/release").status == 200
    assert ola.post("/api/holds/case%201/approve").error == (403, "SecondPersonNeeded")
    assert kari.post("/api/holds/case%201/approve").status == 202
    eventually(lambda: state_of_hold(ola, "case 1") == "released")
    assert kari.get(f"/api/calls/{call}").json["holds"] == []


def test_erasure_is_carried_out_and_certified(
    archive: Archive, call: str, kari: Client, ola: Client, tmp_path: Path
) -> None:
    started = kari.post("/api/erasures", {"caller": "0047 91 00 00 01", "basis": "GDPR, article 17"})
    assert started.status == 201
    path = f"/api/erasures/{started.json['request']}"
    assert kari.post(f"{path}/approve").error == (403, "SecondPersonNeeded")
    assert ola.post(f"{path}/approve").status == 202
    # It waits for its erasure, or is gone already.
    assert kari.post(f"/api/calls/{call}/access", {"action": "play", "file": 0}).status in (404, 409)
    eventually(lambda: kari.get(path).json["state"] == "done")
    certificate = kari.get(f"{path}/certificate")
    document = certificate.json
    assert {file["state"] for file in document["files"]} <= {"erased", "gone"} and document["request"] in path
    s3, bucket = archive.cloud.client("s3"), archive.cloud.outputs["SftpBucketName"]
    key = s3.get_object(Bucket=bucket, Key=f"law/proof/keys/{document['key']}.pem")["Body"].read()
    for name, data in {
        "key.pem": key,
        "certificate": certificate.data,
        "signature": b64decode(certificate.headers["x-callseal-signature"]),
    }.items():
        (tmp_path / name).write_bytes(data)
    subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "certificate"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    versions = s3.list_object_versions(Bucket=archive.cloud.outputs["ArchiveBucketName"], Prefix="law/")
    assert not versions.get("Versions") and not versions.get("DeleteMarkers")
