"""One run of the selftest: its canary tenants, their recordings, and the expected outputs."""

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
PREFIX = "selftest-"
SETTINGS: Mapping[str, Mapping[str, Any] | None] = {
    GCM: {"cms_profile": "authenveloped-gcm"},
    CBC: {"cms_profile": "enveloped-cbc"},
    PGP: {},
    TWO: {"deliver_to_archive": True, "archive_formats": ["wav"]},
    HELD: None,
    KEYLESS: {},
}
# The name contains the run's start, so a later run recognizes the canaries of an interrupted one.
CANARY = re.compile(rf"{PREFIX}([0-9a-f]{{8}})-[0-9a-f]{{6}}-(?:{'|'.join(SETTINGS)})")


@dataclass(frozen=True, slots=True)
class LockedCopy:
    """The version of an object in the audit bucket that contains an event of the trial."""

    bucket: str
    key: str
    version: str


@dataclass(frozen=True, slots=True)
class Canary:
    """A tenant of the selftest, with its files by landing key. The checks of holding have no settings or no key."""

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
    """The canaries of one run on one stack. `folder` is a private temporary folder."""

    def __init__(self, stack: Stack, folder: Path, started: datetime) -> None:
        """Create the canaries' keys and files on this machine, but nothing in AWS."""
        self.stack, self.folder, self.started = stack, folder, started
        self.name = f"{PREFIX}{int(started.timestamp()):08x}-{secrets.token_hex(3)}"
        self._home = folder / "gpg"
        self.canaries = {kind: self._canary(kind) for kind in SETTINGS}
        self.ssh_key = folder / "ssh.key"
        self.ssh_line = make_ssh(self.ssh_key)
        self.locked: LockedCopy | None = None

    def __getitem__(self, kind: str) -> Canary:
        """Return the canary of a kind (GCM, CBC, ...)."""
        return self.canaries[kind]

    @property
    def tenants(self) -> list[str]:
        """The names of all canary tenants."""
        return [canary.tenant for canary in self.canaries.values()]

    def add_tenants(self) -> None:
        """Store the canaries' keys and settings, as an operator does."""
        for canary in self.canaries.values():
            if canary.key:
                store.write_secret(self.stack, canary.tenant, canary.key.public_text)
            if canary.settings is not None:
                store.write_settings(self.stack, canary.tenant, canary.settings, overwrite=False)
        store.write_sftp_keys(self.stack, self[GCM].tenant, self.ssh_line)

    def land(self, kind: str) -> None:
        """Upload a canary's files to landing without encryption headers, as the platform does."""
        for key, data in self[kind].files.items():
            self.stack.s3.put_object(Bucket=self.stack.output("LandingBucketName"), Key=key, Body=data)

    def close(self) -> None:
        """Stop gpg's agent. The caller removes the folder."""
        end_agent(self._home)

    def _canary(self, kind: str) -> Canary:
        tenant = f"{self.name}-{kind}"
        key = None if kind == KEYLESS else self._key(kind, tenant)
        name = f"{tenant}/{secrets.token_hex(4)}_1"
        files = {f"{name}.wav": _recording()} | ({f"{name}.xml": _metadata()} if kind in (GCM, CBC, PGP) else {})
        return Canary(tenant, SETTINGS[kind], key, files)

    def _key(self, kind: str, tenant: str) -> PrivateKey:
        return make_openpgp(tenant, self._home) if kind == PGP else make_x509(tenant, self.started)


def started_at(tenant: str) -> datetime | None:
    """Return when a canary's run started, or None for any other tenant's name."""
    found = CANARY.fullmatch(tenant)
    return datetime.fromtimestamp(int(found[1], 16), UTC) if found else None


def run_of(tenant: str) -> str:
    """Return the part of a canary's name that all canaries of its run share."""
    return tenant.rpartition("-")[0]


def _recording() -> bytes:
    """Return one second of noise as a WAV file of 16 kB."""
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "NONE"))
        file.writeframes(secrets.token_bytes(16_000))
    return data.getvalue()


def _metadata() -> bytes:
    return f"<recording><session>{secrets.token_hex(16)}</session></recording>\n".encode()
