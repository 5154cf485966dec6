"""A null AWS: the calls of S3, Secrets Manager, SSM, SQS and EventBridge that the function makes, answered from memory.

It stores nothing: written bytes are discarded, and read bytes are random. A landing key contains its own size,
`<tenant>/<size>-<anything>.wav`. Outputs never exist. It runs as a separate process, so that it uses nothing of the
measured process. `python -m benchmarks.null_aws` prints its port.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

BLOCK = memoryview(os.urandom(1024 * 1024))
ETAG = "0123456789abcdef0123456789abcdef"
DELAY_SECONDS = 0.0
PUT_AT = 1_700_000_000.0
KEY = re.compile(rb"<Key>([^<]+)</Key>")
SIZE = re.compile(r"/(\d+)-[^/]*$")


class Request(NamedTuple):
    """A request. `body` is empty unless the request is for a JSON service or a batch delete."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def size(self) -> int | None:
        """The size of the landed object in the path, or None for any other path."""
        found = SIZE.search(unquote(self.path.partition("?")[0]))
        return int(found[1]) if found and self.path.startswith("/landing/") else None


def serve(connection: socket.socket, key: str, settings: str) -> None:
    """Answer the requests of one connection until it ends."""
    scratch, reader = memoryview(bytearray(1024 * 1024)), connection.makefile("rb", buffering=64 * 1024)
    with connection, reader:
        while request := read_request(connection, reader, scratch):
            answer(connection, request, key, settings)


def read_request(connection: socket.socket, reader: Any, scratch: memoryview) -> Request | None:
    """Read and return the next request, or None at the end of the connection. Most bodies are discarded."""
    line = reader.readline().decode()
    if not line:
        return None
    headers = {}
    while header := reader.readline().decode().strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("expect"):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = b""
    if "x-amz-target" in headers or "?delete" in line:
        body = reader.read(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        while size := int(reader.readline(), 16):
            drop(reader, size + 2, scratch)
        reader.readline()
    else:
        drop(reader, int(headers.get("content-length", 0)), scratch)
    method, path, _ = line.split(" ")
    return Request(method, path, headers, body)


def drop(reader: Any, missing: int, scratch: memoryview) -> None:
    """Read and discard `missing` bytes."""
    while missing:
        missing -= reader.readinto(scratch[: min(missing, len(scratch))])


def answer(connection: socket.socket, request: Request, key: str, settings: str) -> None:
    """Answer a request after DELAY_SECONDS."""
    time.sleep(DELAY_SECONDS)
    target = request.headers.get("x-amz-target", "")
    if target:
        answers = service_answer(target, key, settings, request.body)
        send(connection, 200, json.dumps(answers).encode(), "application/x-amz-json-1.1")
    elif request.method in ("GET", "HEAD"):
        send_object(connection, request)
    elif request.method == "DELETE":
        send(connection, 204)
    else:
        send(connection, 200, xml_answer(request), "application/xml")


def service_answer(target: str, key: str, settings: str, body: bytes) -> dict[str, object]:
    """Return the answer of Secrets Manager, SSM, SQS or EventBridge."""
    members = json.loads(body)
    entries = [{"EventId": "e1"}] * len(members.get("Entries", []))
    secret = {"SecretString": key, "VersionId": "v1", "Name": "key", "CreatedDate": PUT_AT}
    # The tenant has settings, and no policy.
    names = members.get("Names", [""])
    parameter = {"Name": names[0], "Value": settings, "Version": 1, "LastModifiedDate": PUT_AT}
    return {
        "secretsmanager.GetSecretValue": secret,
        "secretsmanager.DescribeSecret": {"Name": "key", "LastChangedDate": PUT_AT},
        "AmazonSSM.GetParameters": {"Parameters": [parameter], "InvalidParameters": names[1:]},
        "AmazonSQS.ChangeMessageVisibility": {},
        "AWSEvents.PutEvents": {"FailedEntryCount": 0, "Entries": entries},
    }[target]


def xml_answer(request: Request) -> bytes:
    """Return S3's answer to a write."""
    if "?delete" in request.path:
        deleted = b"".join(b"<Deleted><Key>%s</Key></Deleted>" % key for key in KEY.findall(request.body))
        return b"<DeleteResult>%s</DeleteResult>" % deleted
    if request.path.endswith("?uploads"):
        return b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"
    if request.method == "POST":
        return f'<CompleteMultipartUploadResult><ETag>"{ETAG}-2"</ETag></CompleteMultipartUploadResult>'.encode()
    if "x-amz-copy-source" in request.headers:
        return f'<CopyObjectResult><ETag>"{ETAG}"</ETag></CopyObjectResult>'.encode()
    return b""


def send_object(connection: socket.socket, request: Request) -> None:
    """Send a landed object's random bytes, or 404 for any other key."""
    size = request.size
    if size is None:
        send(connection, 404)
        return
    send_head(connection, 200, size, "audio/wav")
    if request.method == "GET":
        for start in range(0, size, len(BLOCK)):
            connection.sendall(BLOCK[: min(len(BLOCK), size - start)])


def send(connection: socket.socket, status: int, body: bytes = b"", content_type: str = "text/plain") -> None:
    """Send a whole answer."""
    send_head(connection, status, len(body), content_type, body)


def send_head(connection: socket.socket, status: int, size: int, content_type: str, body: bytes = b"") -> None:
    """Send an answer's head, and a small body in the same packet."""
    head = (
        f'HTTP/1.1 {status} x\r\nContent-Length: {size}\r\nContent-Type: {content_type}\r\nETag: "{ETAG}"\r\n'
        "Last-Modified: Mon, 23 Nov 2026 00:00:00 GMT\r\n\r\n"
    )
    connection.sendall(head.encode() + body)


def accept(connection: socket.socket, tls: ssl.SSLContext, key: str, settings: str) -> None:
    """Serve a connection with TLS, as S3 does and as the buckets' policies require."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with suppress(OSError):  # the client went away
        serve(tls.wrap_socket(connection, server_side=True), key, settings)


def main() -> None:
    """Serve until the parent closes the standard input.

    Arguments: the files of certificate, private key and tenant's key, the tenant's settings, and the delay in seconds.
    """
    global DELAY_SECONDS  # a setting of the process, written once
    DELAY_SECONDS = float(sys.argv[5]) if len(sys.argv) > 5 else 0
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[1], sys.argv[2])
    key, settings = Path(sys.argv[3]).read_text(), sys.argv[4]
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=accept, args=(connection, tls, key, settings), daemon=True).start()


if __name__ == "__main__":
    main()
