"""Fetch by SFTP as a tenant's IT does, with OpenSSH's sftp, or with paramiko if it is not installed."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from paramiko.client import SSHClient
from paramiko.ssh_exception import AuthenticationException

from localcloud.cloud import LocalCloud

_KEY = "sftp.key"
_SECONDS = 120


class FetchingError(Exception):
    """The local cloud has no SFTP front."""


@dataclass(frozen=True)
class Fetched:
    """The fetched files by name, and the command that a tenant's IT would type."""

    files: dict[str, bytes]
    command: str


def make_key(folder: Path) -> str:
    """Write a new SSH private key into a tenant's folder, and return the public line that the tenant sends."""
    private = Ed25519PrivateKey.generate()
    path = folder / _KEY
    path.touch(mode=0o600)
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + "\n"


def fetch(cloud: LocalCloud, user: str, folder: Path) -> Fetched:
    """Fetch all files of a user with the SSH key in a folder; none if the login is refused. Raise FetchingError."""
    if "SftpPort" not in cloud.outputs:
        raise FetchingError("The local cloud has no SFTP front: the stack's parameter SftpFront is none.")
    into = folder / f"fetched-{user}"
    into.mkdir(exist_ok=True)
    by = _by_openssh if shutil.which("sftp") else _by_paramiko
    command = by(cloud, user, folder, into)
    return Fetched({path.name: path.read_bytes() for path in into.iterdir()}, command)


def _by_openssh(cloud: LocalCloud, user: str, folder: Path, into: Path) -> str:
    port = cloud.outputs["SftpPort"]
    known = cloud.state_dir / "sftp" / "known_hosts"
    command = ["sftp", "-F", "none", "-P", port, "-i", _KEY, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
               "-o", f"UserKnownHostsFile={known}", "-b", "-", f"{user}@{cloud.outputs['SftpHost']}"]  # fmt: skip
    subprocess.run(
        command, cwd=folder, input=f"get * {into.name}\n", capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    return f"echo 'get *' | {shlex.join(['sftp', '-P', port, '-i', _KEY, '-b', '-', command[-1]])}"


def _by_paramiko(cloud: LocalCloud, user: str, folder: Path, into: Path) -> str:
    try:
        with visit(cloud, user, folder) as sftp:
            for name in sftp.listdir("."):
                sftp.get(name, str(into / name))
    except AuthenticationException:
        return ""
    return "paramiko, because sftp is not installed"


@contextmanager
def visit(cloud: LocalCloud, user: str, folder: Path) -> Iterator[Any]:
    """Log in with the SSH key in a folder, and yield paramiko's SFTP client. Raise AuthenticationException."""
    with SSHClient() as client:
        client.load_host_keys(str(cloud.state_dir / "sftp" / "known_hosts"))
        host, port = cloud.outputs["SftpHost"], int(cloud.outputs["SftpPort"])
        client.connect(host, port, user, key_filename=str(folder / _KEY), allow_agent=False, look_for_keys=False)
        with client.open_sftp() as sftp:
            yield sftp
