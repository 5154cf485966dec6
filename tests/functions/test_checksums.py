"""The checksums that are sent to S3.

The emulator compares nothing; S3 rejects an upload whose checksums do not match.
"""

import zlib
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from random import Random
from typing import Any

import pytest

from callseal.aws.upload import PART_BYTES, Upload
from tests.support.stack import ARCHIVE, Stack

KEY = "acme/4711_1.wav.p7m"


def crc(data: bytes) -> str:
    return b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def upload(cloud: Stack, data: bytes, step: int, expected: int | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Upload in pieces of `step` bytes, and return the requests to S3 in order."""
    asked: list[tuple[str, dict[str, Any]]] = []

    def record(params: dict[str, Any], model: Any, **_: Any) -> None:
        # Copy the buffer, which is reused: its present content is what is sent.
        body = {"Body": bytes(params["Body"])} if "Body" in params else {}
        asked.append((model.name, {**params, **body}))

    cloud.s3.meta.events.register("provide-client-params.s3.*", record)
    target = {"Bucket": ARCHIVE, "Key": KEY, "ContentType": "application/pkcs7-mime", "Metadata": {}}
    expected = len(data) if expected is None else expected
    with ThreadPoolExecutor(2) as executor, Upload(cloud.s3, executor, target, expected) as going:
        for start in range(0, len(data), step):
            going.write(data[start : start + step])
        going.commit()
    cloud.s3.meta.events.unregister("provide-client-params.s3.*", record)
    return asked


@pytest.mark.parametrize("size", [0, 1, PART_BYTES])
def test_single_put_sends_the_checksum_of_its_bytes(cloud: Stack, size: int) -> None:
    data = Random(1).randbytes(size)
    ((name, put),) = upload(cloud, data, 300_000)
    checksum = b64encode(sha256(data).digest()).decode()
    assert (name, put["ChecksumSHA256"], put["IfNoneMatch"]) == ("PutObject", checksum, "*")
    assert cloud.objects(ARCHIVE) == {KEY: data}


@pytest.mark.parametrize("size", [PART_BYTES + 1, 2 * PART_BYTES, 5 * PART_BYTES + 17])
def test_parts_and_the_whole_upload_send_their_checksums(cloud: Stack, size: int) -> None:
    data = Random(2).randbytes(size)
    asked = upload(cloud, data, 300_001)

    names = [name for name, _ in asked]
    assert names[0] == "CreateMultipartUpload" and names[-1] == "CompleteMultipartUpload"
    (created, completed), parts = (asked[0][1], asked[-1][1]), [params for _, params in asked[1:-1]]
    assert (created["ChecksumAlgorithm"], created["ChecksumType"]) == ("CRC32", "FULL_OBJECT")
    assert {part["PartNumber"]: part["ChecksumCRC32"] for part in parts} == {
        part["PartNumber"]: crc(part["Body"]) for part in parts
    }
    # S3 needs each part's checksum again, and compares the total with what it has assembled.
    repeated = {part["PartNumber"]: part["ChecksumCRC32"] for part in completed["MultipartUpload"]["Parts"]}
    assert repeated == {part["PartNumber"]: part["ChecksumCRC32"] for part in parts}
    assert (completed["ChecksumType"], completed["ChecksumCRC32"]) == ("FULL_OBJECT", crc(data))
    assert completed["IfNoneMatch"] == "*"
    assert cloud.objects(ARCHIVE) == {KEY: data}


@pytest.mark.parametrize("size", [100_000, PART_BYTES, PART_BYTES + 1])
def test_upload_larger_than_expected_succeeds(cloud: Stack, size: int) -> None:
    data = Random(3).randbytes(size)
    asked = upload(cloud, data, 30_000, expected=0)
    assert len(asked) == (1 if size <= PART_BYTES else 4)
    assert cloud.objects(ARCHIVE) == {KEY: data}
