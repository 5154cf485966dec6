"""A client of the archive's API over HTTP: it keeps cookies, follows the sign-in, and sends what the page sends."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

PAGE_HEADERS = {"X-Callseal": "1", "Content-Type": "application/json"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_SECONDS = 60


class SignInError(Exception):
    """A sign-in did not come to its end."""


@dataclass(frozen=True)
class Reply:
    """An answer: status, headers in lower case, and body."""

    status: int
    headers: dict[str, str]
    data: bytes
    cookies: list[str]

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.data)

    @property
    def error(self) -> tuple[int, str]:
        """Status and code of a refusal."""
        return self.status, self.json["error"]


@dataclass
class Client:
    """A browser without a page. Cookies are kept by host name, as browsers do."""

    url: str
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Reply:
        """Send a GET."""
        return self.send("GET", f"{path}{'?' + urlencode(query) if query else ''}", headers=headers)

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """Send a POST as the page does."""
        data = b"" if body is None else json.dumps(body).encode()
        return self.send("POST", path, data, PAGE_HEADERS | (headers or {}))

    def delete(self, path: str) -> Reply:
        """Send a DELETE as the page does."""
        return self.send("DELETE", path, headers=PAGE_HEADERS)

    def send(self, method: str, path: str, data: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
        """Send a request to a path of the archive, or to another URL."""
        parts = urlsplit(urljoin(self.url, path))
        host = parts.hostname or ""
        jar = self.cookies.setdefault(host, {})
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} if jar else {}
        connection = HTTPConnection(host, parts.port or 80, timeout=_SECONDS)
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request(method, target, data, sent | (headers or {}))
        answer = connection.getresponse()
        try:
            return self._reply(answer, jar)
        finally:
            connection.close()

    def sign_in(self, email: str, tenant: str, groups: str, **fields: str) -> Reply:
        """Sign in at the development issuer, and return the callback's answer. Raise SignInError before that."""
        authorize = self._redirected(self.get("/auth/login"))
        return self.send(
            "GET", self.authorize(authorize, {"email": email, "tenant": tenant, "groups": groups, **fields})
        )

    def authorize(self, authorize: str, fields: Mapping[str, str]) -> str:
        """Fill in the issuer's form at a URL, and return the URL that it redirects to. Raise SignInError."""
        form = self.send("GET", authorize).data.decode()
        action = re.search(r'<form[^>]*action="([^"]*)"', form)
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form))
        given = {name: unescape(value) for name, value in hidden.items()} | dict(fields)
        target = urljoin(authorize, unescape(action[1]) if action and action[1] else authorize)
        return self._redirected(self.send("POST", target, urlencode(given).encode(), _FORM))

    @staticmethod
    def _redirected(answer: Reply) -> str:
        if answer.status != HTTPStatus.FOUND:
            text = answer.data.decode(errors="replace")
            raise SignInError(f"The sign-in was answered with {answer.status} and not with a redirect: {text}")
        return answer.headers["location"]

    @staticmethod
    def _reply(answer: HTTPResponse, jar: dict[str, str]) -> Reply:
        cookies = answer.headers.get_all("Set-Cookie") or []
        for cookie in cookies:
            name, _, rest = cookie.partition("=")
            jar[name] = rest.partition(";")[0]
            if "max-age=0" in cookie.lower():
                del jar[name]
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, headers, answer.read(), cookies)
