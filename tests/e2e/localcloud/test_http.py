"""The gateway gives functions the requests, and browsers the answers, as an HTTP API behind CloudFront does."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from localcloud import LocalCloud, StartError
from localcloud.errors import TemplateError
from localcloud.http.routes import Route, find_route
from tests.e2e.localcloud.front import Reply, front_cloud, front_template, published, send

NOT_FOUND = {"error": "NotFound", "message": "There is nothing at this address."}
JSON = ("Content-Type", "application/json")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with front_cloud(tmp_path_factory.mktemp("front")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def url(cloud: LocalCloud) -> str:
    return cloud.outputs["ArchiveUrl"]


def event(url: str, method: str, target: str, *headers: tuple[str, str], body: bytes | None = None) -> dict[str, Any]:
    """Return the event that the function got of a request."""
    reply = send(url, method, target, list(headers), body)
    assert reply.status == 200, reply
    return dict(reply.json())


def answered(url: str, answer: Any) -> Reply:
    """Return what a client gets when the function returns `answer`."""
    return send(url, "POST", "/api/uploads?do=answer", [JSON], json.dumps(answer).encode())


def test_url_is_where_the_outputs_and_the_parameter_say(cloud: LocalCloud, url: str) -> None:
    assert url.startswith("http://127.0.0.1:")
    assert not url.endswith("/")
    assert published(cloud)["ArchiveUrl"] == url
    assert cloud.client("ssm").get_parameter(Name="/tested/archive/url")["Parameter"]["Value"] == url


def test_event_has_the_payload_format_2(url: str) -> None:
    headers = (("Cookie", "a=1; b=2"), ("X-Twice", "one"), ("X-Twice", "two"), ("User-Agent", "tests"))
    got = event(url, "GET", "/api/calls?caller=%2B47&queue=a&queue=b&empty=", *headers)

    assert (got["version"], got["routeKey"]) == ("2.0", "GET /api/calls")
    assert (got["rawPath"], got["rawQueryString"]) == ("/api/calls", "caller=%2B47&queue=a&queue=b&empty=")
    assert got["queryStringParameters"] == {"caller": "+47", "queue": "a,b", "empty": ""}
    assert got["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in got["headers"]
    assert got["headers"]["x-twice"] == "one,two"
    assert got["isBase64Encoded"] is False
    assert {"body", "pathParameters"} & set(got) == set()
    context = got["requestContext"]
    assert context["http"] == {
        "method": "GET", "path": "/api/calls", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "tests",
    }  # fmt: skip
    assert (context["stage"], context["routeKey"]) == ("$default", "GET /api/calls")
    # The viewer's host name does not reach the API: AllViewerExceptHostHeader.
    assert got["headers"]["host"] == context["domainName"] == "localarchiveapi.execute-api.eu-north-1.amazonaws.com"


def test_two_requests_have_two_ids(url: str) -> None:
    assert len({event(url, "GET", "/api/calls")["requestContext"]["requestId"] for _ in range(2)}) == 2


@pytest.mark.parametrize(
    ("method", "target", "key", "parameters"),
    [
        ("GET", "/api/calls/newest", "GET /api/calls/newest", None),
        ("GET", "/api/calls/a%20b%2Fc", "GET /api/calls/{id}", {"id": "a b/c"}),
        ("PUT", "/api/calls/1/files/2", "ANY /api/calls/{id}/files/{n}", {"id": "1", "n": "2"}),
        ("GET", "/api/rest/a/b/c", "GET /api/rest/{path+}", {"path": "a/b/c"}),
        ("POST", "/s/1/code", "POST /s/{id}/code", {"id": "1"}),
    ],
    ids=["text before variable", "variable", "any method", "greedy", "beside the page"],
)
def test_most_specific_route_is_taken(
    url: str, method: str, target: str, key: str, parameters: dict[str, str] | None
) -> None:
    got = event(url, method, target, body=b"" if method in ("POST", "PUT") else None)
    assert (got["routeKey"], got.get("pathParameters")) == (key, parameters)


def test_most_specific_route_is_taken_in_every_order_of_the_template() -> None:
    ordered = [
        Route("GET", "/a/b/c", "1"), Route("ANY", "/a/b/c", "2"), Route("GET", "/a/b/{x}", "3"),
        Route("GET", "/a/{x}/c", "4"), Route("GET", "/a/{x+}", "5"), Route("ANY", "$default", "6"),
    ]  # fmt: skip
    for routes in itertools.permutations(ordered):
        left = list(routes)
        for route in ordered:
            match = find_route(left, "GET", "/a/b/c")
            assert match is not None
            assert match.route == route
            left.remove(route)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/api/other"),
        ("GET", "/api/calls/"),
        ("GET", "/api/calls/1/"),
        ("GET", "/api/rest/"),
        ("DELETE", "/api/calls"),
        ("HEAD", "/api/calls"),
        ("OPTIONS", "/api/calls"),
        ("GET", "/auth/login"),
        ("POST", "/"),
        ("GET", "/missing.js"),
    ],
)
def test_unknown_route_or_method_is_not_found(url: str, method: str, target: str) -> None:
    reply = send(url, method, target)
    assert (reply.status, reply.header("content-type")) == (404, "application/json")
    assert (reply.body == b"") if method == "HEAD" else (reply.json() == NOT_FOUND)


def test_path_is_decoded_in_the_event_as_on_aws(url: str) -> None:
    got = event(url, "GET", "/api/calls/a%20b%2Fc?x=%20")
    assert (got["rawPath"], got["requestContext"]["http"]["path"]) == ("/api/calls/a b/c", "/api/calls/a b/c")
    assert got["rawQueryString"] == "x=%20"


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/json; charset=utf-8", b'{"a": "\xc3\xa6"}', ('{"a": "æ"}', False)),
        ("text/csv", b"a,b", ("a,b", False)),
        ("application/octet-stream", b"\x00\xff", (base64.b64encode(b"\x00\xff").decode(), True)),
        ("application/x-www-form-urlencoded", b"a=1", (base64.b64encode(b"a=1").decode(), True)),
    ],
)
def test_body_is_a_text_or_base64_by_its_type(url: str, kind: str, body: bytes, expected: tuple[str, bool]) -> None:
    got = event(url, "POST", "/api/uploads", ("Content-Type", kind), body=body)
    assert (got["body"], got["isBase64Encoded"]) == expected


def test_answer_has_status_headers_cookies_and_bytes(url: str) -> None:
    body = base64.b64encode(bytes(range(256))).decode()
    headers = {"Content-Type": "audio/mpeg", "Content-Length": "3", "X-Number": 7}
    reply = answered(
        url, {"statusCode": 206, "headers": headers, "cookies": ["a=1; Path=/", "b=2"], "body": body,
              "isBase64Encoded": True}
    )  # fmt: skip
    assert (reply.status, reply.body) == (206, bytes(range(256)))
    assert (reply.header("content-type"), reply.header("x-number")) == ("audio/mpeg", "7")
    assert [value for name, value in reply.headers if name.lower() == "set-cookie"] == ["a=1; Path=/", "b=2"]
    assert [value for name, value in reply.headers if name.lower() == "content-length"] == ["256"]


@pytest.mark.parametrize(
    ("answer", "status", "kind", "body"),
    [
        ("text", 200, "application/json", b"text"),
        ({"a": [1]}, 200, "application/json", b'{"a": [1]}'),
        (None, 200, "application/json", b"null"),
        ({"statusCode": "201", "body": "x"}, 201, "text/plain;charset=UTF-8", b"x"),
        ({"statusCode": 204}, 204, "text/plain;charset=UTF-8", b""),
    ],
    ids=["text", "object", "nothing", "no content type", "no body"],
)
def test_answer_without_all_members(url: str, answer: Any, status: int, kind: str, body: bytes) -> None:
    reply = answered(url, answer)
    assert (reply.status, reply.header("content-type"), reply.body) == (status, kind, body)


@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": "many"},
        {"statusCode": 99},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": "%%%", "isBase64Encoded": True},
        {"statusCode": 200, "headers": {"x-a": "1\r\nset-cookie: b=2"}},
        {"statusCode": 200, "headers": {"x a": "1"}},
        {"statusCode": 200, "headers": [["a", "b"]]},
        {"statusCode": 200, "cookies": ["a=1\r\nx-b: 2"]},
    ],
    ids=lambda answer: json.dumps(answer)[:40],
)
def test_answer_that_is_none_is_an_error(cloud: LocalCloud, url: str, answer: Any) -> None:
    reply = answered(url, answer)
    assert (reply.status, reply.json()) == (500, {"message": "Internal Server Error"})
    assert "POST /api/uploads: " in (cloud.state_dir / "logs" / "HttpGateway.log").read_text()


def test_function_that_raises_is_an_error(url: str) -> None:
    reply = send(url, "GET", "/api/calls?do=raise")
    assert (reply.status, reply.json()) == (500, {"message": "Internal Server Error"})


def test_answer_is_limited_as_on_lambda(url: str) -> None:
    assert len(send(url, "GET", f"/api/calls?do=fill&bytes={6 * 1024 * 1024 - 1000}").body) == 6 * 1024 * 1024 - 1000
    assert send(url, "GET", f"/api/calls?do=fill&bytes={6 * 1024 * 1024 + 1000}").status == 500


def test_request_is_limited_as_on_api_gateway(url: str) -> None:
    """The body is not sent, so only what the client declares can be what is refused."""
    declared = [("Content-Length", str(10 * 1024 * 1024 + 1)), JSON]
    reply = send(url, "POST", "/api/uploads", declared)
    assert (reply.status, reply.json()) == (413, {"message": "Request Entity Too Large"})


def test_requests_reach_a_function_at_the_same_time(url: str, tmp_path: Path) -> None:
    """Each of five invocations waits until all five are running."""
    target = f"/api/calls?do=meet&number=5&folder={quote(str(tmp_path))}"
    with ThreadPoolExecutor(5) as pool:
        statuses = pool.map(lambda _: send(url, "GET", target).status, range(5))
        assert list(statuses) == [204] * 5


def test_gateway_goes_by_the_clock_file(cloud: LocalCloud, url: str) -> None:
    clock, before = Path(published(cloud)["ClockFile"]), event(url, "GET", "/api/calls")["requestContext"]["timeEpoch"]
    clock.write_text("86400", encoding="utf-8")
    try:
        after = event(url, "GET", "/api/calls")["requestContext"]["timeEpoch"]
    finally:
        clock.unlink()
    assert after - before >= 86400_000


def test_request_for_another_host_is_refused(url: str) -> None:
    assert send(url, "GET", "/api/calls", [("Host", "archive.example")]).status == 403


def test_log_names_routes_and_no_ids(cloud: LocalCloud, url: str) -> None:
    event(url, "GET", "/api/calls/private-id?caller=22334455")
    log = (cloud.state_dir / "logs" / "HttpGateway.log").read_text()
    assert "GET /api/calls/{id} 200" in log
    assert "private-id" not in log
    assert "22334455" not in log


def test_api_alone_answers_everything(tmp_path: Path) -> None:
    with front_cloud(tmp_path, parameters={"ArchiveFront": "none"}) as cloud:
        url = cloud.outputs["ArchiveUrl"]
        assert url.startswith("http://127.0.0.1:")
        got = event(url, "GET", "/api/calls")
        assert got["headers"]["host"] == url.removeprefix("http://")
        reply = send(url, "GET", "/")
        assert (reply.status, reply.json()) == (404, NOT_FOUND)
        assert reply.header("content-security-policy") is None


def test_default_route_takes_what_no_other_route_has(tmp_path: Path) -> None:
    template = front_template()
    template["Resources"]["Echo"]["Properties"]["Events"]["Default"] = {
        "Type": "HttpApi", "Properties": {"ApiId": {"Ref": "ArchiveApi"}},
    }  # fmt: skip
    with front_cloud(tmp_path, template) as cloud:
        url = cloud.outputs["ArchiveUrl"]
        assert event(url, "DELETE", "/api/calls")["routeKey"] == "$default"
        assert event(url, "GET", "/api/calls")["routeKey"] == "GET /api/calls"


def test_port_in_use_is_named(url: str, tmp_path: Path) -> None:
    port = int(url.rpartition(":")[2])
    with (
        pytest.raises(StartError, match=rf"gateway cannot listen on port {port}"),
        front_cloud(tmp_path, http_port=port),
    ):
        pytest.fail("the local cloud started")


def test_old_payload_format_is_not_known(tmp_path: Path) -> None:
    template = front_template()
    events = template["Resources"]["Echo"]["Properties"]["Events"]
    events["Calls"]["Properties"]["PayloadFormatVersion"] = "1.0"
    with pytest.raises(TemplateError, match=r"payload format 2\.0 only"), front_cloud(tmp_path, template):
        pytest.fail("the local cloud started")


def test_processes_start_at_the_first_request(url: str, cloud: LocalCloud) -> None:
    event(url, "GET", "/api/calls")
    before = set(cloud.function_pids("Echo"))
    cloud.prewarm()
    assert set(cloud.function_pids("Echo")) == before
