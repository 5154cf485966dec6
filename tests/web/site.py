"""A server of web/ and of the tests' own files, with the strict Content-Security-Policy of the archive's page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

WEB = Path(__file__).parents[2] / "web"
OWN = Path(__file__).parent
CSP = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; img-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types callseal-opener"
)
TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".html": "text/html; charset=utf-8"}


class Site:
    """The server. `put` returns the path of bytes; the same bytes have the same path."""

    def __init__(self, port: int, files: dict[str, bytes]) -> None:
        self.url, self._files = f"http://127.0.0.1:{port}", files

    def put(self, data: bytes) -> str:
        path = f"/files/{hashlib.sha256(data).hexdigest()}"
        self._files[path] = data
        return path


@contextmanager
def serve() -> Iterator[Site]:
    files: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(files))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Site(server.server_address[1], files)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(files: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            data = files.get(self.path) if self.path.startswith("/files/") else _page_file(self.path)
            self.send_response(200 if data is not None else 404)
            self.send_header("Content-Type", TYPES.get(Path(self.path).suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(len(data or b"")))
            self.send_header("Content-Security-Policy", CSP)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    return Handler


def _page_file(path: str) -> bytes | None:
    for folder in (WEB, OWN):
        found = (folder / path.removeprefix("/")).resolve()
        if found.is_relative_to(folder) and found.suffix in TYPES and found.is_file():
            return found.read_bytes()
    return None
