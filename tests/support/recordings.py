"""Recordings of any size, made in memory, and uploaded as the platform uploads large ones."""

from functools import cache
from io import BytesIO
from typing import Any

from tests.support.stack import LANDING, Stack, notification

MIB = 1024**2


def recording(size: int) -> bytes:
    """Return bytes that do not repeat with any block, chunk or part."""
    pattern = _pattern()
    return (pattern * (size // len(pattern) + 1))[:size]


@cache
def _pattern() -> bytes:
    return b"".join(number.to_bytes(3, "big") for number in range(65_521))


def land_large(cloud: Stack, key: str, data: bytes) -> dict[str, Any]:
    """Upload a file in parts of 8 MiB, and return its notification, with the etag of a multipart upload."""
    cloud.s3.upload_fileobj(BytesIO(data), LANDING, key)
    etag = cloud.s3.head_object(Bucket=LANDING, Key=key)["ETag"].strip('"')
    return notification(key, etag, len(data))
