"""An OpenID Connect issuer for development and tests, which believes what its form says about the user.

It checks all that protects a sign-in: the client's secret, redirect URI, PKCE, state and nonce, and that a code is used
once. Its host name is `localhost` while the archive's is 127.0.0.1, so browsers treat them as two sites, as on AWS.
"""

import threading
from dataclasses import dataclass
from typing import Any

from localcloud.clock_file import ClockFile
from localcloud.http.payloads import Answer, Request, json_answer
from localcloud.http.server import HttpServer

CLIENT_ID = "callseal-local"


@dataclass(frozen=True)
class Client:
    """The one client that the issuer knows, with its secret and its only redirect URI."""

    secret: str
    redirect_uri: str


class Issuer:
    """Listens from its creation on. It imports Authlib and makes its key at the first request."""

    def __init__(self, clock: ClockFile) -> None:
        self._clock = clock
        self._client: Client | None = None
        self._app: Any = None
        self._lock = threading.Lock()
        self._server = HttpServer("The development issuer", 0, clock, self._answer)
        self.url = f"http://localhost:{self._server.port}"

    def serve(self, client: Client) -> None:
        """Accept a client."""
        self._client = client

    def close(self) -> None:
        """Stop serving."""
        self._server.close()

    def _answer(self, request: Request) -> Answer:
        if self._client is None:
            return json_answer(503, {"error": "temporarily_unavailable"})
        if request.header("host") != self.url.partition("//")[2]:
            return json_answer(403, {"error": "access_denied", "error_description": f"The issuer is {self.url}."})
        with self._lock:
            if self._app is None:
                from localcloud.http.issuer_app import IssuerApp

                self._app = IssuerApp(self.url, CLIENT_ID, self._client.secret, self._client.redirect_uri, self._clock)
        answer: Answer = self._app.answer(request)
        return answer
