"""Recordings in the archive bucket: ranges of their bytes, and URLs for downloads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from callseal.archive.byte_range import ByteRange
from callseal.aws.calls import calling
from callseal.core.errors import CallsealError
from callseal.core.stored import SEALED

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DOWNLOAD_SECONDS = 60


class RecordingGoneError(CallsealError):
    """The object is not there, or is another one than the card describes."""


class ArchiveBucket:
    """Reads one bucket."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        """Take the client and the bucket's name."""
        self._client, self._bucket = client, bucket

    @property
    def name(self) -> str:
        """The bucket's name."""
        return self._bucket

    def read(self, key: str, part: ByteRange, sealed: str) -> tuple[bytes, str]:
        """Return a range of an object's bytes, and its etag with quotes.

        Raise RecordingGoneError if the object is gone, has another size, or is not sealed as `sealed` says.
        """
        with self._reading(key, f"bytes={part.first}-{part.last}") as found:
            if found["Metadata"].get(SEALED) != sealed or found["ContentRange"] != part.header:
                raise RecordingGoneError("The recording in the archive is another one than the call's card describes.")
            return found["Body"].read(), found["ETag"]

    def describe(self, key: str) -> tuple[int, str] | None:
        """Return an object's size, and its etag with quotes, or None if there is none.

        It lists the object and does not read it, so a function that may not read recordings can ask this.
        """
        with calling("Looking for a recording in the archive"):
            # The first key with this prefix is the key itself.
            found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        first = next(iter(found.get("Contents", [])), None)
        return (first["Size"], first["ETag"]) if first and first["Key"] == key else None

    @contextmanager
    def whole(self, key: str, sealed: str) -> Iterator[Any]:
        """Yield the stream of an object's bytes. Raise RecordingGoneError as `read`."""
        with self._reading(key, None) as found:
            if found["Metadata"].get(SEALED) != sealed:
                raise RecordingGoneError("The recording in the archive is another one than the call's card describes.")
            yield found["Body"]

    def download_url(self, key: str, name: str) -> str:
        """Return a URL that downloads an object under a file name. It is valid for DOWNLOAD_SECONDS."""
        # RFC 6266 with RFC 8187: a browser takes the name in UTF-8.
        disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        wanted = {
            "Bucket": self._bucket,
            "Key": key,
            "ResponseContentDisposition": disposition,
            "ResponseContentType": "application/octet-stream",
            "ResponseCacheControl": "private, no-store",
        }
        return self._client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=DOWNLOAD_SECONDS)

    @contextmanager
    def _reading(self, key: str, byte_range: str | None) -> Iterator[Any]:
        gone = {"on_404": RecordingGoneError, "on_416": RecordingGoneError}
        wanted: dict[str, Any] = {"Range": byte_range} if byte_range else {}
        with calling("Reading a recording in the archive", **gone):
            yield self._client.get_object(Bucket=self._bucket, Key=key, **wanted)
