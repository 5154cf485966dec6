"""The gateway serves the page of web/ as CloudFront and S3 do, and nothing beside it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from localcloud import LocalCloud
from localcloud.http.pages import page_path
from localcloud.template import load_template
from tests.e2e.localcloud.front import front_cloud, send
from tests.e2e.localcloud.support import PROJECT

VIEWS = ("/", "/calls/1a2b", "/shares", "/holds", "/erasures", "/audit", "/s/1a2b", "/api", "/calls/", "/a.b/c", "")
FILES = ("/index.html", "/assets/app.js", "/.hidden", "/calls/1.2", "/a/b/c.css", "/..", "/a/..", "/%2e%2e")
POLICY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types callseal-opener",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=63072000; includeSubDomains; preload",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
RUN = """
const paths = JSON.parse(require('fs').readFileSync(0, 'utf8'));
CODE
console.log(JSON.stringify(paths.map((uri) => handler({request: {uri}}).uri)));
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with front_cloud(tmp_path_factory.mktemp("front")) as cloud:
        yield cloud.outputs["ArchiveUrl"]


def test_cloudfront_function_does_the_same_as_the_local_cloud() -> None:
    template = load_template(PROJECT / "template.yaml", "eu-north-1")
    code = template["Resources"]["ViewPathsFunction"]["Properties"]["FunctionCode"]
    paths = [*VIEWS, *FILES]
    ran = subprocess.run(
        ["node", "-e", RUN.replace("CODE", code)], input=json.dumps(paths), capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout) == [page_path(path) for path in paths]


@pytest.mark.parametrize("path", VIEWS)
def test_path_of_a_view_is_the_page(path: str) -> None:
    assert page_path(path) == "/index.html"


@pytest.mark.parametrize("path", FILES)
def test_path_with_a_dot_at_its_end_is_a_file(path: str) -> None:
    assert page_path(path) == ("/index.html" if path == "/%2e%2e" else path)


@pytest.mark.parametrize("target", ["/", "/calls/1a2b", "/s/1a2b?x=1", "/index.html", "/api"])
def test_page_is_served(url: str, target: str) -> None:
    reply = send(url, "GET", target)
    assert (reply.status, reply.body) == (200, b"<!doctype html><title>the page</title>")
    assert reply.header("content-type") == "text/html; charset=utf-8"
    assert reply.header("cache-control") == "no-cache"


def test_script_is_a_script(url: str) -> None:
    assert send(url, "GET", "/assets/app.js").header("content-type") == "text/javascript; charset=utf-8"


def test_head_is_answered_without_a_body(url: str) -> None:
    reply = send(url, "HEAD", "/s/1a2b")
    assert (reply.status, reply.body, reply.header("content-length")) == (200, b"", "38")


def test_file_that_has_not_changed_is_not_sent_again(url: str) -> None:
    etag = send(url, "GET", "/").header("etag") or ""
    assert etag
    reply = send(url, "GET", "/", [("If-None-Match", etag)])
    assert (reply.status, reply.body, reply.header("etag")) == (304, b"", etag)
    assert reply.header("content-security-policy") == POLICY["content-security-policy"]
    assert send(url, "GET", "/", [("If-None-Match", '"other"')]).status == 200


@pytest.mark.parametrize("target", ["/", "/assets/app.js", "/api/calls", "/api/missing", "/missing.js", "/s/1/code"])
def test_every_answer_has_the_headers_of_the_policy(url: str, target: str) -> None:
    reply = send(url, "GET", target)
    assert {name: reply.header(name) for name in POLICY} == POLICY
    assert "microphone=()" in (reply.header("permissions-policy") or "")
    assert reply.header("access-control-allow-origin") is None


def test_functions_cannot_replace_the_headers_of_the_policy(url: str) -> None:
    answer = {"statusCode": 200, "headers": {"Content-Security-Policy": "default-src *"}}
    reply = send(
        url, "POST", "/api/uploads?do=answer", [("Content-Type", "application/json")], json.dumps(answer).encode()
    )
    values = [value for name, value in reply.headers if name.lower() == "content-security-policy"]
    assert (reply.status, values) == (200, [POLICY["content-security-policy"]])


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/assets/../../secret.txt", "/%2e%2e%2fsecret.txt",
        "/assets%2f..%2f..%2fsecret.txt", "/..\\secret.txt", "/..%5csecret.txt", "//secret.txt", "/./index.html",
        "/assets/%00.txt", "/%00index.html", "/link.txt", "/folder/hidden.txt", "/unknown.xyz", "/assets.txt",
    ],
)  # fmt: skip
def test_nothing_beside_the_page_is_served(url: str, target: str) -> None:
    reply = send(url, "GET", target)
    assert reply.status == 404, reply


def test_links_out_of_the_page_are_not_followed(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("linked")
    cloud = front_cloud(folder)
    (folder / "web" / "link.txt").symlink_to(folder / "secret.txt")
    (folder / "web" / "folder").symlink_to(folder, target_is_directory=True)
    with cloud:
        for target in ("/link.txt", "/folder/secret.txt"):
            assert send(cloud.outputs["ArchiveUrl"], "GET", target).status == 404


def test_template_has_no_page_in_another_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("none")
    cloud: LocalCloud = front_cloud(folder)
    (folder / "web").rename(folder / "elsewhere")
    with cloud:
        assert send(cloud.outputs["ArchiveUrl"], "GET", "/").status == 404
