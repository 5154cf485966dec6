"""Recordings of any size, made in memory, and landed as the platform lands large ones."""

from io import BytesIO
from typing import Any

from tests.support.stack import LANDING, Stack, notification

MIB = 1024**2


def recording(size: int) -> bytes:
    """Make bytes that repeat with no block, chunk or part."""
    pattern = b"".join(number.to_bytes(3, "big") for number in range(65_521))
    return (pattern * (size // len(pattern) + 1))[:size]


def land_large(cloud: Stack, key: str, data: bytes) -> dict[str, Any]:
    """Land a file as a multipart upload, parts of 8 MiB; gives its notification, with the etag of that form."""
    cloud.s3.upload_fileobj(BytesIO(data), LANDING, key)
    etag = cloud.s3.head_object(Bucket=LANDING, Key=key)["ETag"].strip('"')
    return notification(key, etag, len(data))
