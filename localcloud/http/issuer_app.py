"""The development issuer's endpoints, on Authlib and Flask."""

import secrets
from collections.abc import Mapping
from typing import Any

from authlib.integrations.flask_oauth2.authorization_server import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from flask import Flask, Response, jsonify
from flask import request as flask_request
from joserfc.jwk import RSAKey
from werkzeug.test import EnvironBuilder, run_wsgi_app

from localcloud.clock_file import ClockFile
from localcloud.http.issuer_form import form_page
from localcloud.http.issuer_grant import Codes, Grants, RegisteredClient, User
from localcloud.http.payloads import Answer, Request

_BAD_REQUEST = 400
_CHALLENGE_LENGTH = 43  # of a SHA-256 in base64url: https://datatracker.ietf.org/doc/html/rfc7636#section-4.2
_AUTHORIZE, _TOKEN, _JWKS = "/authorize", "/token", "/jwks.json"


class IssuerApp:
    """Answers the requests to the issuer `url`."""

    def __init__(self, url: str, client_id: str, client_secret: str, redirect_uri: str, clock: ClockFile) -> None:
        self._url, self._redirect_uri = url, redirect_uri
        self._key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(8), "use": "sig", "alg": "RS256"})
        client = RegisteredClient(client_id, client_secret, redirect_uri)
        self._app = Flask(__name__)
        self._server = AuthorizationServer()
        self._server.init_app(
            self._app, query_client=lambda given: client if given == client_id else None, save_token=lambda *_: None
        )
        Grants(url, self._key, Codes(clock), clock).register(self._server)
        self._app.add_url_rule("/.well-known/openid-configuration", view_func=self._discovery)
        self._app.add_url_rule(_JWKS, view_func=self._jwks)
        self._app.add_url_rule(_AUTHORIZE, view_func=self._authorize, methods=["GET", "POST"])
        self._app.add_url_rule(_TOKEN, view_func=self._token, methods=["POST"])

    def answer(self, request: Request) -> Answer:
        """Return the answer to a request."""
        # The form has every parameter in hidden fields, and Authlib refuses a parameter that is there twice.
        query = "" if request.method == "POST" else request.query
        environ = EnvironBuilder(
            path=request.path, base_url=self._url, query_string=query, method=request.method,
            headers=list(request.headers), data=request.body,
        ).get_environ()  # fmt: skip
        content, status, headers = run_wsgi_app(self._app, environ)
        framing = ("content-length", "connection")
        kept = [(name, value) for name, value in headers if name.lower() not in framing]
        return Answer(int(status.split()[0]), kept, b"".join(content))

    def _discovery(self) -> Response:
        return jsonify(
            {
                "issuer": self._url,
                "authorization_endpoint": self._url + _AUTHORIZE,
                "token_endpoint": self._url + _TOKEN,
                "jwks_uri": self._url + _JWKS,
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "email", "profile"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
                "claims_supported": ["sub", "email", "name", "tenant", "groups", "agent"],
            }
        )

    def _jwks(self) -> Response:
        return jsonify({"keys": [self._key.as_dict(private=False)]})

    def _authorize(self) -> Response:
        values = flask_request.values
        if refusal := self._refusal(values):
            return _refuse(refusal)
        try:
            grant = self._server.get_consent_grant(end_user=None)
        except OAuth2Error as error:
            return _refuse(f"{error.error}: {error.description}")
        if flask_request.method == "GET":
            return _page(form_page(values.to_dict()))
        user = User.from_form(flask_request.form)
        if not user.subject:
            return _page(form_page(values.to_dict(), "Enter an e-mail address."), _BAD_REQUEST)
        answer: Response = self._server.create_authorization_response(grant_user=user, grant=grant)
        return answer

    def _token(self) -> Response:
        # As Okta does: https://github.com/ueberauth/oauth2/issues/175
        if flask_request.authorization and "client_id" in flask_request.form:
            return _refuse("The client is named in the header Authorization and in the body.")
        answer: Response = self._server.create_token_response()
        return answer

    def _refusal(self, values: Mapping[str, str]) -> str | None:
        """Return why an authorization request is refused before Authlib checks it, or None.

        Authlib answers an unknown redirect URI in its own way, and takes a request without a challenge or a state.
        """
        if values.get("redirect_uri") != self._redirect_uri:
            return f"The redirect_uri must be {self._redirect_uri}."
        if values.get("code_challenge_method") != "S256":
            return "The code_challenge_method must be S256."
        if len(values.get("code_challenge", "")) != _CHALLENGE_LENGTH:
            return "The code_challenge must be a SHA-256 in base64url."
        missing = [name for name in ("state", "nonce") if not values.get(name)]
        if missing:
            return f"The request has no {missing[0]}."
        return None if "openid" in values.get("scope", "").split() else "The scope must have openid."


def _refuse(why: str) -> Response:
    answer = jsonify({"error": "invalid_request", "error_description": why})
    answer.status_code = _BAD_REQUEST
    return answer


def _page(html: str, status: int = 200) -> Response:
    headers: dict[str, Any] = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Response(html, status, headers, content_type="text/html; charset=utf-8")
