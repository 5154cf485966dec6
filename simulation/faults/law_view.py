"""A view of a tenant's calls: all versions in the archive, copies, tables, disposal records and certificates.

It reads the buckets and the tables themselves, and shares no code with the functions.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from simulation.faults.cloud import CALLS, STACK, Cloud
from tests.support.stack import ARCHIVE, AUDIT, LANDING, SFTP

RETENTION, WAVEFORMS = f"{STACK}-retention", f"{STACK}-archive-waveforms"
# The states of a file that is still there.
LEFT = ("held", "retained", "pending", "failed")
# After so long no lock of a duty's recording is in force.
PAST_LOCKS = timedelta(days=366)
# What the platform itself writes into a tenant's SFTP area.
RESERVED = ("notices", "proof", "key-check", "requests")


@dataclass(frozen=True)
class Version:
    """A version of a key in the archive."""

    key: str
    id: str


@dataclass(frozen=True)
class Certificate:
    """A certificate of an erasure, as it is in the audit bucket."""

    document: Mapping[str, Any]
    data: bytes
    signature: bytes | None


class LawView:
    """Looks at the calls of one tenant. Each look is of now."""

    def __init__(self, cloud: Cloud, tenant: str) -> None:
        """Take the cloud and the tenant's name."""
        self._cloud, self.tenant = cloud, tenant
        self._s3, self._dynamodb = cloud.client("s3"), cloud.client("dynamodb")

    # ---- buckets ----------------------------------------------------------------------------------------------------

    def versions(self) -> set[Version]:
        """Return all versions in the archive."""
        return {Version(each["Key"], each["VersionId"]) for each in self._listed("Versions")}

    def markers(self) -> set[Version]:
        """Return all delete markers in the archive."""
        return {Version(each["Key"], each["VersionId"]) for each in self._listed("DeleteMarkers")}

    def has_hold(self, version: Version) -> bool:
        """Return whether S3 has a legal hold on a version."""
        found = self._s3.head_object(Bucket=ARCHIVE, Key=version.key, VersionId=version.id)
        return found.get("ObjectLockLegalHoldStatus") == "ON"

    def set_hold(self, version: Version, *, on: bool) -> None:
        """Set or clear S3's legal hold on a version, as lock_recordings does."""
        status: Any = {"Status": "ON" if on else "OFF"}
        self._s3.put_object_legal_hold(Bucket=ARCHIVE, Key=version.key, VersionId=version.id, LegalHold=status)

    def copies(self) -> set[str]:
        """Return the keys of recordings in the tenant's SFTP area."""
        names = (key for key in self._cloud.listing(SFTP) if key.startswith(f"{self.tenant}/"))
        return {key for key in names if key.split("/")[1] not in RESERVED}

    def notices(self) -> dict[str, bytes]:
        """Return the notices in the tenant's SFTP area by their keys."""
        return self._objects(SFTP, f"{self.tenant}/notices/erasure-")

    def landed(self) -> set[str]:
        """Return the keys in landing."""
        return {key for key in self._cloud.listing(LANDING) if key.startswith(f"{self.tenant}/")}

    def records(self) -> dict[str, tuple[bytes, list[dict[str, Any]]]]:
        """Return the bytes and the lines of each disposal record by its key."""
        found = self._objects(AUDIT, f"disposals/{self.tenant}/")
        return {
            key: (data, [json.loads(line) for line in gzip.decompress(data).splitlines()])
            for key, data in found.items()
        }

    def is_locked(self, key: str) -> bool:
        """Return whether an object of the audit bucket has a lock."""
        return "ObjectLockMode" in self._s3.head_object(Bucket=AUDIT, Key=key)

    def certificates(self, request: str) -> list[Certificate]:
        """Return the certificates of a request, in their order."""
        found = self._objects(AUDIT, f"erasures/{self.tenant}/{request}/")
        return [
            Certificate(json.loads(data), data, found.get(f"{key}.sig"))
            for key, data in sorted(found.items())
            if key.endswith(".json")
        ]

    # ---- tables -----------------------------------------------------------------------------------------------------

    def cards(self) -> dict[str, dict[str, Any]]:
        """Return the cards by their ids, with the members that are there."""
        found = self._cloud.items("calls", self.tenant, "id")
        return {call: members for call, members in found.items() if call != "salt"}

    def law(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Return the items of the retention table whose ids begin with a text, by the rest of their ids."""
        found = self._cloud.items("retention", self.tenant, "id")
        return {id_.removeprefix(prefix): members for id_, members in found.items() if id_.startswith(prefix)}

    def requests(self) -> dict[str, dict[str, Any]]:
        """Return the requests for erasure by their ids."""
        return {id_: members for id_, members in self.law("erasure#").items() if "#" not in id_}

    def ledger(self, request: str) -> list[dict[str, Any]]:
        """Return the files of a request."""
        return list(self.law(f"erasure#{request}#").values())

    def waveforms(self) -> set[str]:
        """Return the ids of the calls that have waveforms."""
        items = self._dynamodb.scan(TableName=WAVEFORMS, ConsistentRead=True)["Items"]
        return {item["place"]["S"].partition("#")[0] for item in items if item["tenant"]["S"] == self.tenant}

    # ---- what is left, and what is said of it -----------------------------------------------------------------------

    def left_of(self, call: str, key: str) -> list[str]:
        """Return what is left of a call anywhere: files, copies, landed files, and what tables have of it."""
        versions = self.versions() | self.markers()
        left = [f"archive {each.key}" for each in versions if each.key.startswith(f"{key}.")]
        left += [f"sftp {each}" for each in self.copies() if each.startswith(f"{key}.")]
        left += [f"landing {each}" for each in self.landed() if each.startswith(f"{key}.")]
        left += [f"row {each}" for each in self._cloud.items("files", self.tenant, "key") if each.startswith(f"{key}.")]
        left += ["waveform"] if call in self.waveforms() else []
        card = self.cards().get(call, {})
        left += [f"card {name}" for name in ("facts", "files", "party", "outcome") if name in card]
        return sorted(left)

    def untruths(
        self,
        files: Sequence[Mapping[str, Any]],
        calls: Mapping[str, tuple[set[Version], set[str]]],
        *,
        is_over: bool = True,
    ) -> Iterator[str]:
        """Yield what files of a ledger or a certificate say falsely of calls, given by their versions and copies.

        `is_over` is whether the run has ended that deletes them.
        """
        there, copies = self.versions(), self.copies()
        states = {file["version"]: file["state"] for file in files if file.get("version")}
        for call, (versions, of_call) in calls.items():
            for version in versions:
                state, is_there = states.get(version.id), version in there
                if is_there and state not in LEFT:
                    yield f"says {state} of {version.key}, which is in the archive"
                # What was deleted a moment ago is `pending` until a run has listed it again.
                if not is_there and state in (LEFT if is_over else LEFT[:2]):
                    yield f"says {state} of {version.key}, which is gone"
            in_sftp = {file["state"] for file in files if (file["place"], file["call"]) == ("sftp", call)}
            if of_call & copies and not in_sftp & set(LEFT):
                yield f"says {sorted(in_sftp)} of a copy that is in the tenant's area"

    # ---- signatures -------------------------------------------------------------------------------------------------

    @cached_property
    def _key(self) -> EllipticCurvePublicKey:
        answer = self._cloud.client("kms").get_public_key(KeyId=f"alias/{STACK}-proof")
        key = load_der_public_key(answer["PublicKey"])
        assert isinstance(key, EllipticCurvePublicKey)
        return key

    def is_signed(self, certificate: Certificate) -> bool:
        """Return whether a certificate has the signature of the stack's proof key."""
        try:
            self._key.verify(certificate.signature or b"", certificate.data, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    # ---- the end of an attempt --------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Delete everything of the tenant's law: also what is locked."""
        self._cloud.put_clock_ahead(PAST_LOCKS)
        versions = self.versions()
        for version in versions:
            if self.has_hold(version):
                self.set_hold(version, on=False)
        if everything := [{"Key": each.key, "VersionId": each.id} for each in versions | self.markers()]:
            self._s3.delete_objects(Bucket=ARCHIVE, Delete={"Objects": everything}, BypassGovernanceRetention=True)
        folders = [f"{folder}/{self.tenant}/" for folder in ("disposals", "erasures")]
        self._cloud.remove([(AUDIT, key) for folder in folders for key in self._objects(AUDIT, folder)], [])
        self._cloud.remove([(LANDING, key) for key in self.landed()], [])
        for table, key in ((RETENTION, "id"), (WAVEFORMS, "place"), (CALLS, "id")):
            for item in self._dynamodb.scan(TableName=table)["Items"]:
                self._dynamodb.delete_item(TableName=table, Key={name: item[name] for name in ("tenant", key)})

    def _listed(self, part: str) -> Iterator[Any]:
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=ARCHIVE, Prefix=f"{self.tenant}/")
        for page in pages:
            yield from page.get(part, [])

    def _objects(self, bucket: str, prefix: str) -> dict[str, bytes]:
        keys = [key for key in self._cloud.listing(bucket) if key.startswith(prefix)]
        found = {key: self._cloud.read(bucket, key) for key in keys}
        return {key: stored.data for key, stored in found.items() if stored}


def hash_of(data: bytes) -> str:
    """Return the SHA-256 of bytes in hex."""
    return sha256(data).hexdigest()
