"""Lambda's Invoke on the local cloud. moto's server forwards it here, because the local cloud runs the functions.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from localcloud.runtime import FunctionRuntime

ACCEPTED, NO_CONTENT, OK, BAD_REQUEST, NOT_FOUND = 202, 204, 200, 400, 404
# moto_child.py, which is a separate program, forwards these.
_TYPE, _FUNCTION_ERROR, _ERROR_TYPE = "X-Amz-Invocation-Type", "X-Amz-Function-Error", "x-amzn-ErrorType"

_Submit = Callable[[FunctionRuntime, Any], None]
_Answer = tuple[int, Mapping[str, str], Any]


class InvocationServer:
    """An HTTP server for Invoke on a free port. It has no functions before `serve`."""

    def __init__(self) -> None:
        self._runtimes: dict[str, FunctionRuntime] = {}
        self._submit: _Submit | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        """The server's port on 127.0.0.1."""
        return self._server.server_port

    def serve(self, runtimes: Mapping[str, FunctionRuntime], submit: _Submit) -> None:
        """Serve functions by name. `submit` invokes one asynchronously."""
        self._runtimes, self._submit = dict(runtimes), submit

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, name: str, kind: str, body: bytes) -> _Answer:
        """Return status, headers and JSON of an invocation."""
        runtime = self._runtimes.get(_function_name(name))
        if runtime is None or self._submit is None:
            return NOT_FOUND, {_ERROR_TYPE: "ResourceNotFoundException"}, {"Message": f"Function not found: {name}"}
        try:
            event = json.loads(body or b"{}")
        except ValueError:
            error = {_ERROR_TYPE: "InvalidRequestContentException"}
            return BAD_REQUEST, error, {"Message": "Could not parse request body into json."}
        if kind == "DryRun":
            return NO_CONTENT, {}, None
        if kind == "Event":
            self._submit(runtime, event)
            return ACCEPTED, {}, None
        result = runtime.invoke(event)
        if result.error is not None:
            return OK, {_FUNCTION_ERROR: "Unhandled"}, dict(result.error)
        return OK, {}, result.payload

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            """Handles one request: the path is the function's name."""

            def do_POST(self) -> None:
                """Invoke."""
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, answer = server.answer(unquote(self.path[1:]), self.headers.get(_TYPE, ""), body)
                # 202 and 204 have no body.
                written = json.dumps(answer).encode() if status not in (ACCEPTED, NO_CONTENT) else b""
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(written))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(written)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
                """Log nothing."""

        return Handler


def _function_name(name_or_arn: str) -> str:
    """Return a function's name from its name or ARN, each with or without a qualifier."""
    if name_or_arn.startswith("arn:"):
        return name_or_arn.split(":")[6]
    return name_or_arn.partition(":")[0]
