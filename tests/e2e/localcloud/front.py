"""A small template with an HTTP API and a distribution, and a client that sends requests as they are written."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from localcloud import LocalCloud
from localcloud.template import load_template
from tests.e2e.localcloud.support import FAST, PROJECT

FUNCTION = Path(__file__).with_name("http_function")
# What the project's own template says of its front, but for the functions, buckets and logs around it.
FRONT = (
    "ArchiveUrlParameter",
    "WebBucket",
    "WebBucketAccess",
    "ViewPathsFunction",
    "ArchiveHeaders",
    "ArchiveDistribution",
)
ROUTES = {
    "Calls": ("GET", "/api/calls"),
    "Call": ("GET", "/api/calls/{id}"),
    "Newest": ("GET", "/api/calls/newest"),
    "File": ("ANY", "/api/calls/{id}/files/{n}"),
    "Upload": ("POST", "/api/uploads"),
    "Rest": ("GET", "/api/rest/{path+}"),
    "Share": ("POST", "/s/{id}/code"),
}


def front_template() -> dict[str, Any]:
    """Return a template whose front is the project's own, over one function with ROUTES."""
    declared = load_template(PROJECT / "template.yaml", "eu-north-1")
    resources = {name: declared["Resources"][name] for name in FRONT}
    resources["ArchiveApi"] = {"Type": "AWS::Serverless::HttpApi", "Properties": {}}
    events = {
        name: {"Type": "HttpApi", "Properties": {"ApiId": {"Ref": "ArchiveApi"}, "Method": method, "Path": path}}
        for name, (method, path) in ROUTES.items()
    }
    resources["Echo"] = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "FunctionName": "echo",
            "CodeUri": "function",
            "Handler": "app.lambda_handler",
            "Runtime": "python3.13",
            "Timeout": 20,
            "Role": "arn:aws:iam::1:role/any",
            "Events": events,
        },
    }
    names = ("ArchiveFront", "OidcIssuer", "OidcClientId", "ShareMailFrom")
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {name: declared["Parameters"][name] for name in names},
        "Conditions": {"HasArchiveFront": declared["Conditions"]["HasArchiveFront"]},
        "Resources": resources,
        "Outputs": {"ArchiveUrl": declared["Outputs"]["ArchiveUrl"]},
    }


def front_cloud(folder: Path, template: Mapping[str, Any] | None = None, **options: Any) -> LocalCloud:
    """Prepare a local cloud with the template, its function, and a small page, all in a folder."""
    shutil.copytree(FUNCTION, folder / "function", dirs_exist_ok=True)
    (folder / "web" / "assets").mkdir(parents=True)
    (folder / "web" / "index.html").write_text("<!doctype html><title>the page</title>", encoding="utf-8")
    (folder / "web" / "assets" / "app.js").write_text("export {};", encoding="utf-8")
    (folder / "web" / "unknown.xyz").write_text("?", encoding="utf-8")
    (folder / "secret.txt").write_text("not part of the page", encoding="utf-8")
    path = folder / "template.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(template or front_template()))), encoding="utf-8")
    return LocalCloud("tested", state_dir=folder / "state", template=path, pace=FAST, **options)


def published(cloud: LocalCloud) -> dict[str, str]:
    """Return outputs.json."""
    outputs: dict[str, str] = json.loads((cloud.state_dir / "outputs.json").read_text(encoding="utf-8"))
    return outputs


@dataclass(frozen=True)
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for each, value in self.headers if each.lower() == name), None)

    def json(self) -> Any:
        return json.loads(self.body)


def send(
    url: str,
    method: str,
    target: str,
    headers: list[tuple[str, str]] | None = None,
    body: bytes | None = None,
) -> Reply:
    """Send a request whose target and headers are as given, and return the answer. No redirect is followed."""
    connection = http.client.HTTPConnection(url.partition("//")[2], timeout=300)
    try:
        given = list(headers or [])
        named = {name.lower() for name, _ in given}
        connection.putrequest(method, target, skip_host="host" in named, skip_accept_encoding=True)
        if body is not None and "content-length" not in named:
            given.append(("Content-Length", str(len(body))))
        for name, value in given:
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return Reply(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()
