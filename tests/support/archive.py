"""People who use the archive's API: requests as API Gateway passes them to the functions, and calls to find."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

from callseal.archive.may import User
from callseal.archive.session_table import SessionTable
from callseal.archive.sessions import COOKIE, Sessions
from callseal.calls.call_file import Delivery
from callseal.calls.call_name import CallName
from callseal.calls.card_facts import blind_facts, plain_facts
from callseal.calls.facts import Facts, Flags
from callseal.core.audit import timestamp
from callseal.core.clock import Clock
from tests.support.calls import blind_index, table
from tests.support.stack import ARCHIVE, SFTP, STACK, Stack

SECONDS = 12
FINGERPRINTS = ("AB" * 32,)


@dataclass(frozen=True)
class Reply:
    """What a client sees of an answer."""

    status: int
    headers: Mapping[str, str]
    cookies: list[str]
    data: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.data)

    @property
    def error(self) -> tuple[int, str]:
        """Status and code of a refusal."""
        document = self.json
        assert document["message"].endswith("."), document
        return self.status, document["error"]


@dataclass
class Visitor:
    """A browser: it has cookies, and sends requests to the function whose route fits."""

    handlers: Iterable[Any]
    cookies: dict[str, str] = field(default_factory=dict)
    accept: str = "*/*"

    def get(self, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> Reply:
        """Send a GET."""
        return self.send("GET", path, headers=headers, query=urlencode(query))

    def post(self, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Send a POST as the page does, with JSON."""
        return self.send("POST", path, json.dumps(body) if body is not None else "", headers)

    def delete(self, path: str) -> Reply:
        """Send a DELETE as the page does."""
        return self.send("DELETE", path)

    def send(
        self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None, query: str = ""
    ) -> Reply:
        """Send a request. `headers` replace those that the page sends."""
        sent = {"accept": self.accept, "x-callseal": "1", "content-type": "application/json"} | dict(headers or {})
        handler, route, variables = self._route(method, path)
        event = {
            "version": "2.0",
            "routeKey": route,
            "rawPath": path,
            "rawQueryString": query,
            "cookies": [f"{name}={value}" for name, value in self.cookies.items()],
            "headers": {name: value for name, value in sent.items() if value},
            "pathParameters": variables,
            "requestContext": {"http": {"method": method, "path": path, "sourceIp": "192.0.2.1"}},
            "body": body,
            "isBase64Encoded": False,
        }
        answer = handler.lambda_handler(event, None)
        data = b64decode(answer["body"]) if answer.get("isBase64Encoded") else answer["body"].encode()
        reply = Reply(answer["statusCode"], answer["headers"], answer.get("cookies", []), data)
        for cookie in reply.cookies:
            name, _, rest = cookie.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return reply

    def _route(self, method: str, path: str) -> tuple[ModuleType, str, dict[str, str]]:
        for handler in self.handlers:
            for route in handler.routes():
                wanted, _, pattern = route.partition(" ")
                found = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", pattern), path)
                if wanted == method and found:
                    return handler, route, found.groupdict()
        raise LookupError(f"no route fits {method} {path}")


@dataclass
class People:
    """Signs people in without an issuer, and puts calls into the archive."""

    cloud: Stack
    clock: Clock
    handlers: Iterable[ModuleType]

    def access(self, *grants: Mapping[str, Any], tenant: str = "acme", **members: Any) -> None:
        """Store a tenant's access."""
        self.access_text(json.dumps({"grants": [*grants], **members}), tenant)

    def access_text(self, text: str, tenant: str = "acme") -> None:
        """Store the text of a tenant's access."""
        name = f"/{STACK}/tenants/{tenant}/access"
        self.cloud.ssm.put_parameter(Name=name, Value=text, Type="String", Overwrite=True)

    def visitor(
        self, *groups: str, tenant: str = "acme", email: str = "kari@acme.example", agent: str | None = None,
        external: bool = False,
    ) -> Visitor:  # fmt: skip
        """Return the browser of a user who has signed in."""
        table = SessionTable(self.cloud.dynamodb, f"{STACK}-archive-sessions", self.clock)
        user = User(email, frozenset(groups), agent)
        secret = Sessions(table, self.clock).start(tenant, user, "Kari", external, None)
        return Visitor(self.handlers, {COOKIE: secret})

    def call(
        self, name: str = "2026/1_1", *, tenant: str = "acme", data: bytes = b"RIFF" + bytes(2_000),
        extension: str = "wav", sealed: str = "none", blind: bool = False, restricted: bool = False,
        sensitive: bool = False, delivery: str = "a" * 32, **facts: Any,
    ) -> str:  # fmt: skip
        """Put a call with one recording in the archive (file 0) and its copy by SFTP (file 1). Return its id."""
        call, cards = CallName(tenant, name), table(self.cloud, self.clock)
        known = Facts(
            started=self.clock(), seconds=SECONDS, flags=Flags(restricted=restricted, sensitive=sensitive), **facts
        )
        index = blind_index(self.cloud, self.clock)
        stored = (
            blind_facts(known, lambda _: False, lambda kind, text: index.hashed(tenant, kind, text))
            if blind
            else plain_facts(known, lambda _: False)
        )
        suffix = {"cms": ".p7m", "openpgp": ".pgp", "none": ""}[sealed]
        key = f"{tenant}/{name}.{extension}{suffix}"
        now = timestamp(self.clock())
        self.cloud.s3.put_object(
            Bucket=ARCHIVE, Key=key, Body=data, Metadata={"callseal-sealed": sealed, "callseal-source-etag": "e"}
        )
        sealed_copy = Delivery("b" * 32, now, 9, "0" * 64, "cms", FINGERPRINTS)
        recipients = FINGERPRINTS if suffix else ()
        changes = [
            lambda card: card.with_metadata(f"{tenant}/{name}.xml", "read", stored, now),
            lambda card: card.with_delivery(
                ("archive", ARCHIVE, key), Delivery(delivery, now, len(data), None, sealed, recipients)
            ),
            lambda card: card.with_delivery(("sftp", SFTP, f"{tenant}/{name}.{extension}.p7m"), sealed_copy),
        ]
        assert cards.apply({call: changes}) == {}
        return call.id
