"""Uploads: bytes are written as they are produced, and the object is visible only after the commit.

An object that fits into one part is uploaded with a single PutObject. Otherwise other threads send parts while the next
one is filled. Few parts are in flight at once, so memory is constant. Only above 77 GiB do parts and memory grow,
because S3 allows 10,000 parts.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from hashlib import sha256
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from callseal.aws.calls import calling
from callseal.aws.unreadable import REFUSED
from callseal.core.errors import OutputExistsError
from callseal.core.stored import Written, written

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART_BYTES = 8 * 1024**2
PARTS_UNDER_WAY = 2
# An estimate of how much longer a sealed file is than its plaintext, for the size of the first buffer.
ENVELOPE_BYTES = 64 * 1024
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MAX_PARTS = 10_000
# A CRC-32 of the whole object, whatever its parts. It must be requested when the upload is created:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
FULL_CRC32: Any = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}


def crc32(data: bytes | bytearray, before: int = 0) -> str:
    """Return the checksum (base64) that S3 compares with the bytes it received. `before` continues an earlier CRC-32.

    With this checksum, the SDK sends the bytes unchanged. Without it, it would wrap them into chunks of 16 KiB.
    """
    return b64encode(zlib.crc32(data, before).to_bytes(4)).decode()


class Digest:
    """The digests of all written bytes: SHA-256 for the audit, CRC-32 for S3.

    S3 accepts a SHA-256 of a whole object only for a single put. For a multipart upload it can combine only CRCs.
    """

    def __init__(self) -> None:
        self.sha256 = sha256()
        self._crc32 = 0

    def update(self, data: bytes | bytearray) -> None:
        """Add the next bytes."""
        self.sha256.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)

    @property
    def crc32(self) -> str:
        """The CRC-32 in S3's form (base64)."""
        return crc32(b"", self._crc32)


