"""The archive's one origin on this machine: CloudFront's behaviours, the page, and the HTTP API with its functions.

It answers as the services on AWS do, with these differences:
  - AWS answers a path that the page does not have with S3's XML, a method that CloudFront does not allow with 403, and
    a route that the API does not have with 404 {"message": "Not Found"}. Here all three are 404 with the error of the
    archive's API. A route $default in the template makes it so for the API's paths on AWS, too.
  - no request is refused for its rate
"""

import time
from collections.abc import Mapping
from pathlib import Path

from localcloud.clock_file import ClockFile
from localcloud.http.front import Behaviour, Front
from localcloud.http.pages import serve_file
from localcloud.http.payloads import Answer, AnswerError, Request, answer_of, event_of, json_answer
from localcloud.http.routes import Match, find_route
from localcloud.http.server import HOST, HttpServer
from localcloud.processes import LineSink
from localcloud.runtime import FunctionRuntime

_NOT_FOUND = json_answer(404, {"error": "NotFound", "message": "There is nothing at this address."})
_STARTING = json_answer(503, {"message": "Service Unavailable"})
_FAILED = json_answer(500, {"message": "Internal Server Error"})
# CloudFront and API Gateway refuse a request for a host name that is not theirs.
_OTHER_HOST = json_answer(403, {"message": "Forbidden"})


class Gateway:
    """Listens from its creation on, and serves from `serve` on."""

    def __init__(self, port: int, web: Path, clock: ClockFile, log: LineSink) -> None:
        self._web, self._clock, self._log = web, clock, log
        self._front: Front | None = None
        self._runtimes: Mapping[str, FunctionRuntime] = {}
        self._account = ""
        self._server = HttpServer("The archive's gateway", port, clock, self._answer)
        self.address = f"{HOST}:{self._server.port}"

    @property
    def url(self) -> str:
        """The archive's URL, without a slash at the end."""
        return f"http://{self.address}"

    def serve(self, front: Front, runtimes: Mapping[str, FunctionRuntime], account: str) -> None:
        """Serve the template's front; `runtimes` by function ARN."""
        self._runtimes, self._account = runtimes, account
        self._front = front

    def close(self) -> None:
        """Stop serving."""
        self._server.close()

    def _answer(self, request: Request) -> Answer:
        if self._front is None:
            return _STARTING
        if request.header("host") != self.address:
            return _OTHER_HOST
        behaviour = self._front.behaviour(request.path)
        answer = self._to_api(self._front, request) if behaviour.to_api else self._to_page(request)
        return _with_headers(answer, behaviour)

    def _to_page(self, request: Request) -> Answer:
        found = serve_file(self._web, request) if request.method in ("GET", "HEAD") else None
        return found or _NOT_FOUND

    def _to_api(self, front: Front, request: Request) -> Answer:
        match, begun = find_route(front.routes, request.method, request.path), time.monotonic()
        answer = self._invoke(front, request, match) if match else _NOT_FOUND
        # As in the access log of AWS: not the path, which holds ids, and not the query string.
        key, milliseconds = match.route.key if match else "-", round((time.monotonic() - begun) * 1000)
        self._log(f"{key} {answer.status} {milliseconds} ms {len(answer.body)} bytes")
        return answer

    def _invoke(self, front: Front, request: Request, match: Match) -> Answer:
        # Behind the distribution the API sees its own host name, because AllViewerExceptHostHeader drops the viewer's.
        domain = front.domain if front.distribution else self.address
        event = event_of(request, match, front.api_id, self._account, domain, self._clock.now())
        result = self._runtimes[match.route.function_arn].invoke(event)
        if result.error is not None:
            return _FAILED
        try:
            return answer_of(result.payload)
        except AnswerError as exc:
            self._log(f"{match.route.key}: {exc}")
            return _FAILED


def _with_headers(answer: Answer, behaviour: Behaviour) -> Answer:
    """Return the answer with the behaviour's headers in place of the origin's."""
    added = {name.lower() for name in behaviour.headers}
    kept = [(name, value) for name, value in answer.headers if name.lower() not in added]
    return Answer(answer.status, [*kept, *behaviour.headers.items()], answer.body)
