"""Clients that read in their own way: many reads in flight in a shuffled order, and `scp`."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.sftp.bucket import Answer, Bucket
from tests.e2e.sftp.conftest import Front

MIB = 1024 * 1024
READ_BYTES = 32 * 1024
IN_FLIGHT = 64
FINGERPRINT = "A1" * 32
KEY, NAME = "acme/nine.wav.p7m", "nine.wav.p7m"


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Record the keys of the objects that the front requests from S3."""
    keys: list[str] = []
    get = Bucket.get

    async def recorded(self: Bucket, key: str, etag: str | None = None, offset: int = 0) -> Answer:
        keys.append(key)
        return await get(self, key, etag, offset)

    monkeypatch.setattr(Bucket, "get", recorded)
    return keys


@pytest.fixture
def paused(front: Front) -> Iterator[Front]:
    """Pause the functions that remove answers after judging them."""
    front.cloud.pause()
    yield front
    front.cloud.resume()


def reads(size: int, *, shuffled: bool) -> list[tuple[int, int]]:
    """Return offset and size of each read. Reads that are in flight together may be in a shuffled order."""
    whole = [(offset, min(READ_BYTES, size - offset)) for offset in range(0, size, READ_BYTES)]
    groups = [whole[first : first + IN_FLIGHT] for first in range(0, len(whole), IN_FLIGHT)]
    return [read for group in groups for read in (random.Random(1).sample(group, len(group)) if shuffled else group)]


def fetched(front: Front, chunks: list[tuple[int, int]]) -> bytes:
    with front.session() as sftp, sftp.open(NAME, "rb") as file:
        data = list(file.readv(chunks, max_concurrent_prefetch_requests=IN_FLIGHT))
    return b"".join(block for _, block in sorted(zip((offset for offset, _ in chunks), data, strict=True)))


def test_reads_in_a_shuffled_order_get_the_bytes_and_cost_s3_no_more(front: Front, requested: list[str]) -> None:
    data = os.urandom(9 * MIB + 5)
    front.deliver(KEY, data)

    assert fetched(front, reads(len(data), shuffled=False)) == data
    in_order = len(requested)
    assert fetched(front, reads(len(data), shuffled=True)) == data

    assert len(requested) - in_order <= 2 * in_order, requested


def test_a_file_that_is_read_in_a_shuffled_order_is_announced_once(front: Front) -> None:
    data = os.urandom(2 * MIB)
    front.deliver(KEY, data)
    chunks = reads(len(data), shuffled=True)
    last = (len(data) - READ_BYTES, READ_BYTES)

    with front.session() as sftp, sftp.open(NAME, "rb") as file:
        for offset, size in [last, *chunks, last]:
            file.seek(offset)
            assert file.read(size) == data[offset : offset + size]

    (event,) = front.told("FileFetched")
    assert event["source"]["key"] == KEY


def scp(front: Front, tmp_path: Path, source: str, target: str) -> subprocess.CompletedProcess[str]:
    command = ["scp", "-s", *front.options(front.key("acme")), source, target]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)


def test_scp_fetches_and_ends_with_success(front: Front, tmp_path: Path) -> None:
    data = os.urandom(3 * MIB)
    front.deliver(KEY, data)

    done = scp(front, tmp_path, f"acme@127.0.0.1:{NAME}", "got")

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "got").read_bytes() == data
    assert len(front.told("FileFetched")) == 1


def test_scp_uploads_only_an_answer(paused: Front, tmp_path: Path) -> None:
    paused.deliver(f"acme/key-check/{FINGERPRINT}.challenge.p7m", b"sealed")
    for answer in ("a long code", "code"):
        (tmp_path / "answer").write_text(answer)
        done = scp(paused, tmp_path, "answer", f"acme@127.0.0.1:key-check/{FINGERPRINT}.answer")
        assert (done.returncode, done.stderr) == (0, "")
        assert paused.delivered("acme/")[f"acme/key-check/{FINGERPRINT}.answer"] == answer.encode()

    refused = scp(paused, tmp_path, "answer", "acme@127.0.0.1:other")
    assert (refused.returncode, "Permission denied" in refused.stderr) == (1, True), refused.stderr
    assert "acme/other" not in paused.delivered("acme/")


def test_an_upload_that_is_resumed_is_refused(paused: Front, tmp_path: Path) -> None:
    paused.deliver(f"acme/key-check/{FINGERPRINT}.challenge.p7m", b"sealed")
    paused.deliver(f"acme/key-check/{FINGERPRINT}.answer", b"co")
    (tmp_path / "answer").write_text("code")
    done = paused.sftp(f"reput answer key-check/{FINGERPRINT}.answer\n", cwd=tmp_path)
    assert done.returncode == 1
    assert paused.delivered("acme/")[f"acme/key-check/{FINGERPRINT}.answer"] == b"co"


def test_recording_deleted_while_open_gives_bytes_or_an_error(front: Front) -> None:
    data = os.urandom(40 * MIB)
    front.deliver(KEY, data)
    with front.session() as sftp, sftp.open(NAME, "rb") as file:
        front.cloud.client("s3").delete_object(Bucket=front.cloud.outputs["SftpBucketName"], Key=KEY)
        # The response to the opening request is still in transit.
        assert file.read(READ_BYTES) == data[:READ_BYTES]
        # This is too far ahead for that response, and the object no longer exists.
        file.seek(39 * MIB)
        with pytest.raises(FileNotFoundError):
            file.read(READ_BYTES)
        assert sftp.listdir(".") == []


def test_host_keys_of_each_kind_are_offered_and_known(front: Front) -> None:
    kinds = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"}
    command = ["ssh-keyscan", "-p", str(front.port), "-t", "ed25519,ecdsa,rsa", "127.0.0.1"]
    scanned = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    known = (front.state / "sftp/known_hosts").read_text()
    assert set(scanned.splitlines()) == set(known.splitlines())
    assert {line.split()[1] for line in known.splitlines()} == kinds
