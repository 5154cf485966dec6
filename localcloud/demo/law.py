"""The demo's law: recordings that must be kept, that are held, that go in time, and that go because a person asks."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localcloud.demo.diary import PATIENCE_SECONDS, Diary
from localcloud.demo.erasure import show_copy, show_erasure
from localcloud.demo.fetching import make_key
from localcloud.demo.operator import Operator
from localcloud.demo.screen import Screen
from localcloud.demo.tenants import Tenant

KEEP, DELETE_AFTER = 30, 90
CLASS = {"keep": f"{KEEP}d", "delete_after": f"{DELETE_AFTER}d", "lock": "governance"}
POLICY = {"schema": 1, "classes": {"default": CLASS}, "rules": [], "default": {}}
HOLD, DENIED, DISPOSE = "claim 12", "AccessDenied", "DisposeRecordingsFunction"
_LONG_HEX = re.compile(r"([0-9a-f]{8})[0-9a-f-]{24,}")
Checks = Iterator[tuple[str, list[bool]]]


@dataclass(frozen=True)
class Caller:
    """A number as a person types it, and the name of its call."""

    number: str
    name: str


ORDINARY = Caller("+47 90 00 00 01", "4711000000000021_1")
DISPUTED = Caller("+47 90 00 00 02", "4711000000000022_1")
ASKED = Caller("+47 90 00 00 03", "4711000000000023_1")


@dataclass(frozen=True)
class Archive:
    """The versions of a tenant's files in the archive bucket, and whether S3 deletes them."""

    s3: Any
    bucket: str
    tenant: str

    def versions(self, name: str = "") -> list[tuple[str, str]]:
        """Return key and version id of all objects, or of those of a call, delete markers included."""
        pages = self.s3.get_paginator("list_object_versions").paginate(
            Bucket=self.bucket, Prefix=f"{self.tenant}/{name}"
        )
        found = [each for page in pages for kind in ("Versions", "DeleteMarkers") for each in page.get(kind, [])]
        return [(each["Key"], each["VersionId"]) for each in found]

    def hashes(self, name: str) -> Iterator[str]:
        """Yield the SHA-256 of each version of a call."""
        for key, version in self.versions(name):
            found = self.s3.get_object(Bucket=self.bucket, Key=key, VersionId=version)
            yield sha256(found["Body"].read()).hexdigest()

    def refusals(self, name: str) -> list[str]:
        """Try to delete each version of a call. Return S3's answers."""
        return [self._refusal(key, version) for key, version in self.versions(name)]

    def lock(self, name: str) -> str:
        """Return what locks the first file of a call."""
        key, version = self.versions(name)[0]
        head = self.s3.head_object(Bucket=self.bucket, Key=key, VersionId=version)
        return f"{head.get('ObjectLockMode')} until {head.get('ObjectLockRetainUntilDate'):%Y-%m-%d}"

    def _refusal(self, key: str, version: str) -> str:
        try:
            self.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=version)
        except ClientError as exc:
            return str(exc.response["Error"]["Code"])
        return "deleted"


def show_law(operator: Operator, screen: Screen, tenant: Tenant, samples: Path) -> Checks:
    """Show three calls from their landing to their end. Return the checks with their results."""
    screen.chapter(
        "Recordings are kept as long as they must be, and go when they must",
        f"{tenant.name} locks each call for {KEEP} days and deletes it after {DELETE_AFTER}. Kari and Ola are its "
        "compliance officers. The clock is put ahead for it, so days pass in seconds.",
    )
    diary = Diary(operator.cloud)
    archive = Archive(operator.cloud.client("s3"), operator.cloud.outputs["ArchiveBucketName"], tenant.name)
    with screen.waiting("Three calls are locked, held, copied, erased and disposed of"):
        checks = list(_story(operator, diary, archive, tenant, samples))
    screen.table(("day", "who", "does what", "answer"), diary.rows)
    for line in diary.said:
        screen.say(line)
    yield from checks


