"""Who may do what over the API: every role with every route and kind of call, in its own tenant and a foreign one.

What is expected is written here a second time, without `may` or the parser of an access.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from types import ModuleType
from typing import Any

import pytest

from tests.support import functions
from tests.support.archive import People, Reply, Visitor
from tests.support.clock import Clock
from tests.support.stack import Stack

WAV = (Path(__file__).parents[1] / "samples" / "4711000000000001_1.wav").read_bytes()
ROLES: Mapping[str, tuple[set[str], set[str]]] = {
    # The actions of a role, and the flags of calls that it may open.
    "nothing": (set(), set()),
    "searcher": ({"search"}, set()),
    "player": ({"play"}, set()),
    "downloader": ({"download"}, set()),
    "sharer": ({"share"}, set()),
    "auditor": ({"audit"}, set()),
    "holder": ({"hold"}, set()),
    "eraser": ({"erase"}, set()),
    "lead": ({"search", "play", "download"}, set()),
    "trusted": ({"search", "play", "download", "share", "audit"}, {"restricted"}),
    "officer": ({"search", "play", "download", "share", "hold", "erase", "audit"}, {"restricted", "sensitive"}),
}
CALLS: Mapping[str, tuple[str, set[str]]] = {
    # How a call is sealed, and its flags.
    "plain": ("none", set()),
    "restricted": ("none", {"restricted"}),
    "sensitive": ("none", {"sensitive"}),
    "both": ("none", {"restricted", "sensitive"}),
    "sealed": ("cms", set()),
}


# In place of the name of a hold, which each hold has for itself.
CASE = "a new hold"


@dataclass(frozen=True)
class Route:
    """A request about a call, the action that it needs, and what it answers if it is allowed: plain, sealed."""

    method: str
    path: str
    action: str
    plain: int
    sealed: int
    body: Any = None

    @property
    def name(self) -> str:
        return f"{self.action}: {self.method} {self.path}"


ROUTES = (
    Route("GET", "/api/calls/{}", "search", 200, 200),
    Route("POST", "/api/calls/{}/access", "play", 201, 201, {"action": "play", "file": 0}),
    Route("POST", "/api/calls/{}/access", "download", 201, 201, {"action": "download", "file": 0}),
    Route("GET", "/api/calls/{}/files/0/audio", "play", 206, 409),
    Route("GET", "/api/calls/{}/files/0/sealed", "play", 409, 206),
    Route("GET", "/api/calls/{}/files/0/waveform", "play", 200, 409),
    Route("POST", "/api/calls/{}/files/0/download", "download", 200, 200),
    Route("POST", "/api/calls/{}/played", "play", 204, 204, {"file": 0, "seconds": [[0, 1]]}),
    Route("GET", "/api/calls/{}/audit", "audit", 200, 200),
    Route("POST", "/api/shares", "share", 201, 409, {"file": 0, "to": "ola@x.example", "days": 1, "language": "en"}),
    Route("POST", "/api/calls/{}/holds", "hold", 202, 202, {"name": CASE, "reason": "Complaint"}),
    Route("POST", "/api/holds", "hold", 202, 202, {"name": CASE, "reason": "Complaint"}),
    Route("POST", "/api/erasures", "erase", 201, 201, {"basis": "GDPR, article 17"}),
)
# The routes that name no call, and the action that each needs.
WIDE = {"/api/calls": "search", "/api/audit": "audit", "/api/holds": "hold", "/api/erasures": "erase"}
# The routes of a hold and of a request for erasure, the action that each needs, and what it answers to whom may do it.
GOVERNED = {
    "POST /api/holds/{hold}/release": ("hold", (400, "InvalidRequest")),  # it is not placed yet
    "POST /api/holds/{hold}/approve": ("hold", (400, "InvalidRequest")),
    "GET /api/erasures/{erasure}": ("erase", 200),
    "GET /api/erasures/{erasure}/certificate": ("erase", (404, "NotFound")),  # there is none yet
    "POST /api/erasures/{erasure}/approve": ("erase", 202),
}


@pytest.fixture
def people(cloud: Stack, clock: Clock, request: pytest.FixtureRequest) -> People:
    names = (
        "sign_in",
        "search_calls",
        "open_recording",
        "draw_waveform",
        "share_recording",
        "serve_share",
        "govern_calls",
    )
    people = People(cloud, clock, [request.getfixturevalue(name) for name in names])
    grants = [
        {"group": role, "may": sorted(may), **{flag: flag in flags for flag in ("restricted", "sensitive")}}
        for role, (may, flags) in ROLES.items()
        if may
    ]
    for tenant in ("acme", "globex"):
        cloud.tenant(tenant, settings={"call_index": "plain", "deliver_to_archive": True})
        people.access(*grants, tenant=tenant)
    return people


def ask(visitor: Visitor, route: Route, call: str) -> Reply:
    body = {**route.body} if route.body else None
    if body is not None and "{}" not in route.path:
        body |= {"calls": [call]} if route.action == "hold" else {"call": call}
    if body and body.get("name") == CASE:
        body |= {"name": f"case {token_hex(8)}"}
    text = json.dumps(body) if body is not None else ""
    return visitor.send(route.method, route.path.format(call), text)


def wanted(route: Route, role: str, call: str) -> int | tuple[int, str]:
    (may, opens), (sealed, flags) = ROLES[role], CALLS[call]
    if route.action not in may:
        return 403, "NotAllowed"
    if flags - opens:
        return 403, "RestrictedRecording" if "restricted" in flags - opens else "SensitiveRecording"
    return route.plain if sealed == "none" else route.sealed


def seen(reply: Reply) -> int | tuple[int, str]:
    return reply.error if reply.status in (400, 401, 403, 404) else reply.status


def governed(people: People, visitor: Visitor) -> dict[str, int | tuple[int, str]]:
    """Return what a visitor is answered by the routes of a hold and of an erasure of acme's, which an officer made."""
    maker = people.visitor("officer", email="ola@acme.example")
    names = {"hold": f"case {token_hex(8)}"}
    assert maker.post("/api/holds", {"name": names["hold"], "reason": "Complaint", "queue": "claims"}).status == 202
    call = people.call(token_hex(8))
    names["erasure"] = maker.post("/api/erasures", {"call": call, "basis": "GDPR"}).json["request"]
    return {route: seen(visitor.send(*route.format(**names).split(" ", 1))) for route in GOVERNED}


