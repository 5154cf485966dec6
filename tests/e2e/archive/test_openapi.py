"""Requests made from the API's description, good and bad, against the whole archive: each answer is as described."""

from __future__ import annotations

import copy
import email
import email.policy
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.specs.openapi import checks

from localcloud.http.client import Client
from tests.e2e.archive.conftest import Archive

DESCRIPTION = json.loads((Path(__file__).parents[3] / "schemas" / "archive-api.openapi.json").read_text())
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DESCRIPTION["paths"].items()
    for method, operation in methods.items()
}
# Nothing in a request of the others can be wrong but the header X-Callseal, which other tests leave out.
REFUSABLE = [
    route
    for route, operation in OPERATIONS.items()
    if "{" in route or operation.get("requestBody") or route in ("GET /api/calls", "GET /api/audit")
]
# What succeeds only after more than one request: a sign-in, a code from a mail, a sealed recording, terms, a second
# person. What needs a body for a call that exists is left to the other tests.
IN_STEPS = {
    "callback", "acceptTerms", "sealed", "openShare", "sharedAudio", "releaseHold", "approveRelease", "approveErasure",
    "certificateOfErasure",
}  # fmt: skip
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
FEW = settings(max_examples=10, deadline=None, database=None, derandomize=True, suppress_health_check=[*HealthCheck])


@dataclass(frozen=True)
class Known:
    """What exists: calls with a granted access, a share with its secret, one to cancel, and an officer's cookies.

    And a hold and a request for erasure, which wait for a second person.
    """

    url: str
    files: dict[str, int]
    share: str
    secret: str
    to_cancel: str
    hold: str
    erasure: str
    cookies: dict[str, str]

    @property
    def calls(self) -> list[str]:
        """The calls' ids. `files` has the number of each one's recording."""
        return [*self.files]

    def fill(self, case: Case, draw: Any) -> None:
        """Put what exists in place of most of the random ids and secrets."""
        if "id" in (case.path_parameters or {}) and draw(st.integers(0, 3)):
            known = {
                "calls": self.calls,
                "shares": [self.to_cancel],
                "erasures": [self.erasure],
                "{id}": [self.share],
            }
            case.path_parameters["id"] = draw(st.sampled_from(known[case.path.split("/")[2]]))
            if "n" in case.path_parameters:
                number = self.files[case.path_parameters["id"]]
                case.path_parameters["n"] = draw(st.sampled_from([number, number, number + 1]))
        if "name" in (case.path_parameters or {}) and draw(st.integers(0, 3)):
            case.path_parameters["name"] = self.hold
        if isinstance(case.body, dict):
            some: dict[str, list[Any]] = {
                "secret": [self.secret], "file": [0, 1, 2], "call": self.calls, "seconds": [[[0, 1.5]]],
                "calls": [self.calls[:1]],
            }  # fmt: skip
            names = [name for name in some if name in case.body and draw(st.integers(0, 3))]
            case.body.update({name: draw(st.sampled_from(some[name])) for name in names})


def recording_of(client: Client, call: str) -> int:
    """Return the number of a call's recording in the archive."""
    files = client.get(f"/api/calls/{call}").json["files"]
    return next(file["n"] for file in files if file["destination"] == "archive" and not file["key"].endswith(".json"))


@pytest.fixture(scope="module")
def known(archive: Archive) -> Known:
    """Let an officer open all calls and share one, and return what there is."""
    client = archive.client("officers,governors")
    calls = [call for name, call in archive.calls.items() if name.startswith("acme/")]
    files = {call: recording_of(client, call) for call in calls}
    for call, number in files.items():
        for action in ("play", "download"):
            access = {"action": action, "file": number, "reason": "Quality review"}
            assert client.post(f"/api/calls/{call}/access", access).status == 201
    body = {"call": calls[0], "file": files[calls[0]], "to": "ola@firma.example", "days": 3, "language": "en"}
    to_cancel, share = (client.post("/api/shares", body).json["share"]["id"] for _ in range(2))
    texts = [email.message_from_string(mail, policy=email.policy.default).get_content() for mail in archive.mails()]
    (secret,) = (found[1] for text in texts if (found := re.search(rf"/s/{share}#(\S+)", text)))
    cookies = client.cookies[urlsplit(archive.url).hostname or ""]
    hold = {"name": "case 1", "reason": "Complaint", "queue": "none"}
    assert client.post("/api/holds", hold).status == 202
    erasure = client.post("/api/erasures", {"call": calls[0], "basis": "GDPR"}).json["request"]
    return Known(archive.url, files, share, secret, to_cancel, hold["name"], erasure, dict(cookies))


@pytest.fixture(scope="module")
def schema() -> Any:
    """Return the description without cookies and X-Callseal, which all requests have."""
    paths = copy.deepcopy(DESCRIPTION["paths"])
    for operation in (operation for methods in paths.values() for operation in methods.values()):
        parameters = operation.get("parameters", [])
        operation["parameters"] = [each for each in parameters if each["name"] != "X-Callseal"]
    generation = GenerationConfig(with_security_parameters=False)
    project = ProjectConfig(generation=generation)
    return schemathesis.openapi.from_dict(
        DESCRIPTION | {"paths": paths}, config=SchemathesisConfig(projects=ProjectsConfig(default=project))
    )


def answered(known: Known, case: Case) -> int:
    """Send a request, check its answer, and return the status."""
    # The session is needed for the requests to come.
    cookies = {} if case.path == "/auth/logout" else known.cookies
    answer = case.call(base_url=known.url, headers={"X-Callseal": "1"}, cookies=cookies, allow_redirects=False)
    assert answer.status_code < 500, (case.as_curl_command(), answer.status_code, answer.text)
    case.validate_response(answer, checks=CHECKS)
    return answer.status_code


@pytest.mark.parametrize("route", OPERATIONS)
def test_good_requests_are_answered_as_described(known: Known, schema: Any, route: str) -> None:
    method, _, path = route.partition(" ")
    statuses = set[int]()

    @FEW
    @given(case=schema[path][method].as_strategy(GenerationMode.POSITIVE), data=st.data())
    def test(case: Case, data: st.DataObject) -> None:
        known.fill(case, data.draw)
        statuses.add(answered(known, case))

    test()
    operation = OPERATIONS[route]
    assert operation["operationId"] in IN_STEPS or "requestBody" in operation or min(statuses) < 400


@pytest.mark.parametrize("route", REFUSABLE)
def test_bad_requests_are_refused_as_described(known: Known, schema: Any, route: str) -> None:
    method, _, path = route.partition(" ")

    @FEW
    @given(case=schema[path][method].as_strategy(GenerationMode.NEGATIVE))
    def test(case: Case) -> None:
        answered(known, case)

    test()


@pytest.mark.parametrize("path", DESCRIPTION["paths"])
def test_other_methods_are_not_found(archive: Archive, known: Known, path: str) -> None:
    client = Client(archive.url, {urlsplit(archive.url).hostname or "": dict(known.cookies)})
    place = path.replace("{id}", known.calls[0]).replace("{n}", "0")
    for method in METHODS:
        if method.lower() not in DESCRIPTION["paths"][path]:
            answer = client.send(method, place, headers={"X-Callseal": "1"})
            assert answer.error == (404, "NotFound"), (method, place)
