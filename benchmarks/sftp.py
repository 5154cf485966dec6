"""Fetch one large file through the local SFTP front (`make bench-sftp`): compare its bytes, measure speed and memory.

It is not part of `make bench`, because moto stores objects in memory: 1 GiB takes 3 to 4 GiB, and a minute to upload.
Only the row `sftp_out_of_order_vs_sequential` is also in `make bench`.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko

from benchmarks.measure import Row, duration, take_turns
from callseal.tenants.names import settings_parameter, sftp_keys_secret, tenants_prefix
from localcloud import LocalCloud
from localcloud.demo.fetching import make_key

MIB = 1024 * 1024
PART = 64 * MIB
SMALL_BYTES = 9 * MIB
# What ssh2-sftp-client's fastGet has in flight.
READ_BYTES, IN_FLIGHT = 32 * 1024, 64


def main(mebibytes: int) -> int:
    if not shutil.which("sftp"):
        print("sftp is not installed. Install the OpenSSH client (Debian: apt-get install openssh-client).")
        return 1
    with front() as (cloud, folder):
        right = fetched(cloud, folder, mebibytes)
        row = out_of_order(cloud, folder)
    print(f"{row.name}: {row.ours:.0f} ms against {row.peer:.0f} ms, {row.ratio:g} ({row.goal})")
    return 0 if right else 1


@contextmanager
def front() -> Iterator[tuple[LocalCloud, Path]]:
    """Run a local cloud with one tenant, whose SSH key is in the folder."""
    with tempfile.TemporaryDirectory(prefix="cs-") as name, LocalCloud(state_dir=Path(name) / "state") as cloud:
        prefix = tenants_prefix(cloud.stack_name)
        secret, settings = sftp_keys_secret(prefix, "acme"), settings_parameter(prefix, "acme")
        cloud.client("secretsmanager").create_secret(Name=secret, SecretString=make_key(Path(name)))
        cloud.client("ssm").put_parameter(Name=settings, Type="String", Value="{}")
        yield cloud, Path(name)


def sftp_out_of_order_vs_sequential() -> Row:
    """Measure a client whose reads in flight are shuffled against the same client in sequence."""
    with front() as (cloud, folder):
        return out_of_order(cloud, folder)


def out_of_order(cloud: LocalCloud, folder: Path) -> Row:
    """Fetch a file of 9 MiB by one session, in both orders in turns."""
    data = random.Random(1).randbytes(SMALL_BYTES)
    cloud.client("s3").put_object(Bucket=cloud.outputs["SftpBucketName"], Key="acme/nine.wav.p7m", Body=data)
    sequence = [(offset, READ_BYTES) for offset in range(0, SMALL_BYTES, READ_BYTES)]
    groups = [sequence[first : first + IN_FLIGHT] for first in range(0, len(sequence), IN_FLIGHT)]
    shuffled = [read for group in groups for read in random.Random(2).sample(group, len(group))]

    with paramiko.SSHClient() as client:
        client.load_host_keys(str(cloud.state_dir / "sftp/known_hosts"))
        client.connect(
            cloud.outputs["SftpHost"], int(cloud.outputs["SftpPort"]), "acme", key_filename=str(folder / "sftp.key"),
            allow_agent=False, look_for_keys=False,
        )  # fmt: skip
        with client.open_sftp() as session:

            def fetch(reads: list[tuple[int, int]]) -> None:
                with session.open("nine.wav.p7m", "rb") as file:
                    got = list(file.readv(reads, max_concurrent_prefetch_requests=IN_FLIGHT))
                if [data[offset : offset + size] for offset, size in reads] != got:
                    raise ValueError("The front answered other bytes than were delivered.")

            times = take_turns(lambda: fetch(shuffled), lambda: fetch(sequence))
    note = "9 MiB by the local SFTP front, 64 reads of 32 KiB in flight, shuffled against in sequence"
    return duration("sftp_out_of_order_vs_sequential", times, "<= 1.5", note)


def fetched(cloud: LocalCloud, folder: Path, mebibytes: int) -> bool:
    """Deliver a file, fetch it, fetch its second half again; return whether the bytes are the same."""
    digest = deliver(cloud.client("s3"), cloud.outputs["SftpBucketName"], mebibytes)
    right, before = True, reset_peak()
    for command, size in (("get", mebibytes), ("reget", mebibytes // 2)):
        seconds = sftp(cloud, folder, f"{command} big.wav.p7m")
        same = sha256(folder / "big.wav.p7m") == digest
        right = right and same
        print(f"{command}: {size} MiB in {seconds:.1f} s, {size / seconds:.0f} MiB/s, same bytes: {same}")
        with (folder / "big.wav.p7m").open("r+b") as file:
            file.truncate(mebibytes * MIB // 2)
    print(f"peak memory of this process, which is the front's: {before} MB before, {peak()} MB after")
    return right


def deliver(s3: Any, bucket: str, mebibytes: int) -> str:
    """Put a file in parts that differ; return its SHA-256."""
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
    """Run a line in OpenSSH's sftp; return the seconds that it took."""
    known = cloud.state_dir / "sftp/known_hosts"
    command = ["sftp", "-F", "none", "-P", cloud.outputs["SftpPort"], "-i", "sftp.key", "-o", "BatchMode=yes", "-o",
               "IdentitiesOnly=yes", "-o", f"UserKnownHostsFile={known}", "-b", "-", "acme@127.0.0.1"]  # fmt: skip
    started = time.monotonic()
    subprocess.run(command, cwd=folder, input=f"{line}\n", text=True, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reset_peak() -> int:
    """Let this process's mark of its memory begin again; return the memory that it has now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> int:
    """Return this process's own mark of its memory, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1024))
