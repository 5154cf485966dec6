"""The key-check folder of a tenant's SFTP area, with Callseal's challenges and the tenant's answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callseal.aws.calls import calling
from callseal.core.errors import OutputExistsError, SourceGoneError
from callseal.core.landing import TENANT
from callseal.core.stored import tagging
from callseal.keys.challenge import MAX_ANSWER_BYTES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from callseal.core.stored import OutputHeaders

FOLDER = "key-check"
# Subfolders are included, because `?` in an IAM policy matches a slash too.
_ANSWER = re.compile(rf"({TENANT.pattern})/{FOLDER}/(.*)\.answer", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """The tenant and the key that an answer's object key names. The name is not checked: a tenant can write any."""

    tenant: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its object's etag, and its text, None if it is not UTF-8 or is longer than MAX_ANSWER_BYTES."""

    etag: str
    text: str | None


def parse_answer_key(key: str) -> AnswerKey | None:
    """Return what an answer's object key names, None if it is not in a tenant's key-check folder or below it."""
    found = _ANSWER.fullmatch(key)
    return AnswerKey(found[1], found[2]) if found else None


class CheckFolder:
    """Writes challenges, and reads and deletes answers."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        """Take the client and the SFTP bucket's name."""
        self._s3, self.bucket = s3, bucket

    def put_challenge(self, tenant: str, fingerprint: str, suffix: str, sealed: bytes, headers: OutputHeaders) -> None:
        """Replace an earlier challenge. Raise OutputExistsError if another check has just written one."""
        address: Any = {"Bucket": self.bucket, "Key": f"{tenant}/{FOLDER}/{fingerprint}.txt{suffix}"}
        with calling("Removing an old challenge"):
            self._s3.delete_object(**address)
        with calling("Putting a challenge", on_412=OutputExistsError):
            self._s3.put_object(
                **address,
                Body=sealed,
                ContentType=headers.content_type,
                Metadata=headers.metadata,
                Tagging=tagging("files"),
                IfNoneMatch="*",
            )

    def read_answer(self, key: str) -> Answer:
        """Read an answer, at most as many bytes as a code needs. Raise SourceGoneError if it is gone."""
        with calling("Reading an answer", on_404=SourceGoneError):
            found = self._s3.get_object(Bucket=self.bucket, Key=key)
            try:
                data = _read(found["Body"], MAX_ANSWER_BYTES + 1)
            finally:
                found["Body"].close()
        return Answer(found["ETag"].strip('"'), _text(data))

    def remove_answer(self, key: str, answer: Answer) -> None:
        """Delete an answer. Raise SourceGoneError if it is no longer the one that was read."""
        with calling("Removing an answer", on_404=SourceGoneError, on_412=SourceGoneError):
            self._s3.delete_object(Bucket=self.bucket, Key=key, IfMatch=f'"{answer.etag}"')


def _read(body: Any, size: int) -> bytes:
    """Return up to `size` bytes of a body.

    A read returns the bytes that arrived before a connection broke, and only the next read reports the break. This
    function therefore reads until nothing comes: half of a correct code must not be counted as a wrong one.
    """
    data = bytearray()
    while len(data) < size and (more := body.read(size - len(data))):
        data += more
    return bytes(data)


def _text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8-sig") if len(data) <= MAX_ANSWER_BYTES else None
    except UnicodeDecodeError:
        return None
