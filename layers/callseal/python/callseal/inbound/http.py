"""HTTP requests of the archive's API (API Gateway's payload 2.0), their answers, and what every route refuses alike.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from callseal.core.errors import CallsealError, TransientError
from callseal.core.log import Log, describe

# A page of another origin cannot send this header without the API's consent, which it never gives.
CSRF_HEADER = "x-callseal"
CHANGING = ("POST", "DELETE")
MAX_BODY_BYTES = 64 * 1024


class RefusedRequestError(CallsealError):
    """The request is refused. `status` and `code` are the API's, and the message is a sentence for the user.

    `members` are further members of the answer, `headers` its further headers.
    """

    def __init__(
        self, status: int, code: str, sentence: str, members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Take the status, the code, the sentence, and what else the answer has."""
        super().__init__(sentence)
        self.status, self.code = status, code
        self.members, self.headers = dict(members or {}), dict(headers or {})


class RequestFailedError(CallsealError):
    """The function failed. API Gateway answers with status 500, and the function's error alarm counts it."""


def invalid(sentence: str) -> RefusedRequestError:
    """Return the refusal of a malformed request."""
    return RefusedRequestError(HTTPStatus.BAD_REQUEST, "InvalidRequest", sentence)


def not_found() -> RefusedRequestError:
    """Return the refusal of what does not exist, or is another tenant's. Both have the same answer."""
    return RefusedRequestError(HTTPStatus.NOT_FOUND, "NotFound", "There is nothing here, or it is not yours.")


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `route` is the template's route (`GET /api/calls/{id}`), `path` the values of its variables.

    `query` has the parameters in their order, each as often as it was sent. Names of headers are in lower case.
    """

    route: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def method(self) -> str:
        """The method in capitals."""
        return self.route.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. `body` is bytes, or a value for JSON, or None for no body. `cookies` are Set-Cookie's values."""

    status: int = HTTPStatus.OK
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()


Route = Callable[[Request], Answer]


def parse_request(event: Mapping[str, Any]) -> Request:
    """Return the request of an event. Raise RefusedRequestError if its body cannot be decoded."""
    body = event.get("body") or ""
    try:
        raw = b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except ValueError as exc:
        raise invalid("The request's body cannot be decoded.") from exc
    cookies = (each.partition("=") for each in event.get("cookies") or ())
    return Request(
        route=event["routeKey"],
        path=event.get("pathParameters") or {},
        query=parse_qsl(event.get("rawQueryString") or "", keep_blank_values=True),
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        cookies={name.strip(): value for name, _, value in cookies},
        body=raw,
    )


def serve(event: Mapping[str, Any], routes: Mapping[str, Route], log: Log) -> dict[str, Any]:
    """Return the answer to an event, by the route that it names, in the form that API Gateway takes.

    Raise RequestFailedError for any error that is not expected.
    """
    try:
        request = parse_request(event)
        route = routes.get(request.route)
        if route is None:
            raise not_found()
        _check_origin(request)
        answer = route(request)
    except RefusedRequestError as refused:
        answer = _refusal(refused)
    except TransientError as exc:
        log.warning("request failed", extra={"route": str(event.get("routeKey")), **describe(exc)})
        sentence = "The archive cannot answer at the moment. Try again in a minute."
        answer = _refusal(RefusedRequestError(HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable", sentence))
    except Exception as exc:  # noqa: BLE001  # another error takes its place
        # Lambda would log the message of an error that it gets, which may quote a landing key.
        log.warning("request failed", extra={"route": str(event.get("routeKey")), **describe(exc)})
        raise RequestFailedError(f"The request failed: {type(exc).__name__}.") from None
    return _written(answer)


def _check_origin(request: Request) -> None:
    """Refuse a change that a page of another origin could have sent, and a body that is not JSON."""
    if request.method not in CHANGING:
        return
    if request.headers.get(CSRF_HEADER) != "1":
        sentence = "The request has no header X-Callseal: 1, so it may come from a page of another site."
        raise RefusedRequestError(HTTPStatus.FORBIDDEN, "CsrfRefused", sentence)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.body and kind != "application/json":
        sentence = "The request's body must be JSON, with the content type application/json."
        raise RefusedRequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "JsonRequired", sentence)
    if len(request.body) > MAX_BODY_BYTES:
        raise invalid(f"The request's body has over {MAX_BODY_BYTES} bytes.")


def _refusal(refused: RefusedRequestError) -> Answer:
    document = {"error": refused.code, "message": str(refused), **refused.members}
    return Answer(refused.status, document, refused.headers)


def _written(answer: Answer) -> dict[str, Any]:
    # What the API says of calls and people is kept by no cache.
    headers = {"cache-control": "private, no-store", "x-content-type-options": "nosniff", **answer.headers}
    written: dict[str, Any] = {"statusCode": int(answer.status), "headers": headers}
    if answer.cookies:
        written["cookies"] = [*answer.cookies]
    if isinstance(answer.body, bytes):
        return written | {"body": b64encode(answer.body).decode(), "isBase64Encoded": True}
    if answer.body is None:
        return written | {"body": ""}
    headers.setdefault("content-type", "application/json")
    return written | {"body": json.dumps(answer.body, ensure_ascii=False)}
