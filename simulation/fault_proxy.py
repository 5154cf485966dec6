"""A loopback proxy in front of moto's server that injects faults into real connections.

It also adds checks that S3 and the output buckets' policies make and moto does not (tests/support/network.py does the
same in process). It executes the writes of one S3 key one at a time, so that such a check and its write are atomic.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from io import BufferedIOBase
from itertools import count
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Lock, Thread
from typing import Any, BinaryIO, Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

# Part of every error message that the proxy makes up, together with the key, as in AWS's own messages. It must never
# appear in a log.
FOREIGN_WORDS = "words of AWS about"
# The status that means "your time limit has passed" to a client, so that no test waits for a timeout or needs a short
# one.
TIME_IS_OVER = 599
WRITES = {"PutObject", "CopyObject", "CompleteMultipartUpload"}
# S3's operations by method and by the first matching query parameter. "" is a key without any of them, "/" a bucket.
_S3: Mapping[str, Mapping[str, str]] = {
    "GET": {"tagging": "GetObjectTagging", "versions": "ListObjectVersions", "uploads": "ListMultipartUploads",
            "uploadId": "ListParts", "list-type": "ListObjectsV2", "": "GetObject", "/": "ListObjects"},
    "HEAD": {"": "HeadObject", "/": "HeadBucket"},
    "PUT": {"tagging": "PutObjectTagging", "retention": "PutObjectRetention", "legal-hold": "PutObjectLegalHold",
            "partNumber": "UploadPart", "": "PutObject", "/": "CreateBucket"},
    "POST": {"uploads": "CreateMultipartUpload", "uploadId": "CompleteMultipartUpload", "delete": "DeleteObjects"},
    "DELETE": {"tagging": "DeleteObjectTagging", "uploadId": "AbortMultipartUpload", "": "DeleteObject",
               "/": "DeleteBucket"},
}  # fmt: skip
# The operations of SES v2 that are used, by method and path.
_SES = {("POST", "/v2/email/outbound-emails"): "SendEmail"}
_XML = "{http://s3.amazonaws.com/doc/2006-03-01/}"
Reader = BinaryIO | BufferedIOBase
_COPIES = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}


@dataclass(frozen=True)
class Seen:
    """One request as it arrived.

    `number` counts from 1. Bucket and key are set for S3 only. Header names are in lower case.
    """

    number: int
    service: str
    operation: str
    bucket: str
    key: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def purged(self) -> dict[str, str]:
        """Return the etags, by key and without quotes, that a DeleteObject or DeleteObjects names."""
        if self.operation == "DeleteObject":
            return {self.key: self.headers.get("if-match", "").strip('"')}
        named = ET.fromstring(self.body).iter(f"{_XML}Object") if self.operation == "DeleteObjects" else ()
        return {one.findtext(f"{_XML}Key") or "": (one.findtext(f"{_XML}ETag") or "").strip('"') for one in named}

    @property
    def members(self) -> dict[str, Any]:
        """Return the members of a JSON body."""
        return dict(json.loads(self.body))


class Fault:
    """A fault that is injected into one request."""


@dataclass(frozen=True)
class Refuse(Fault):
    """Answer with an error in the service's own format and do not execute the request."""

    status: int
    code: str


@dataclass(frozen=True)
class Hang(Fault):
    """Do not execute the request; close the connection after this delay (None: longer than the client waits)."""

    seconds: float | None = None


@dataclass(frozen=True)
class CutBefore(Fault):
    """Close the connection without an answer and without executing the request."""


@dataclass(frozen=True)
class CutAfter(Fault):
    """Execute the request, then close the connection without an answer."""


@dataclass(frozen=True)
class BreakBody(Fault):
    """Execute the request and cut the answer half-way through its body, or in its first line if it has no body."""


@dataclass(frozen=True)
class Twice(Fault):
    """Execute the request twice and return the second answer."""


@dataclass(frozen=True)
class Late(Fault):
    """Execute the request at once and answer after this delay (None: after the client's timeout)."""

    seconds: float | None = None


# The faults after which moto has executed the request.
CARRIED_OUT = (CutAfter, BreakBody, Twice, Late)


@dataclass(frozen=True)
class _Answer:
    status: int
    head: bytes
    body: bytes


_getresponse = HTTPConnection.getresponse


def in_time(connection: HTTPConnection) -> HTTPResponse:
    """Receive an answer, in place of HTTPConnection.getresponse. Raise TimeoutError if the proxy asks for it."""
    response = _getresponse(connection)
    if response.status == TIME_IS_OVER:
        raise TimeoutError("timed out")
    return response


