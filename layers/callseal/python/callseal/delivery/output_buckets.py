"""The SFTP and archive buckets: find, upload and copy outputs. No call overwrites an object."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.aws.unreadable import REFUSED
from callseal.aws.upload import MultipartUpload, Upload
from callseal.core.errors import OutputExistsError, SourceGoneError
from callseal.core.stored import Address, OutputHeaders, StoredObject, Written, written

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from mypy_boto3_s3 import S3Client

# The limit of CopyObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
MAX_COPY_BYTES = 5 * 1024**3
COPY_PART_BYTES = 1024**3
HASH_CHUNK_BYTES = 1024 * 1024


class OutputBuckets:
    """Writes outputs only if no object has their key yet. Raises OutputExistsError if one has."""

    def __init__(self, s3: S3Client, executor: Executor) -> None:
        """Take the client, and the threads that send the parts of large uploads."""
        self._s3 = s3
        self._executor = executor

    def find_existing(self, address: Address) -> StoredObject | None:
        """Return the object at an address, or None."""
        try:
            with calling("Looking for the output", on_404=SourceGoneError):
                head = self._s3.head_object(Bucket=address.bucket, Key=address.key)
        except SourceGoneError:
            return None
        etag, size = head["ETag"].strip('"'), head["ContentLength"]
        return StoredObject(address, etag, size, head["Metadata"], head["LastModified"], head.get("VersionId"))

    def keys(self, bucket: str, prefix: str) -> set[str]:
        """Return the keys of a bucket's objects under a prefix."""
        with calling("Listing outputs"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return {item["Key"] for page in pages for item in page.get("Contents", [])}

    def upload(self, address: Address, headers: OutputHeaders, size: int) -> Upload:
        """Begin an upload of about `size` bytes, which becomes visible only when it is committed."""
        return Upload(self._s3, self._executor, self._target(address, headers), size)

    def copy(self, source: StoredObject, address: Address, headers: OutputHeaders) -> StoredObject:
        """Copy an object on the server side.

        Raise SourceGoneError if the source is gone. Raise OutputExistsError on a 412, which S3 returns if the address
        is taken, and also if the source is no longer the given one. AccessRefusedError may be about the source or about
        the output.
        """
        copy = self._copy_parts if source.size > MAX_COPY_BYTES else self._copy_whole
        made = copy(source, self._target(address, headers))
        return StoredObject(address, made.etag, source.size, headers.metadata, version=made.version)

    def sha256(self, stored: StoredObject) -> str:
        """Return the SHA-256 of an object's stored bytes, in lower-case hex."""
        digest = sha256()
        with calling("Reading the output back"):
            body = self._s3.get_object(
                Bucket=stored.address.bucket, Key=stored.address.key, IfMatch=f'"{stored.etag}"'
            )["Body"]
            for chunk in body.iter_chunks(HASH_CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def _copy_whole(self, source: StoredObject, target: dict[str, Any]) -> Written:
        # S3 demands a checksum of each write with a lock.
        checksum: Any = {"ChecksumAlgorithm": "CRC32"} if "ObjectLockMode" in target else {}
        with calling("Copying to the output", **REFUSED, on_404=SourceGoneError, on_412=OutputExistsError):
            answer = self._s3.copy_object(
                **target,
                **checksum,
                **self._source(source),
                MetadataDirective="REPLACE",
                # Tags are not copied: a landed file's `held` does not apply to its output. It has tags of its own.
                TaggingDirective="REPLACE",
                IfNoneMatch="*",
            )
        return written(answer["CopyObjectResult"]["ETag"], answer)

    def _copy_parts(self, source: StoredObject, target: dict[str, Any]) -> Written:
        upload = MultipartUpload(self._s3, target)
        try:
            for first in range(0, source.size, COPY_PART_BYTES):
                last = min(first + COPY_PART_BYTES, source.size) - 1
                upload.copy_part(self._source(source), f"bytes={first}-{last}")
            return upload.complete()
        except BaseException:
            upload.abort()
            raise

    @staticmethod
    def _target(address: Address, headers: OutputHeaders) -> dict[str, Any]:
        lock = headers.lock
        return {
            "Bucket": address.bucket,
            "Key": address.key,
            "ContentType": headers.content_type,
            "Metadata": headers.metadata,
            **({"ObjectLockMode": lock.mode, "ObjectLockRetainUntilDate": lock.until} if lock else {}),
            **({"Tagging": headers.tagging} if headers.tagging else {}),
        }

    @staticmethod
    def _source(source: StoredObject) -> dict[str, Any]:
        address = source.address
        return {
            "CopySource": {"Bucket": address.bucket, "Key": address.key},
            "CopySourceIfMatch": f'"{source.etag}"',
        }
