"""Writes schemas/archive-api.openapi.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from callseal.archive.body import REQUIRED
from callseal.archive.recording_file import MAX_FILES
from callseal.archive.serve_share import COOKIE as SHARE_COOKIE
from callseal.archive.sessions import COOKIE
from callseal.archive.sign_in import LOGIN_COOKIE
from callseal.calls.members import Member, schema_of
from callseal.governance.erasure_routes import SIGNATURE_HEADER
from callseal.inbound.http import CHANGING
from callseal.retention.hold import NAME

from ..environments import translated
from ..members import object_schema
from .answers import ID, TEXT, ref, schemas
from .compact_json import compact_json
from .errors import ERRORS, by_status
from .law_answers import CERTIFICATE, ERASURE, law_schemas
from .operations import JSON, LOGIN, OPERATIONS, SESSION, SHARE, Operation

COOKIES = {
    SESSION: (COOKIE, "The session of a user who has signed in at /auth/login."),
    LOGIN: (LOGIN_COOKIE, "A sign-in that has begun in this browser."),
    SHARE: (SHARE_COOKIE, "The browser that asked for a share's code."),
}
ABOUT = """\
The API of the archive's page. It has one origin with the page and no CORS, so no other site can use it.

POST and DELETE need the header `X-Callseal: 1`, and a body is JSON. An error is `{"error", "message"}`; `message` may
change, `error` does not. Before a function is reached, API Gateway refuses an unknown route with 404 and a request over
the rate with 429, and both answers have `message` only."""
_TIME = "A day in UTC (2026-11-24), or a time with its offset (2026-11-24T10:00:00Z)."
QUERY = {
    "return": "The path of the page to return to. Any other text is `/`.",
    "state": "As the issuer sent it.",
    "code": "As the issuer sent it.",
    "from": f"{_TIME} Included.",
    "to": f"{_TIME} A day is included, a time is not.",
    "session": "The session id, exactly.",
    "caller": "The number outside the tenant, in any spelling.",
    "agent": "The agent, exactly.",
    "queue": "The queue, exactly.",
    "min_seconds": "The least length of the call.",
    "max_seconds": "The greatest length of the call.",
    "user": "The user's e-mail.",
    "call": "The call's id.",
    "cursor": "Continues a search with the same filters.",
}
_SECONDS = {"type": "string", "pattern": "^[0-9]{1,9}([.][0-9]{1,3})?$"}
FORMS: Mapping[str, dict[str, Any]] = {
    "call": ID,
    **dict.fromkeys(("min_seconds", "max_seconds"), _SECONDS),
    **dict.fromkeys(("return", "state", "code"), TEXT),
}
HOLD_NAME = schema_of(NAME.pattern)
RANGE = {"type": "string", "pattern": "^bytes=([0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})$"}
HEADERS = {
    206: ("Accept-Ranges", "Content-Range", "ETag"),
    302: ("Location",),
}
SIGNATURE = "Base64 of the DER signature (ECDSA P-256, SHA-256) over the body's bytes."
# Of each operation that needs a session, and of each that changes something.
SIGNED_IN, CHANGED = ("NotSignedIn",), ("CsrfRefused", "JsonRequired", "InvalidRequest")


def description(_before: str) -> str:
    """Return schemas/archive-api.openapi.json. Raise ValueError if template.yaml has other routes than OPERATIONS."""
    routes = template_routes()
    if routes != {*OPERATIONS}:
        raise ValueError(f"Routes that template.yaml or OPERATIONS lacks: {sorted(routes ^ {*OPERATIONS})}.")
    paths: dict[str, Any] = {}
    for route, operation in OPERATIONS.items():
        method, _, path = route.partition(" ")
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation)
    cookies = {
        name: {"type": "apiKey", "in": "cookie", "name": cookie, "description": about}
        for name, (cookie, about) in COOKIES.items()
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Callseal's archive", "version": "1", "description": ABOUT},
        "paths": paths,
        "components": {"securitySchemes": cookies, "schemas": schemas() | law_schemas()},
    }
    return compact_json(document) + "\n"


def template_routes() -> set[str]:
    """Return the routes of the template's API."""
    body = translated()["Resources"]["ArchiveApi"]["Properties"]["Body"]
    return {f"{method.upper()} {path}" for path, methods in body["paths"].items() for method in methods}


def codes_of(method: str, operation: Operation) -> tuple[str, ...]:
    """Return the codes of an operation's errors."""
    codes = [*operation.errors, "Unavailable"]
    if operation.cookie == SESSION:
        codes += SIGNED_IN if operation.id in ("me", "acceptTerms") else (*SIGNED_IN, "TermsNotAccepted")
    if method in CHANGING:
        codes += CHANGED
    return tuple(code for code in ERRORS if code in codes)


def _operation(method: str, path: str, operation: Operation) -> dict[str, Any]:
    parameters = [*(_in_path(path, name) for name in re.findall(r"\{(\w+)\}", path)), *map(_in_query, operation.query)]
    if method in CHANGING:
        parameters.append(_in_header("X-Callseal", {"const": "1"}, required=True))
    if "Range" in operation.headers:
        parameters.append(_in_header("Range", RANGE, required=False))
    answers = {str(status): _answer(status, *answer) for status, answer in operation.answers.items()}
    errors = by_status(codes_of(method, operation))
    return {
        "operationId": operation.id,
        "summary": operation.summary,
        "security": [{operation.cookie: []}] if operation.cookie else [],
        **({"parameters": parameters} if parameters else {}),
        **(_body(operation.body) if operation.body is not None else {}),
        "responses": answers | {str(status): _error(codes) for status, codes in errors.items()},
    }


def _in_path(path: str, name: str) -> dict[str, Any]:
    number = {"type": "integer", "minimum": 0, "maximum": MAX_FILES}
    schemas = {"n": number, "name": HOLD_NAME, "id": ERASURE if path.startswith("/api/erasures/") else ID}
    return {"name": name, "in": "path", "required": True, "schema": schemas[name]}


def _in_query(name: str) -> dict[str, Any]:
    schema = FORMS.get(name, {"type": "string", "minLength": 1})
    return {"name": name, "in": "query", "description": QUERY[name], "schema": schema}


def _in_header(name: str, schema: Mapping[str, Any], *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": schema}


def _body(members: Mapping[str, Member]) -> dict[str, Any]:
    required = [name for name, member in members.items() if member.default is REQUIRED]
    properties = {
        name: {**member.schema, "description": f"{member.wanted[0].upper()}{member.wanted[1:]}."}
        for name, member in members.items()
    }
    content = {JSON: {"schema": object_schema(properties, *required)}}
    return {"requestBody": {"required": bool(required), "content": content}}


def _answer(status: int, about: str, content: str | tuple[str, ...] | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": about}
    if content == CERTIFICATE:
        answer["headers"] = {SIGNATURE_HEADER: {"required": True, "description": SIGNATURE, "schema": TEXT}}
    if status in HEADERS:
        answer["headers"] = {name: {"required": True, "schema": {"type": "string"}} for name in HEADERS[status]}
    if isinstance(content, str):
        answer["content"] = {JSON: {"schema": ref(content)}}
    elif content:
        answer["content"] = {media: {"schema": {"type": "string"}} for media in content}
    return answer


def _error(codes: list[str]) -> dict[str, Any]:
    schema = {**ref("Error"), "properties": {"error": {"enum": codes}}}
    about = " ".join(f"`{code}`: {ERRORS[code][1]}" for code in codes)
    return {"description": about, "content": {JSON: {"schema": schema}}}