def _story(operator: Operator, diary: Diary, archive: Archive, tenant: Tenant, samples: Path) -> Checks:
    recording = samples / "4711000000000001_1.wav"
    _land(operator, tenant, recording)
    hashes = set(archive.hashes(ORDINARY.name))
    refused = archive.refusals(ORDINARY.name)
    diary.add("Callseal", "seals three calls, and locks each file in the archive", archive.lock(ORDINARY.name))
    diary.add("an administrator", "tries to delete a recording in the archive", f"S3 refuses: {refused[0]}")
    yield f"{tenant.name}: S3 refuses to delete what is locked", [each == DENIED for each in refused]
    of_claim = ("--reason", "A claim", "--caller", DISPUTED.number)
    held = diary.command("kari", "holds", "create", tenant.name, HOLD, *of_claim)
    diary.add("kari", f"holds the calls of {DISPUTED.number}: {HOLD}", f"{held['state']}: {held['calls']} call")
    yield from show_copy(diary, tenant, ASKED.number, recording.read_bytes())
    yield from show_erasure(diary, tenant, ASKED.number)
    yield f"{tenant.name}: the erased call is gone, though it was locked", [not archive.versions(ASKED.name)]
    diary.pass_days(DELETE_AFTER + 1)
    yield from _dispose(operator, diary, archive, tenant, hashes)
    yield from _release(operator, diary, archive, tenant)


def _land(operator: Operator, tenant: Tenant, recording: Path) -> None:
    """Add the tenant with its policy, and land three calls of today."""
    operator.put_policy(tenant, POLICY)
    operator.add(tenant, tenant.public_key())
    operator.add_ssh_key(tenant, make_key(tenant.folder))
    metadata = recording.with_suffix(".xml").read_text()
    for caller in (ORDINARY, DISPUTED, ASKED):
        path = tenant.folder / f"{caller.name}.wav"
        path.write_bytes(recording.read_bytes())
        path.with_suffix(".xml").write_text(_of_today(metadata, caller))
        operator.land(tenant, path)
        operator.land(tenant, path.with_suffix(".xml"))
    operator.cloud.wait_until_idle(PATIENCE_SECONDS)


def _of_today(metadata: str, caller: Caller) -> str:
    now = datetime.now(UTC).replace(microsecond=0)
    values = {
        "session id": caller.name.partition("_")[0], "start": (now - timedelta(seconds=14)).isoformat(),
        "end": now.isoformat(), "remoteAddress": caller.number.replace(" ", ""),
    }  # fmt: skip
    for name, value in values.items():
        metadata = re.sub(f'{name}="[^"]*"', f'{name}="{value}"', metadata, count=1)
    return metadata


def _dispose(operator: Operator, diary: Diary, archive: Archive, tenant: Tenant, hashes: set[str]) -> Checks:
    """Let the hourly run delete what is due, except under the hold."""
    law = _disposed(operator, diary, tenant)
    data = operator.cloud.client("s3").get_object(Bucket=operator.cloud.outputs["AuditBucketName"], Key=law["object"])
    record = data["Body"].read()
    (line,) = [json.loads(each) for each in gzip.decompress(record).splitlines()]
    count = law["counts"]["calls"]
    diary.add("Callseal", "deletes what is due by its class, and records it", f"{count} call; the held one stays")
    refused = archive.refusals(DISPUTED.name)
    diary.add("an administrator", f"tries to delete the recording of {HOLD}", f"S3 refuses: {refused[0]}")
    diary.said.append(f"The record of the disposal is in the locked audit bucket: {law['object']}")
    diary.said.append(_LONG_HEX.sub(r"\1...", json.dumps(line)))
    yield (
        f"{tenant.name}: the call that was due is gone, and its record has the SHA-256 of its files",
        [
            not archive.versions(ORDINARY.name),
            sha256(record).hexdigest() == law["sha256"],
            {file["sha256"] for file in line["files"]} == hashes,
        ],
    )
    yield f"{tenant.name}: the hold stops the disposal, and S3 the delete", [each == DENIED for each in refused]


def _release(operator: Operator, diary: Diary, archive: Archive, tenant: Tenant) -> Checks:
    """Let two people release the hold. The next run deletes the call."""
    asked = diary.command("kari", "holds", "release", tenant.name, HOLD)
    diary.add("kari", f"asks to release {HOLD}", f"{asked['state']}: another person must approve it")
    released = diary.command("ola", "holds", "approve", tenant.name, HOLD)
    diary.add("ola", "approves it", released["state"])
    _disposed(operator, diary, tenant)
    left = len(archive.versions())
    diary.add("Callseal", "deletes that call, too, within an hour", f"{left} files of the three calls are left")
    yield f"{tenant.name}: after the release nothing of the three calls is in the archive", [left == 0]


def _disposed(operator: Operator, diary: Diary, tenant: Tenant) -> Any:
    """Invoke the hourly run, and return what its event says of the tenant."""
    operator.cloud.invoke(DISPOSE, {})
    diary.cloud.wait_until_idle(PATIENCE_SECONDS)
    kind = "RecordingsDisposed"
    details = [event["detail"] for event in operator.audit() if event["detail-type"] == kind]
    return [detail["law"] for detail in details if detail["tenant"] == tenant.name][-1]
