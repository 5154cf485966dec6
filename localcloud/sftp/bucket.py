"""The bucket as one session may use it: each request to S3 is held to the session policy before it is sent."""

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import create_loader
from botocore.session import get_session

from localcloud.sftp.object_reader import BLOCK_BYTES
from localcloud.sftp.s3_requests import S3Request, accesses, parse_request
from localcloud.sftp.sessions import Session

_CONFIG = Config(
    s3={"addressing_style": "path"},
    max_pool_connections=50,
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
# botocore's models of services and their endpoints.
_LOADER = create_loader()
# S3's codes for an object that does not exist; the answer to HEAD has no body, and so the status alone.
_MISSING = {"404", "NoSuchKey"}


class RefusedError(PermissionError):
    """The session policy does not allow a request."""

    def __init__(self, request: S3Request) -> None:
        super().__init__(errno.EACCES, "Access denied")
        self.request = request


T = TypeVar("T")
Answer = Mapping[str, Any]
OnRefused = Callable[[S3Request], Awaitable[None]]


def check(session: Session, request: S3Request) -> None:
    """Raise RefusedError if the session policy does not allow a request."""
    needed = accesses(request)
    if needed is None or not all(session.policy.allows(access) for access in needed):
        raise RefusedError(request)


class Bucket:
    """Requests of a session.

    They raise RefusedError after `on_refused` has had the request, FileNotFoundError if the object does not exist, and
    OSError with S3's code if S3 answers with another error.
    """

    def __init__(self, session: Session, s3_url: str, region: str, on_refused: OnRefused) -> None:
        self._session, self._name, self._on_refused = session, session.bucket, on_refused
        # A session of boto3 for each: they are not made for threads. They share what is loaded once.
        botocore_session = get_session()
        botocore_session.register_component("data_loader", _LOADER)
        boto = boto3.Session("local", "local", region_name=region, botocore_session=botocore_session)
        self._s3 = boto.client("s3", endpoint_url=s3_url, config=_CONFIG)
        self._s3.meta.events.register("before-send.s3", self._check)

    async def head(self, key: str) -> Answer:
        """Return an object's size (`ContentLength`) and time (`LastModified`)."""
        return await self._send(self._s3.head_object, Key=key)

    async def get(self, key: str, etag: str | None = None, offset: int = 0) -> Answer:
        """Return the answer whose `Body` streams an object from a byte on; `etag` insists on a version of it."""
        options = ({"IfMatch": etag} if etag else {}) | ({"Range": f"bytes={offset}-"} if offset else {})
        return await self._send(self._s3.get_object, Key=key, **options)

    async def open(self, key: str) -> tuple[Answer, bytes]:
        """Return the answer of `get`, and the first bytes of its body: for a small file one change of threads less."""
        return await self._answer(self._open, key)

    async def pages(self, prefix: str) -> AsyncIterator[Answer]:
        """Yield the pages (`Contents`, `CommonPrefixes`) of the objects and folders directly below a prefix."""
        following: dict[str, str] = {}
        while True:
            page = await self._send(self._s3.list_objects_v2, Prefix=prefix, Delimiter="/", **following)
            yield page
            if not page["IsTruncated"]:
                return
            following = {"ContinuationToken": page["NextContinuationToken"]}

    async def has_folder(self, prefix: str) -> bool:
        """Return whether a key begins with a prefix."""
        page = await self._send(self._s3.list_objects_v2, Prefix=prefix, MaxKeys=1)
        return bool(page["KeyCount"])

    async def put(self, key: str, body: Any) -> None:
        """Write an object whole; `body` is bytes or a binary file."""
        await self._send(self._s3.put_object, Key=key, Body=body)

    async def copy(self, source: str, key: str) -> None:
        """Copy an object."""
        await self._send(self._s3.copy_object, Key=key, CopySource={"Bucket": self._name, "Key": source})

    async def delete(self, key: str) -> None:
        """Delete an object."""
        await self._send(self._s3.delete_object, Key=key)

    async def check_put(self, key: str) -> None:
        """Raise RefusedError if the session may not write an object."""
        await self._answer(check, self._session, S3Request("PUT", self._name, key))

    async def _send(self, operation: Callable[..., Answer], **arguments: Any) -> Answer:
        return await self._answer(operation, Bucket=self._name, **arguments)

    async def _answer(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        try:
            return await asyncio.to_thread(call, *arguments, **named)
        except RefusedError as exc:
            await self._on_refused(exc.request)
            raise
        except ClientError as exc:
            raise _os_error(exc.response["Error"]["Code"]) from exc

    def _open(self, key: str) -> tuple[Answer, bytes]:
        answer = self._s3.get_object(Bucket=self._name, Key=key)
        return answer, answer["Body"].read(BLOCK_BYTES)

    def _check(self, request: Any, **_: Any) -> None:
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        check(self._session, parse_request(request.method, _target(request.url), headers))


def _target(url: str) -> str:
    """Return the path and query of a URL."""
    return "/" + url.split("/", 3)[3]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _os_error(code: str) -> OSError:
    """Return the error of an S3 code, whose errno decides the status that asyncssh answers."""
    return FileNotFoundError(errno.ENOENT, "No such file") if code in _MISSING else OSError(errno.EIO, f"S3: {code}")