@pytest.mark.parametrize("role", ROLES)
def test_role_may_do_its_part_and_nothing_else(people: People, role: str) -> None:
    visitor = people.visitor(role)
    for name, (sealed, flags) in CALLS.items():
        facts = {flag: flag in flags for flag in ("restricted", "sensitive")}
        call = people.call(name, data=WAV, sealed=sealed, **facts)
        got = {route.name: seen(ask(visitor, route, call)) for route in ROUTES}
        assert got == {route.name: wanted(route, role, name) for route in ROUTES}, name
    for path, action in WIDE.items():
        reply = visitor.get(path)
        assert seen(reply) == (200 if action in ROLES[role][0] else (403, "NotAllowed")), path
    if "search" in ROLES[role][0]:
        found = {call["name"] for call in visitor.get("/api/calls").json["calls"]}
        assert found == {name for name, (_, flags) in CALLS.items() if flags <= ROLES[role][1]}
    got = governed(people, visitor)
    assert got == {
        route: answer if action in ROLES[role][0] else (403, "NotAllowed")
        for route, (action, answer) in GOVERNED.items()
    }


@pytest.mark.parametrize("role", ["officer", "nothing"])
def test_calls_of_another_tenant_are_unknown_to_every_route(people: People, cloud: Stack, role: str) -> None:
    visitor = people.visitor(role, tenant="globex")
    for name, (sealed, flags) in CALLS.items():
        call = people.call(
            name, data=WAV, sealed=sealed, restricted="restricted" in flags, sensitive="sensitive" in flags
        )
        for asked in (call, call[::-1], "x", "0" * 32):
            assert {seen(ask(visitor, route, asked)) for route in ROUTES} == {(404, "NotFound")}, asked
    assert {detail["tenant"] for event in cloud.audit() for detail in [event["detail"]]} <= {"globex"}
    assert {*governed(people, visitor).values()} == {(404, "NotFound")}
    if role == "officer":
        assert visitor.get("/api/holds").json == {"holds": []} and visitor.get("/api/erasures").json == {"erasures": []}


@pytest.mark.parametrize("cookie", [None, "", "x", "%00", "a" * 5000])
def test_without_a_session_every_route_is_closed(people: People, cloud: Stack, cookie: str | None) -> None:
    call = people.call(data=WAV)
    visitor = Visitor(people.handlers, {} if cookie is None else {"__Host-callseal": cookie})
    assert {seen(ask(visitor, route, call)) for route in ROUTES} == {(401, "NotSignedIn")}
    for path in (*WIDE, "/api/me", "/api/shares"):
        assert visitor.get(path).error == (401, "NotSignedIn")
    assert cloud.audit() == []


def test_template_and_functions_have_the_same_routes(
    people: People, request: pytest.FixtureRequest, cloud: Stack
) -> None:
    """A route of the template that its function does not know would be answered 404, and the reverse never."""
    from tests.support.stack import REGION
    from tests.template.permissions.stack import FUNCTIONS, TEMPLATE, load_template

    body = load_template(TEMPLATE, REGION)["Resources"]["ArchiveApi"]["Properties"]["Body"]["paths"]
    declared: dict[str, set[str]] = {}
    for path, methods in body.items():
        for method, operation in methods.items():
            uri = json.dumps(operation["x-amazon-apigateway-integration"]["uri"])
            name = next(folder for folder, logical in FUNCTIONS.items() if f"{logical}.Arn" in uri)
            declared.setdefault(name, set()).add(f"{method.upper()} {path}")
    modules: dict[str, ModuleType] = {
        name: request.getfixturevalue(name) for name in functions.NAMES if name in declared
    }
    assert declared == {name: set(module.routes()) for name, module in modules.items()}
