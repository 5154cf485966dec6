"""Events and answers of functions behind an HTTP API, in the payload format 2.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import binascii
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from localcloud.http.routes import Match

STAGE = "$default"
# Lambda's quota for an answer, which is JSON with the body in it, and API Gateway's for the body of a request.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
LONGEST_ANSWER = 6_291_556
LONGEST_BODY = 10 * 1024 * 1024
_TEXTS = ("application/json", "application/javascript", "application/xml")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True)
class Request:
    """A request as it came: the target's parts percent-encoded, the headers in their order, repeated ones too."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes = b""
    address: str = "127.0.0.1"

    def header(self, name: str) -> str:
        """Return a header's value, repeated ones joined by commas, or an empty text."""
        return ",".join(value for each, value in self.headers if each.lower() == name)


@dataclass(frozen=True)
class Answer:
    """An answer for the client. `headers` may hold a name more than once."""

    status: int
    headers: Sequence[tuple[str, str]] = field(default_factory=tuple)
    body: bytes = b""


class AnswerError(Exception):
    """A function's answer is not one that API Gateway accepts; the client gets 500. The message is for the log."""


def json_answer(status: int, content: Mapping[str, Any]) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(status, [("content-type", "application/json")], json.dumps(content).encode())


def event_of(request: Request, match: Match, api_id: str, account: str, domain: str, now: datetime) -> dict[str, Any]:
    """Return the event of a request. Members without content are left out, as AWS does."""
    headers = {name.lower(): request.header(name.lower()) for name, _ in request.headers}
    cookies = headers.pop("cookie", "")
    headers |= {"host": domain, "x-forwarded-for": request.address, "x-forwarded-port": "443"}
    headers |= {"x-forwarded-proto": "https", "content-length": str(len(request.body))}
    optional = {
        "cookies": [cookie.strip() for cookie in re.split("[;,]", cookies) if cookie.strip()],
        "queryStringParameters": _query_parameters(request.query),
        "pathParameters": dict(match.parameters),
    }
    # API Gateway decodes rawPath, against its name: https://github.com/middleapi/standard-server/pull/93
    path = unquote(request.path)
    return {
        "version": "2.0",
        "routeKey": match.route.key,
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": headers,
        **{name: content for name, content in optional.items() if content},
        "requestContext": {
            "accountId": account,
            "apiId": api_id,
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.address,
                "userAgent": request.header("user-agent"),
            },
            "requestId": base64.b64encode(uuid.uuid4().bytes)[:15].decode(),
            "routeKey": match.route.key,
            "stage": STAGE,
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        **_body(request),
    }


def answer_of(payload: Any) -> Answer:
    """Return the client's answer of what a function returned. Raise AnswerError."""
    if len(json.dumps(payload).encode()) > LONGEST_ANSWER:
        raise AnswerError(f"the answer is longer than {LONGEST_ANSWER} bytes")
    if not isinstance(payload, dict) or "statusCode" not in payload:
        # API Gateway takes it for the body of an answer 200.
        body = payload if isinstance(payload, str) else json.dumps(payload)
        return Answer(200, [("content-type", "application/json")], body.encode())
    status = payload["statusCode"]
    if not str(status).isdigit() or not 100 <= int(status) <= 599:
        raise AnswerError(f"the statusCode is {status!r}")
    headers = _answer_headers(payload.get("headers") or {})
    if "content-type" not in {name.lower() for name, _ in headers}:
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    headers += [("set-cookie", _header_value(cookie)) for cookie in payload.get("cookies") or []]
    return Answer(int(status), headers, _answer_body(payload))


def _query_parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters


def _body(request: Request) -> dict[str, Any]:
    if not request.body:
        return {"isBase64Encoded": False}
    kind = request.header("content-type").partition(";")[0].strip().lower()
    if kind in _TEXTS or kind.startswith("text/"):
        return {"body": request.body.decode(errors="replace"), "isBase64Encoded": False}
    return {"body": base64.b64encode(request.body).decode(), "isBase64Encoded": True}


def _answer_headers(headers: Any) -> list[tuple[str, str]]:
    if not isinstance(headers, dict):
        raise AnswerError("the headers are not an object")
    unfit = [name for name in headers if not _TOKEN.fullmatch(name)]
    if unfit:
        raise AnswerError(f"{unfit[0]!r} is not a header's name")
    # The gateway frames the answer by itself.
    framing = ("content-length", "transfer-encoding", "connection")
    return [(name, _header_value(value)) for name, value in headers.items() if name.lower() not in framing]


def _header_value(value: Any) -> str:
    if isinstance(value, dict | list) or value is None:
        raise AnswerError(f"{value!r} is not a header's value")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not text.isascii() or not text.isprintable():
        raise AnswerError(f"{text!r} is not a header's value")
    return text


def _answer_body(payload: Mapping[str, Any]) -> bytes:
    body = payload.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise AnswerError("the body is not a text")
    try:
        return base64.b64decode(body, validate=True) if payload.get("isBase64Encoded") else body.encode()
    except binascii.Error as exc:
        raise AnswerError("the body is not base64") from exc
