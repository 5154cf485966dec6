"""Uploads: bytes go in as they are made, and nothing is visible before the commit.

What fits one part is a single PutObject. Above that, parts are sent by other threads while the next one is filled, with
so few under way at once that memory stays flat whatever the size.
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

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART_BYTES = 8 * 1024**2
PARTS_UNDER_WAY = 2
# What a sealed file is longer than its plain one, at most, as far as the first buffer's size is concerned.
ENVELOPE_BYTES = 64 * 1024
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MAX_PARTS = 10_000


# A CRC-32 over the whole object, whatever its parts; parts sent with one need it said at the beginning:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
FULL_CRC32: Any = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}


def crc32(data: bytes | bytearray, before: int = 0) -> str:
    """Give the checksum that S3 compares with what arrived, of bytes that follow others of the checksum `before`.

    Given beforehand, the SDK sends the bytes as they are; left to itself it would wrap them into chunks of 16 KiB.
    """
    return b64encode(zlib.crc32(data, before).to_bytes(4)).decode()


class Digest:
    """What is said of all bytes that were written: their SHA-256 for the audit, their CRC-32 for S3.

    S3 takes a SHA-256 for a single put alone; of parts it can put together no more than a CRC.
    """

    def __init__(self) -> None:
        """Begin with no bytes."""
        self.sha256 = sha256()
        self._crc32 = 0

    def update(self, data: bytes | bytearray) -> None:
        """Add bytes."""
        self.sha256.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)

    @property
    def crc32(self) -> str:
        """The CRC-32 as S3 takes it."""
        return crc32(b"", self._crc32)


class MultipartUpload:
    """A multipart upload's requests; the parts may be sent in any order, from several threads."""

    def __init__(self, s3: S3Client, target: dict[str, Any]) -> None:
        """Create the upload of `target`: Bucket, Key, ContentType and Metadata."""
        self._s3 = s3
        with calling("Beginning the upload"):
            answer = s3.create_multipart_upload(**target, **FULL_CRC32)
        self._address: Any = {"Bucket": target["Bucket"], "Key": target["Key"], "UploadId": answer["UploadId"]}
        self._parts: dict[int, Any] = {}
        self._count = 0

    def number(self) -> int:
        """Give the next part's number."""
        self._count += 1
        return self._count

    def send_part(self, number: int, data: Any) -> None:
        """Send a part."""
        checksum = crc32(data)
        with calling("Uploading a part"):
            answer = self._s3.upload_part(**self._address, PartNumber=number, Body=data, ChecksumCRC32=checksum)
        self._parts[number] = {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": checksum}

    def copy_part(self, source: dict[str, Any], byte_range: str) -> None:
        """Copy a range of another object as the next part, on the server side."""
        number = self.number()
        with calling("Copying a part", **REFUSED):
            answer = self._s3.upload_part_copy(**self._address, **source, PartNumber=number, CopySourceRange=byte_range)
        copied = {name: value for name, value in answer["CopyPartResult"].items() if name in ("ETag", "ChecksumCRC32")}
        self._parts[number] = {"PartNumber": number, **copied}

    def complete(self, checksum: str | None = None) -> str:
        """Make the object of its parts, if nothing stands there yet and its checksum fits; gives its etag."""
        # S3 asks for the checksum of each part again, the emulator does not.
        whole: Any = {"ChecksumType": "FULL_OBJECT"} | ({"ChecksumCRC32": checksum} if checksum else {})
        parts: Any = [self._parts[number] for number in sorted(self._parts)]
        with calling("Completing the upload", on_412=OutputExistsError):
            answer = self._s3.complete_multipart_upload(
                **self._address, **whole, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
            )
        return answer["ETag"]

    def abort(self) -> None:
        """Give the upload up; where even that fails, the bucket's lifecycle rule does it."""
        try:
            with calling("Aborting the upload"):
                self._s3.abort_multipart_upload(**self._address)
        except Exception:  # noqa: BLE001, S110  # what made us abort is what the caller must hear of
            pass


class Upload:
    """An upload to write to; leaving its context without a commit leaves nothing behind.

    `size` (bytes, once committed) and `sha256` (lower-case hex, likewise) describe what was written.
    """

    def __init__(self, s3: S3Client, executor: Executor, target: dict[str, Any], expected_size: int) -> None:
        """Prepare an upload; nothing is sent yet."""
        self._s3 = s3
        self._executor = executor
        self._target = target
        self._part_bytes = max(PART_BYTES, -(-expected_size // (MAX_PARTS - 100)))
        # A few buffers go round: one is filled while the others are sent. Waiting for a free one is what bounds memory.
        self._free: SimpleQueue[bytearray] = SimpleQueue()
        self._buffers = 0
        # A small file's buffer is no larger than it needs: clearing 8 MiB takes as long as sealing 500 KB.
        self._part, self._filled = self._buffer(expected_size + ENVELOPE_BYTES), 0
        self._multipart: MultipartUpload | None = None
        self._sending: list[Future[None]] = []
        # Hashing goes on beside sealing and sending; one thread keeps the parts in order.
        self._hashing: ThreadPoolExecutor | None = None
        self._digest = Digest()
        self.size = 0

    @property
    def sha256(self) -> str:
        """The hash of all that was written."""
        return self._digest.sha256.hexdigest()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Abort what was not committed."""
        if self._multipart:
            for future in self._sending:
                future.cancel()
            self._wait()
            self._multipart.abort()
        if self._hashing:
            self._hashing.shutdown()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes; raises TransientError where a part that was sent earlier failed."""
        view = memoryview(data)
        self.size += len(view)
        while view:
            # Only now: the last part is sent by the commit, so a file of one part never becomes a multipart upload.
            if self._filled == self._part_bytes:
                self._send()
                self._part, self._filled = self._buffer(), 0
            count = min(self._part_bytes - self._filled, len(view))
            if self._filled + count > len(self._part):
                self._part.extend(bytes(self._part_bytes - len(self._part)))
            self._part[self._filled : self._filled + count] = view[:count]
            self._filled += count
            view = view[count:]

    def commit(self) -> str:
        """Make the object visible and give its etag; raises OutputExistsError where another one came first."""
        if self._multipart is None:
            return self._put()
        self._send()
        for future in self._sending:
            future.result()
        if self._hashing:
            self._hashing.shutdown()
        etag = self._multipart.complete(self._digest.crc32)
        self._multipart = None
        return etag

    def _put(self) -> str:
        del self._part[self._filled :]
        body: Any = self._part  # the SDK takes a bytearray, its types do not say so
        self._digest.sha256.update(body)
        checksum = b64encode(self._digest.sha256.digest()).decode()
        with calling("Uploading the output", on_412=OutputExistsError):
            answer = self._s3.put_object(**self._target, Body=body, ChecksumSHA256=checksum, IfNoneMatch="*")
        return answer["ETag"]

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
