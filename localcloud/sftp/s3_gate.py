"""The gate between rclone and moto: each request to S3 is held to its session's policy, and passed on as a stream."""

import http.client
import re
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from localcloud.sftp.s3_requests import S3Request, accesses, parse_request
from localcloud.sftp.sessions import Session, Sessions

_CREDENTIAL = re.compile(r"Credential=([A-Za-z0-9]+)/")
_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
_BLOCK_BYTES = 256 * 1024
_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)


@dataclass(frozen=True)
class Watcher:
    """Who is told what: `refused` of a request that the policy does not allow, `read` of an object's last byte sent."""

    refused: Callable[[Session, S3Request], None]
    read: Callable[[Session, S3Request, int, str], None]


class S3Gate:
    """Serve S3 on a loopback port until closed."""

    def __init__(self, upstream: str, sessions: Sessions, watcher: Watcher) -> None:
        upstream_address = urlsplit(upstream)

        class Handler(_Handler):
            host, port = str(upstream_address.hostname), int(upstream_address.port or 80)

        Handler.sessions, Handler.watcher = sessions, watcher
        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more requests."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away, as rclone does when it has read enough; anything else is a fault."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    host: str
    port: int
    sessions: Sessions
    watcher: Watcher
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    _upstream: http.client.HTTPConnection | None = None

    def _serve(self) -> None:
        lowered = {name.lower(): value for name, value in self.headers.items()}
        found = _CREDENTIAL.search(lowered.get("authorization", ""))
        session = self.sessions.by_key(found[1]) if found else None
        request = parse_request(self.command, self.path, lowered)
        needed = accesses(request)
        if session is None or needed is None or not all(session.policy.allows(one) for one in needed):
            if session:
                self.watcher.refused(session, request)
            self._deny()
            return
        try:
            self._pass_on(session, request, lowered)
        except OSError:
            # One of the two is gone; what was sent so far is shorter than its Content-Length, which says so.
            self.close_connection = True

    def finish(self) -> None:
        """End the connection to moto with the client's."""
        if self._upstream:
            self._upstream.close()
        super().finish()

    def _deny(self) -> None:
        # The body was not read, so nothing else can be read from this connection.
        self.close_connection = True
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(_DENIED)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(_DENIED)

    def _pass_on(self, session: Session, request: S3Request, headers: Mapping[str, str]) -> None:
        upstream = self._upstream = self._upstream or http.client.HTTPConnection(self.host, self.port, timeout=60)
        length = int(headers.get("content-length", 0))
        kept = {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}
        body = self.rfile.read(length) if length else None
        upstream.request(self.command, self.path, body, kept)
        answer = upstream.getresponse()
        sent = self._answer(answer)
        if request.is_reading and answer.status in (200, 206):
            end, total = _end_and_total(answer.headers.get("Content-Range", ""), sent)
            if end == total:
                self.watcher.read(session, request, sent, str(answer.headers.get("ETag", "")).strip('"'))

    def _answer(self, answer: http.client.HTTPResponse) -> int:
        """Send an answer on, block by block; gives the bytes of its body."""
        self.send_response_only(answer.status, answer.reason)
        known = answer.headers.get("Content-Length")
        body = b"" if known is not None or self.command == "HEAD" else answer.read()
        for name, value in answer.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if known is None and self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        sent, block = len(body), memoryview(bytearray(_BLOCK_BYTES))
        while count := answer.readinto(block):
            self.wfile.write(block[:count])
            sent += count
        return sent

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's own name
        """Log nothing: paths may hold a caller's number."""

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815


def _end_and_total(content_range: str, sent: int) -> tuple[int, int]:
    """Tell up to which byte an answer went, and how many there are."""
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", content_range)
    return (int(found[1]) + sent, int(found[3])) if found else (sent, sent)
