"""Fetch one large file through the local SFTP front (`make bench-sftp`): compare its bytes, measure speed and memory.

It is not part of `make bench`, because moto stores objects in memory: 1 GiB takes 3 to 4 GiB, and a minute to upload.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from callseal.tenants.names import settings_parameter, sftp_keys_secret, tenants_prefix
from localcloud import LocalCloud
from localcloud.demo.fetching import make_key

MIB = 1024 * 1024
PART = 64 * MIB


def main(mebibytes: int) -> int:
    if not shutil.which("sftp"):
        print("sftp is not installed. Install the OpenSSH client (Debian: apt-get install openssh-client).")
        return 1
    with tempfile.TemporaryDirectory(prefix="cs-") as folder, LocalCloud(state_dir=Path(folder) / "state") as cloud:
        right = [fetched(cloud, Path(folder), mebibytes)]
    return 0 if all(right) else 1


def fetched(cloud: LocalCloud, folder: Path, mebibytes: int) -> bool:
    """Deliver a file, fetch it, and fetch its second half again. Return whether the bytes are the same."""
    prefix = tenants_prefix(cloud.stack_name)
    secret, settings = sftp_keys_secret(prefix, "acme"), settings_parameter(prefix, "acme")
    cloud.client("secretsmanager").create_secret(Name=secret, SecretString=make_key(folder))
    cloud.client("ssm").put_parameter(Name=settings, Type="String", Value="{}")
    digest = deliver(cloud.client("s3"), cloud.outputs["SftpBucketName"], mebibytes)
    right = True
    for command, size in (("get", mebibytes), ("reget", mebibytes // 2)):
        seconds = sftp(cloud, folder, f"{command} big.wav.p7m")
        same = sha256(folder / "big.wav.p7m") == digest
        right = right and same
        print(f"{command}: {size} MiB in {seconds:.1f} s, {size / seconds:.0f} MiB/s, same bytes: {same}")
        with (folder / "big.wav.p7m").open("r+b") as file:
            file.truncate(mebibytes * MIB // 2)
    rclone = cloud.pids()[-1]
    print(f"peak memory: rclone {peak(rclone)} MB, gate and relay (this process) {peak('self')} MB")
    return right


def deliver(s3: Any, bucket: str, mebibytes: int) -> str:
    """Upload a file in parts that differ. Return its SHA-256."""
    digest, parts, block = hashlib.sha256(), [], hashlib.sha256(b"x").digest() * (PART // 32)
    where = {"Bucket": bucket, "Key": "acme/big.wav.p7m"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    for number in range(1, mebibytes * MIB // PART + 1):
        body = number.to_bytes(8) + block[8:]
        digest.update(body)
        etag = s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=body)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    return digest.hexdigest()


def sftp(cloud: LocalCloud, folder: Path, line: str) -> float:
    """Run one command in OpenSSH's sftp. Return its duration in seconds."""
    known = cloud.state_dir / "sftp/known_hosts"
    command = ["sftp", "-F", "none", "-P", cloud.outputs["SftpPort"], "-i", "sftp.key", "-o", "BatchMode=yes", "-o",
               "IdentitiesOnly=yes", "-o", f"UserKnownHostsFile={known}", "-b", "-", "acme@127.0.0.1"]  # fmt: skip
    started = time.monotonic()
    subprocess.run(command, cwd=folder, input=f"{line}\n", text=True, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def peak(pid: int | str) -> int:
    """Return a process's peak resident memory in MiB (VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1024))