class MultipartUpload:
    """A multipart upload. Its parts may be sent in any order and from several threads."""

    def __init__(self, s3: S3Client, target: dict[str, Any]) -> None:
        """Create the upload. `target` has Bucket, Key, ContentType, Metadata, and the members of a lock."""
        self._s3 = s3
        with calling("Creating the upload"):
            answer = s3.create_multipart_upload(**target, **FULL_CRC32)
        self._address: Any = {"Bucket": target["Bucket"], "Key": target["Key"], "UploadId": answer["UploadId"]}
        self._parts: dict[int, Any] = {}
        self._count = 0

    def number(self) -> int:
        """Return the next part's number, from 1."""
        self._count += 1
        return self._count

    def send_part(self, number: int, data: Any) -> None:
        """Send a part."""
        checksum = crc32(data)
        with calling("Uploading a part"):
            answer = self._s3.upload_part(**self._address, PartNumber=number, Body=data, ChecksumCRC32=checksum)
        self._parts[number] = {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": checksum}

    def copy_part(self, source: dict[str, Any], byte_range: str) -> None:
        """Copy a range of another object as the next part, on the server side. `byte_range` is `bytes=first-last`."""
        number = self.number()
        with calling("Copying a part", **REFUSED):
            answer = self._s3.upload_part_copy(**self._address, **source, PartNumber=number, CopySourceRange=byte_range)
        copied = {name: value for name, value in answer["CopyPartResult"].items() if name in ("ETag", "ChecksumCRC32")}
        self._parts[number] = {"PartNumber": number, **copied}

    def complete(self, checksum: str | None = None) -> Written:
        """Create the object from its parts, and return what was written.

        Raises OutputExistsError if the key is taken, and TransientError if `checksum` (CRC-32, base64) is wrong.
        """
        # S3 requires the checksum of each part again. The emulator does not.
        whole: Any = {"ChecksumType": "FULL_OBJECT"} | ({"ChecksumCRC32": checksum} if checksum else {})
        parts: Any = [self._parts[number] for number in sorted(self._parts)]
        with calling("Completing the upload", on_412=OutputExistsError):
            answer = self._s3.complete_multipart_upload(
                **self._address, **whole, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
            )
        return written(answer["ETag"], answer)

    def abort(self) -> None:
        """Abort the upload. If that fails, the bucket's lifecycle rule aborts it later."""
        try:
            with calling("Aborting the upload"):
                self._s3.abort_multipart_upload(**self._address)
        except Exception:  # noqa: BLE001, S110  # the caller needs the error that led to the abort
            pass


class Upload:
    """A writable upload. If its context ends without a commit, the upload is aborted.

    After the commit, `size` (bytes) and `sha256` (lower-case hex) describe the object.
    """

    def __init__(self, s3: S3Client, executor: Executor, target: dict[str, Any], expected_size: int) -> None:
        """Prepare an upload without sending a request. `expected_size` is the plaintext's size in bytes."""
        self._s3 = s3
        self._executor = executor
        self._target = target
        self._part_bytes = max(PART_BYTES, -(-expected_size // (MAX_PARTS - 100)))
        # One of a few buffers is filled while the others are sent. Waiting for a free buffer limits memory.
        self._free: SimpleQueue[bytearray] = SimpleQueue()
        self._buffers = 0
        # A small file gets a small buffer, because clearing 8 MiB takes as long as sealing 500 KB.
        self._part, self._filled = self._buffer(expected_size + ENVELOPE_BYTES), 0
        self._multipart: MultipartUpload | None = None
        self._sending: list[Future[None]] = []
        # Hashing runs beside sealing and sending. A single thread keeps the parts in order.
        self._hashing: ThreadPoolExecutor | None = None
        self._digest = Digest()
        self.size = 0

    @property
    def sha256(self) -> str:
        """The SHA-256 of all written bytes (lower-case hex), valid after the commit."""
        return self._digest.sha256.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Abort the upload if it was not committed."""
        if self._multipart:
            for future in self._sending:
                future.cancel()
            self._wait()
            self._multipart.abort()
        if self._hashing:
            self._hashing.shutdown()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes. Raises TransientError if an earlier part failed."""
        view = memoryview(data)
        self.size += len(view)
        while view:
            # A full part is sent only when more bytes follow. So a file of one part never becomes a multipart upload.
            if self._filled == self._part_bytes:
                self._send()
                self._part, self._filled = self._buffer(), 0
            count = min(self._part_bytes - self._filled, len(view))
            if self._filled + count > len(self._part):
                self._part.extend(bytes(self._part_bytes - len(self._part)))
            self._part[self._filled : self._filled + count] = view[:count]
            self._filled += count
            view = view[count:]

    def commit(self) -> Written:
        """Make the object visible, and return what was written. Raises OutputExistsError if the key is taken."""
        if self._multipart is None:
            return self._put()
        self._send()
        for future in self._sending:
            future.result()
        if self._hashing:
            self._hashing.shutdown()
        completed = self._multipart.complete(self._digest.crc32)
        self._multipart = None
        return completed

    def _put(self) -> Written:
        del self._part[self._filled :]
        body: Any = self._part  # the SDK accepts a bytearray, but its types do not
        self._digest.sha256.update(body)
        checksum = b64encode(self._digest.sha256.digest()).decode()
        # S3 demands the algorithm's name as well for an object with a lock.
        sent: Any = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": checksum}
        with calling("Uploading the output", on_412=OutputExistsError):
            answer = self._s3.put_object(**self._target, **sent, Body=body, IfNoneMatch="*")
        return written(answer["ETag"], answer)

    def _buffer(self, size: int | None = None) -> bytearray:
        if self._buffers <= PARTS_UNDER_WAY:
            self._buffers += 1
            return bytearray(min(size or self._part_bytes, self._part_bytes))
        return self._free.get()

    def _send(self) -> None:
        if self._multipart is None:
            self._multipart = MultipartUpload(self._s3, self._target)
            self._hashing = ThreadPoolExecutor(1, "hash")
        self._raise_first_failure()
        part = self._part if self._filled == self._part_bytes else self._part[: self._filled]
        hashed = self._hashing.submit(self._digest.update, part) if self._hashing else None
        number = self._multipart.number()
        self._sending.append(self._executor.submit(self._send_part, self._multipart, number, part, hashed))

    def _send_part(self, multipart: MultipartUpload, number: int, part: bytearray, hashed: Future[None] | None) -> None:
        try:
            multipart.send_part(number, part)
            if hashed:
                hashed.result()
        finally:
            self._free.put(part)

    def _raise_first_failure(self) -> None:
        done = [future for future in self._sending if future.done()]
        for future in done:
            future.result()
        self._sending = [future for future in self._sending if future not in done]

    def _wait(self) -> None:
        for future in self._sending:
            if not future.cancelled():
                future.exception()
