"""What is around moto's application in its child process: a lock, counts of messages, Lambda's Invoke, a closed bus."""

import http.client
import io
import json
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.sqs.models import sqs_backends

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_INCOMPLETE = b"<Error><Code>IncompleteBody</Code><Message>The body ended before its Content-Length.</Message></Error>"
# The path of the counts of messages, which moto itself does not have.
OUTSTANDING = "/local-cloud/outstanding"
_INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")
# Headers of an invocation: the request's type, whether the function failed, and an error's name.
_FORWARDED_HEADERS = ("X-Amz-Invocation-Type", "X-Amz-Function-Error", "x-amzn-ErrorType")


def forward_invocations(app: WsgiApp, port: int) -> WsgiApp:
    """Return an app that forwards Lambda's Invoke to a port without the app's lock, since functions send requests."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # The path as it was sent: WSGI's PATH_INFO is decoded, but an ARN may be encoded.
        path = _INVOKE.fullmatch(environ["RAW_URI"].partition("?")[0])
        if not path or environ["REQUEST_METHOD"] != "POST":
            return app(environ, start_response)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            kind = {_FORWARDED_HEADERS[0]: environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "")}
            connection.request("POST", f"/{path[1]}", _read_body(environ) or b"", kind)
            answer = connection.getresponse()
            headers = [(name, value) for name, value in answer.getheaders() if name in _FORWARDED_HEADERS]
            start_response(f"{answer.status} {answer.reason}", [("Content-Type", "application/json"), *headers])
            return [answer.read()]
        finally:
            connection.close()

    return serve


def count_messages(app: WsgiApp) -> WsgiApp:
    """Return an app that answers `OUTSTANDING` with the messages of each queue that are waiting or in flight.

    Within the app's lock no message moves from one queue to another, so the counts are of one moment.
    """

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != OUTSTANDING:
            return app(environ, start_response)
        counts = {}
        for regions in sqs_backends.values():
            for backend in regions.values():
                for queue in backend.queues.values():
                    with queue._messages_lock:
                        counts[queue.name] = sum(not message.delayed for message in queue._messages)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(counts).encode()]

    return serve


def refuse_events(app: WsgiApp, file: Path) -> WsgiApp:
    """Return an app that answers EventBridge's PutEvents with 503 while a file exists."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_X_AMZ_TARGET") != "AWSEvents.PutEvents" or not file.exists():
            return app(environ, start_response)
        start_response("503 Service Unavailable", [("Content-Type", "application/x-amz-json-1.1")])
        return [json.dumps({"__type": "ServiceUnavailable", "message": f"{file.name} exists."}).encode()]

    return serve


def one_at_a_time(app: WsgiApp) -> WsgiApp:
    """Return an app that reads each request's body first, and then answers one request after the other."""
    lock = threading.Lock()

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = _read_body(environ)
        if body is None:
            start_response("400 Bad Request", [("Content-Type", "application/xml")])
            return [_INCOMPLETE]
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        if environ.get("HTTP_X_AMZ_TARGET") == "AmazonSQS.ReceiveMessage":
            # A long poll would block all other requests. It is guarded by the queue's own lock, which it releases.
            return _whole(app(environ, start_response))
        with lock:
            return _whole(app(environ, start_response))

    return serve


def _whole(answer: Iterable[bytes]) -> list[bytes]:
    try:
        return list(answer)
    finally:
        close = getattr(answer, "close", None)
        if close:
            close()


def _read_body(environ: dict[str, Any]) -> bytes | None:
    source, length = environ["wsgi.input"], environ.get("CONTENT_LENGTH")
    if not length:
        return bytes(source.read()) if environ.get("wsgi.input_terminated") else b""
    body = bytes(source.read(int(length)))
    return body if len(body) == int(length) else None
