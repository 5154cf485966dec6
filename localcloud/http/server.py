"""A threading HTTP/1.1 server on 127.0.0.1 that answers each request by a function."""

import contextlib
import socket
import threading
import traceback
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from localcloud.clock_file import ClockFile
from localcloud.errors import StartError
from localcloud.http.payloads import LONGEST_BODY, Answer, Request, json_answer

HOST = "127.0.0.1"
_NO_BODY = (204, 304)
_POLL_SECONDS = 0.05
_BUFFER = 64 * 1024

Handle = Callable[[Request], Answer]


class HttpServer:
    """Serves on a port, or on a free one for port 0, from its creation to `close`; `what` is its name in errors."""

    def __init__(self, what: str, port: int, clock: ClockFile, handle: Handle) -> None:
        try:
            self._server = _Server((HOST, port), clock, handle)
        except (OSError, OverflowError) as exc:
            raise StartError(f"{what} cannot listen on port {port} of {HOST}: {exc}.") from exc
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), name=what, daemon=True).start()

    def close(self) -> None:
        """Stop the server and end its connections."""
        self._server.shutdown()
        self._server.server_close()
        self._server.end_connections()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], clock: ClockFile, handle: Handle) -> None:
        self.clock, self.handle = clock, handle
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without the look-up of this machine's name that the base class does."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = HOST, int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, and serve it in a thread."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection, and close it."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that went away."""

    def end_connections(self) -> None:
        """End the connections that clients keep open."""
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Reads one request after the other from a connection."""

    server: _Server
    protocol_version = "HTTP/1.1"
    # One packet for headers and body, and no wait for more.
    wbufsize = _BUFFER
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a request."""
        self._write(self._answer())

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815  # the base class's names

    def version_string(self) -> str:
        """Return the header Server."""
        return "local cloud"

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the header Date, by the local cloud's clock."""
        return formatdate(self.server.clock.now().timestamp() if timestamp is None else timestamp, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Log nothing here: the gateway logs each request to the API."""

    def _answer(self) -> Answer:
        length = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not length.isdecimal():
            return self._refuse(411, "Length Required")
        if int(length) > LONGEST_BODY:
            return self._refuse(413, "Request Entity Too Large")
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(length))
        if not path.startswith("/") or len(body) < int(length):
            return self._refuse(400, "Bad Request")
        request = Request(self.command, path, query, self.headers.items(), body, self.client_address[0])
        try:
            return self.server.handle(request)
        except Exception:  # noqa: BLE001 - a fault of the local cloud itself
            traceback.print_exc()
            return json_answer(500, {"message": "Internal Server Error"})

    def _refuse(self, status: int, message: str) -> Answer:
        # The rest of the request, which is not read, would be taken for the next one.
        self.close_connection = True
        return json_answer(status, {"message": message})

    def _write(self, answer: Answer) -> None:
        has_body = answer.status not in _NO_BODY
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if has_body:
            self.send_header("content-length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(answer.body)