class FaultProxy:
    """Serves on a free port of 127.0.0.1 while the context is open.

    `decide` returns the fault of each request. `before` and `after` (with the status) are called around each execution
    of a request, in the thread of its connection and outside any lock. An exception from them closes the connection.
    """

    def __init__(
        self,
        upstream: str,
        decide: Callable[[Seen], Fault | None],
        *,
        before: Callable[[Seen], None] | None = None,
        after: Callable[[Seen, int], None] | None = None,
        output_buckets: Collection[str] = (),
    ) -> None:
        url = urlsplit(upstream)
        self.upstream = (url.hostname or "127.0.0.1", url.port or 80)
        self.decide, self.before, self.after = decide, before, after
        self.output_buckets = frozenset(output_buckets)
        self.closing = Event()
        self.connections: set[socket.socket] = set()
        self._numbers = count(1)
        self._key_locks = [Lock() for _ in range(64)]
        proxy = self

        class Handler(_Connection):
            def setup(self) -> None:
                self.proxy = proxy
                super().setup()

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def see(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Seen:
        """Return a request with its service, operation, bucket and key."""
        service = _service(headers)
        bucket, key, operation = "", "", headers.get("x-amz-target", "").rpartition(".")[2]
        if service == "s3":
            bucket, _, key = unquote(urlsplit(path).path).lstrip("/").partition("/")
            operation = _s3_operation(method, path, headers, bool(key))
        elif service == "ses":
            operation = _SES.get((method, urlsplit(path).path), "")
        return Seen(next(self._numbers), service, operation, bucket, key, method, path, headers, body)

    def key_lock(self, key: str) -> Lock:
        """Return the lock that serializes the writes of a key.

        Buckets share it, so that it covers a copy's source too.
        """
        return self._key_locks[hash(key) % len(self._key_locks)]


class _Server(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors of connections: clients that disappear are expected here."""


class _Connection(StreamRequestHandler):
    """A client's connection, and its own connection to the upstream server."""

    disable_nagle_algorithm = True
    proxy: FaultProxy

    def setup(self) -> None:
        super().setup()
        self.proxy.connections.add(self.connection)
        self._upstream: tuple[socket.socket, BinaryIO] | None = None

    def finish(self) -> None:
        self.proxy.connections.discard(self.connection)
        self._hang_up()
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with suppress(OSError):
            while not self.proxy.closing.is_set() and self._serve_one():
                pass

    def _serve_one(self) -> bool:
        """Serve a request and return whether the connection stays open."""
        request = self.rfile.readline(65536).decode("latin-1").split()
        if len(request) != 3:
            return False
        method, path, _ = request
        raw = _read_headers(self.rfile)
        headers = {name.lower(): value for name, value in raw}
        if headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        seen = self.proxy.see(method, path, headers, _read_body(self.rfile, headers))
        fault = self.proxy.decide(seen)
        answer = self._answer(seen, raw, fault)
        return answer is not None and self._send(answer, fault)

    def _answer(self, seen: Seen, raw: list[tuple[str, str]], fault: Fault | None) -> _Answer | None:
        match fault:
            case Refuse(status, code):
                return _refusal(seen, status, code)
            case Hang(seconds):
                return self._hang(seconds)
            case CutBefore():
                return None
            case Twice():
                self._carry_out(seen, raw)
        answer = self._carry_out(seen, raw)
        if fault == Late():
            return _time_is_over()
        return None if isinstance(fault, CutAfter) else answer

    def _send(self, answer: _Answer, fault: Fault | None) -> bool:
        whole = answer.head + answer.body
        if isinstance(fault, BreakBody):
            # Not further into the head: Python's http.client accepts a truncated head as complete.
            self.wfile.write(whole[: len(answer.head) + len(answer.body) // 2 if answer.body else len("HTTP/1.1")])
            return False
        if isinstance(fault, Late) and fault.seconds:
            self._wait(fault.seconds)
        self.wfile.write(whole)
        return True

    def _hang(self, seconds: float | None) -> _Answer | None:
        if seconds is None:
            return _time_is_over()
        self._wait(seconds)
        return None

    def _wait(self, seconds: float) -> None:
        """Wait, but no longer than the client does."""
        select.select([self.connection], [], [], seconds)

    def _carry_out(self, seen: Seen, raw: list[tuple[str, str]]) -> _Answer:
        if self.proxy.before:
            self.proxy.before(seen)
        with self.proxy.key_lock(seen.key):
            answer = self._as_s3_does(seen) or self._ask(seen.method, seen.path, raw, seen.body)
        if self.proxy.after:
            self.proxy.after(seen, answer.status)
        return answer

    def _as_s3_does(self, seen: Seen) -> _Answer | None:
        """Return the refusal of S3 or of a bucket policy if moto would accept the request."""
        if seen.service == "s3" and seen.bucket in self.proxy.output_buckets:
            if seen.operation in WRITES and seen.headers.get("if-none-match") != "*":
                return _refusal(seen, 403, "AccessDenied")
            if seen.operation == "CopyObject" and self._etag(seen, urlsplit(seen.path).path):
                return _refusal(seen, 412, "PreconditionFailed")
        if wanted := seen.headers.get("x-amz-copy-source-if-match"):
            source = "/" + seen.headers["x-amz-copy-source"].lstrip("/").partition("?")[0]
            if self._etag(seen, source) not in (None, wanted.strip('"')):
                return _refusal(seen, 412, "PreconditionFailed")
        return None

    def _etag(self, seen: Seen, path: str) -> str | None:
        raw = [("Host", seen.headers["host"]), ("Authorization", seen.headers["authorization"])]
        answer = self._ask("HEAD", path, raw, b"")
        lines = answer.head.decode("latin-1").split("\r\n") if answer.status == 200 else []
        return next((line[5:].strip(' "') for line in lines if line.lower().startswith("etag:")), None)

    def _ask(self, method: str, path: str, raw: list[tuple[str, str]], body: bytes) -> _Answer:
        hop = {"expect", "transfer-encoding", "content-length", "connection"}
        headers = [(name, value) for name, value in raw if name.lower() not in hop]
        if body or method in ("PUT", "POST"):
            headers.append(("Content-Length", str(len(body))))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        data = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        reused = self._upstream is not None
        try:
            return self._exchange(method, data)
        except (OSError, EOFError):
            self._hang_up()
            if not reused:
                raise
            return self._exchange(method, data)  # the server had closed an idle connection

    def _exchange(self, method: str, data: bytes) -> _Answer:
        if self._upstream is None:
            connection = socket.create_connection(self.proxy.upstream)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._upstream = connection, connection.makefile("rb")
        connection, reader = self._upstream
        connection.sendall(data)
        status_line = reader.readline()
        if not status_line:
            raise EOFError
        status, raw = int(status_line.split()[1]), _read_headers(reader)
        headers = {name.lower(): value for name, value in raw}
        empty = method == "HEAD" or status in (204, 304)
        to_the_end = "content-length" not in headers and "transfer-encoding" not in headers
        body = b"" if empty else reader.read() if to_the_end else _read_body(reader, headers)
        if headers.get("connection", "").lower() == "close" or (to_the_end and not empty):
            self._hang_up()
        kept = [one for one in raw if one[0].lower() not in ("transfer-encoding", "connection")]
        if not empty and "content-length" not in headers:
            kept.append(("Content-Length", str(len(body))))
        return _Answer(status, _head(status_line.strip().decode("latin-1").partition(" ")[2], kept), body)

    def _hang_up(self) -> None:
        if self._upstream:
            self._upstream[1].close()
            self._upstream[0].close()
            self._upstream = None


def _read_headers(reader: Reader) -> list[tuple[str, str]]:
    headers = []
    while (line := reader.readline(65536)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name, value.strip()))
    return headers


def _read_body(reader: Reader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return _read_exactly(reader, int(headers.get("content-length") or 0))
    chunks = []
    while size := int(reader.readline(65536).partition(b";")[0], 16):
        chunks.append(_read_exactly(reader, size))
        reader.readline()
    _read_headers(reader)  # trailers
    return b"".join(chunks)


def _read_exactly(reader: Reader, size: int) -> bytes:
    data = reader.read(size) if size else b""
    if len(data) < size:
        raise ConnectionError("the message broke off")
    return data


def _service(headers: Mapping[str, str]) -> str:
    """Read the service from the credential scope: Credential=<id>/<date>/<region>/<service>/aws4_request."""
    scope = headers.get("authorization", "").partition("Credential=")[2].partition(",")[0].split("/")
    return scope[-2] if len(scope) >= 5 else "s3"


def _s3_operation(method: str, path: str, headers: Mapping[str, str], has_key: bool) -> str:
    known, query = _S3.get(method, {}), parse_qs(urlsplit(path).query, keep_blank_values=True)
    operation = next((name for member, name in known.items() if member in query), known.get("" if has_key else "/", ""))
    return _COPIES.get(operation, operation) if "x-amz-copy-source" in headers else operation


def _refusal(seen: Seen, status: int, code: str) -> _Answer:
    message = f"{FOREIGN_WORDS} {seen.bucket}/{seen.key}"
    if seen.service == "s3":
        kind, text = "application/xml", f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    else:
        kind, text = "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    body = b"" if seen.method == "HEAD" else text.encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("x-amz-request-id", "0")]
    if seen.service == "ses":
        headers.append(("x-amzn-ErrorType", code))
    return _Answer(status, _head(f"{status} {code}", headers), body)


def _time_is_over() -> _Answer:
    return _Answer(TIME_IS_OVER, _head(f"{TIME_IS_OVER} Time is over", [("Content-Length", "0")]), b"")


def _head(status: str, headers: list[tuple[str, str]]) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]).encode(
        "latin-1"
    )
