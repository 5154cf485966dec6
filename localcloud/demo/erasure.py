"""The demo's caller who asks for a copy, and then for the erasure, with the notice and the certificate."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from callseal.core.formats import ENVELOPES
from localcloud.demo.diary import PATIENCE_SECONDS, Diary
from localcloud.demo.fetching import visit
from localcloud.demo.tenants import Tenant

COPY, MANIFEST = "copy", "manifest.sha256"
Checks = Iterator[tuple[str, list[bool]]]


def show_copy(diary: Diary, tenant: Tenant, number: str, recording: bytes) -> Checks:
    """Copy a caller's calls on request. Return the checks with their results."""
    made = diary.command("kari", "copy", tenant.name, "--caller", number, "--to", "sftp")
    diary.add("kari", f"copies the calls of {number} for the caller", f"{len(made['files'])} files in {made['folder']}")
    folder = tenant.folder / COPY
    folder.mkdir()
    with visit(diary.cloud, tenant.name, tenant.folder) as sftp:
        for name in sftp.listdir(made["folder"]):
            sftp.get(f"{made['folder']}/{name}", str(folder / name))
    diary.cloud.wait_until_idle(PATIENCE_SECONDS)
    command, fits = _check_sums(folder)
    (name,) = [path.name for path in folder.iterdir() if ".wav" in path.suffixes]
    opened = tenant.open(name, (folder / name).read_bytes()).data == recording
    diary.add(tenant.name, f"fetches them by SFTP: {command}", "all OK" if fits else "NOT OK")
    yield f"{tenant.name}: the copy fits its manifest, and opens byte for byte", [fits, opened]


def show_erasure(diary: Diary, tenant: Tenant, number: str) -> Checks:
    """Erase a caller's calls on request. Return the checks with their results."""
    of_basis = ("--caller", number, "--basis", "GDPR, article 17")
    started = diary.command("kari", "erase", "start", tenant.name, *of_basis)
    request, due = started["request"], started["due"][:10]
    diary.add("kari", f"asks to erase the calls of {number}", f"{len(started['files'])} files, due by {due}")
    alone = diary.command("kari", "erase", "approve", tenant.name, request, code=1)
    diary.add("kari", "approves it herself", f"refused: {alone['error']}")
    approved = diary.command("ola", "erase", "approve", tenant.name, request)
    diary.add("ola", "approves it", f"{approved['state']}: the calls are hidden at once")
    named, is_right = _answer_notice(diary, tenant, request)
    diary.add(tenant.name, "opens the sealed notice with its key", f"{named} files of which it may have copies")
    status = diary.command("kari", "erase", "status", tenant.name, request)
    found, erased = len(started["files"]), status["counts"].get("erased", 0)
    is_done = status["state"] == "done" and found == erased
    diary.add(tenant.name, "erases its copies, and answers by SFTP", f"{status['state']}: {erased} files erased")
    said, verified = _verify(diary, tenant, request)
    diary.add("kari", "verifies the signed certificate of the erasure", said)
    yield (
        f"{tenant.name}: an erasure needs two people, and its notice names what was fetched",
        ["Another person" in alone["error"], is_right, is_done],
    )
    yield f"{tenant.name}: the certificate verifies, and an altered one does not", verified


def _answer_notice(diary: Diary, tenant: Tenant, request: str) -> tuple[int, bool]:
    """Open the notice, and answer it. Return how many files it names, and whether it knows the fetched ones."""
    name = f"erasure-{request}.json{ENVELOPES['cms'].suffix}"
    with visit(diary.cloud, tenant.name, tenant.folder) as sftp:
        with sftp.open(f"notices/{name}") as file:
            notice = json.loads(tenant.open(name, file.read()).data)
        sftp.putfo(BytesIO(b"erased\n"), f"notices/erasure-{request}.done")
    diary.cloud.wait_until_idle(PATIENCE_SECONDS)
    fetched = [Path(file["name"]).name for file in notice["files"] if file["fetched"]]
    copies = [path.name for path in (tenant.folder / COPY).iterdir()]
    return len(notice["files"]), sorted(fetched) == sorted(copies)


def _verify(diary: Diary, tenant: Tenant, request: str) -> tuple[str, list[bool]]:
    """Verify the certificate and an altered one. Return what openssl says, and whether both are right."""
    folder = tenant.folder / "certificate"
    saved = diary.command("kari", "erase", "certificate", tenant.name, request, "--to", str(folder))
    certificate, signature, key = Path(saved["certificate"]), Path(saved["signature"]), folder / "proof.pem"
    document = json.loads(certificate.read_bytes())
    with visit(diary.cloud, tenant.name, tenant.folder) as sftp:
        sftp.get(f"proof/keys/{document['key']}.pem", str(key))
    altered = folder / "altered.json"
    altered.write_bytes(certificate.read_bytes().replace(b'"erased"', b'"gone"', 1))
    command, verified = _verify_signature(key, signature, certificate)
    diary.said.append(f"$ {command}")
    _, is_fooled = _verify_signature(key, signature, altered)
    states = {file["state"] for file in document["files"]}
    return "Verified OK" if verified else "NOT verified", [verified, not is_fooled, "pending" not in states]


def _check_sums(folder: Path) -> tuple[str, bool]:
    """Check a folder's manifest. Return the command, and whether all files fit."""
    if shutil.which("sha256sum"):
        command = ["sha256sum", "-c", MANIFEST]
        return shlex.join(command), subprocess.run(
            command, cwd=folder, capture_output=True, check=False
        ).returncode == 0
    lines = (line.partition("  ") for line in (folder / MANIFEST).read_text().splitlines())
    fits = [sha256((folder / name).read_bytes()).hexdigest() == digest for digest, _, name in lines]
    return "hashlib, because sha256sum is not installed", all(fits)


def _verify_signature(key: Path, signature: Path, file: Path) -> tuple[str, bool]:
    """Verify a file's signature with stock openssl, or with cryptography. Return the command, and whether it holds."""
    if shutil.which("openssl"):
        command = ["openssl", "dgst", "-sha256", "-verify", key.name, "-signature", signature.name, file.name]
        done = subprocess.run(command, cwd=file.parent, capture_output=True, check=False)
        return shlex.join(command), done.returncode == 0
    public = cast("EllipticCurvePublicKey", load_pem_public_key(key.read_bytes()))
    try:
        public.verify(signature.read_bytes(), file.read_bytes(), ECDSA(SHA256()))
    except InvalidSignature:
        return "cryptography, because openssl is not installed", False
    return "cryptography, because openssl is not installed", True
