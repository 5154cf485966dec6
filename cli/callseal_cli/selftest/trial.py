"""One run of the selftest: its canary tenants, what they land, and where that must arrive."""

from __future__ import annotations

import io
import re
import secrets
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from callseal_cli import store
from callseal_cli.selftest.private_keys import PrivateKey, end_agent, make_openpgp, make_ssh, make_x509
from callseal_cli.stack import Stack

GCM, CBC, PGP, TWO, HELD, KEYLESS = "gcm", "cbc", "pgp", "two", "held", "keyless"
# The name says when the run began, so a later run recognizes what an interrupted one left.
CANARY = re.compile(r"selftest-([0-9a-f]{8})-[0-9a-f]{6}-(?:gcm|cbc|pgp|two|held|keyless)")
PREFIX = "selftest-"
SETTINGS: Mapping[str, Mapping[str, Any] | None] = {
    GCM: {"cms_profile": "authenveloped-gcm"},
    CBC: {"cms_profile": "enveloped-cbc"},
    PGP: {},
    TWO: {"deliver_to_archive": True, "archive_formats": ["wav"]},
    HELD: None,
    KEYLESS: {},
}


@dataclass(frozen=True, slots=True)
class LockedCopy:
    """The version of an object in the audit bucket that has an event of the trial."""

    bucket: str
    key: str
    version: str


@dataclass(frozen=True, slots=True)
class Canary:
    """A tenant of the selftest: `files` by landing key; no settings or no key if these are what is tried."""

    tenant: str
    settings: Mapping[str, Any] | None
    key: PrivateKey | None
    files: Mapping[str, bytes]

    @property
    def sealed(self) -> Mapping[str, str]:
        """The output key of each landing key."""
        suffix = self.key.suffix if self.key else ""
        return {landed: f"{landed}{suffix}" for landed in self.files}

    @property
    def recording(self) -> str:
        """The landing key of the recording."""
        return next(key for key in self.files if key.endswith(".wav"))


class Trial:
    """The canaries of one run, on one stack; `folder` is temporary and private."""

    def __init__(self, stack: Stack, folder: Path, started: datetime) -> None:
        """Make the canaries' keys and files; nothing of it is in AWS yet."""
        self.stack, self.folder, self.started = stack, folder, started
        self.name = f"{PREFIX}{int(started.timestamp()):08x}-{secrets.token_hex(3)}"
        self._home = folder / "gpg"
        self.canaries = {what: self._canary(what) for what in SETTINGS}
        self.ssh_key = folder / "ssh.key"
        self.ssh_line = make_ssh(self.ssh_key)
        self.locked: LockedCopy | None = None

    def __getitem__(self, what: str) -> Canary:
        """Return a canary by what it tries."""
        return self.canaries[what]

    @property
    def tenants(self) -> list[str]:
        """The names of all canary tenants."""
        return [canary.tenant for canary in self.canaries.values()]

    def take_on(self) -> None:
        """Write the canaries' keys and settings, as an operator does."""
        for canary in self.canaries.values():
            if canary.key:
                store.write_secret(self.stack, canary.tenant, canary.key.public_text)
            if canary.settings is not None:
                store.write_settings(self.stack, canary.tenant, canary.settings, overwrite=False)
        store.write_sftp_keys(self.stack, self[GCM].tenant, self.ssh_line)

    def land(self, what: str) -> None:
        """Land a canary's files, as the platform does: no header about encryption."""
        for key, data in self[what].files.items():
            self.stack.s3.put_object(Bucket=self.stack.output("LandingBucketName"), Key=key, Body=data)

    def close(self) -> None:
        """End gpg's agent; the folder goes with its owner."""
        end_agent(self._home)

    def _canary(self, what: str) -> Canary:
        tenant = f"{self.name}-{what}"
        key = None if what == KEYLESS else self._key(what, tenant)
        name = f"{tenant}/{secrets.token_hex(4)}_1"
        files = {f"{name}.wav": _recording()} | ({f"{name}.xml": _metadata()} if what in (GCM, CBC, PGP) else {})
        return Canary(tenant, SETTINGS[what], key, files)

    def _key(self, what: str, tenant: str) -> PrivateKey:
        return make_openpgp(tenant, self._home) if what == PGP else make_x509(tenant, self.started)


def begun(tenant: str) -> datetime | None:
    """Return when the run began that a canary's name belongs to, None for any other tenant's name."""
    found = CANARY.fullmatch(tenant)
    return datetime.fromtimestamp(int(found[1], 16), UTC) if found else None


def run_of(tenant: str) -> str:
    """Return the part of a canary's name that all canaries of a run have."""
    return tenant.rpartition("-")[0]


def _recording() -> bytes:
    """Return a second of noise as a WAV file of 16 kB."""
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "NONE"))
        file.writeframes(secrets.token_bytes(16_000))
    return data.getvalue()


def _metadata() -> bytes:
    return f"<recording><session>{secrets.token_hex(16)}</session></recording>\n".encode()
