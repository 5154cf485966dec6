"""The authorization code grant of the development issuer: its client, its codes and the id token's claims."""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from authlib.integrations.flask_oauth2.authorization_server import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import RSAKey

from localcloud.clock_file import ClockFile

_CODE_LIFETIME = timedelta(minutes=1)
_ID_TOKEN_LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True)
class User:
    """A user as the form describes them. Empty claims are left out of the id token."""

    subject: str
    claims: Mapping[str, Any]

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> "User":
        """Return the user of a form with email, tenant, groups, name and agent."""
        fields = {name: form.get(name, "").strip() for name in ("email", "name", "tenant", "agent")}
        groups = [group.strip() for group in form.get("groups", "").split(",") if group.strip()]
        fields["name"] = fields["name"] or fields["email"]
        claims = {name: value for name, value in fields.items() if value}
        return cls(fields["email"].lower(), {**claims, "email_verified": True, "groups": groups})


class RegisteredClient(ClientMixin):
    """A confidential client with one redirect URI."""

    def __init__(self, client_id: str, secret: str, redirect_uri: str) -> None:
        self.client_id, self._secret, self._redirect_uri = client_id, secret, redirect_uri

    def get_client_id(self) -> str:
        """Return the client's id."""
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        """Return the only redirect URI."""
        return self._redirect_uri

    def get_allowed_scope(self, scope: str) -> str:
        """Return the parts of a scope that the issuer knows."""
        return " ".join(each for each in scope.split() if each in ("openid", "email", "profile"))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Return whether a redirect URI is the only one."""
        return redirect_uri == self._redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        """Return whether a secret is the client's."""
        return secrets.compare_digest(client_secret.encode(), self._secret.encode())

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        """Return whether the client may authenticate in a way: with its secret alone."""
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        """Return whether a response type is a code."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Return whether a grant type is a code's."""
        return grant_type == "authorization_code"


@dataclass(frozen=True)
class Code(AuthorizationCodeMixin):
    """An authorization code with what it is bound to."""

    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str
    user: User
    expires: datetime

    def get_redirect_uri(self) -> str:
        """Return the redirect URI of the authorization request."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return the scope."""
        return self.scope

    def get_nonce(self) -> str:
        """Return the nonce for the id token."""
        return self.nonce

    def get_auth_time(self) -> int:
        """Return nothing: the claims have the time of the local cloud's clock."""
        return 0

    def get_acr(self) -> str:
        """Return nothing."""
        return ""

    def get_amr(self) -> list[str]:
        """Return nothing."""
        return []


class Codes:
    """The codes that were not used yet, and every nonce that a code was made for."""

    def __init__(self, clock: ClockFile) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._codes: dict[str, Code] = {}
        self._nonces: set[str] = set()

    def add(self, text: str, request: Any) -> None:
        """Keep the code of an authorization request."""
        data = request.payload.data
        expires = self._clock.now() + _CODE_LIFETIME
        code = Code(
            request.payload.redirect_uri, request.scope, data["nonce"], data["code_challenge"],
            data["code_challenge_method"], request.user, expires,
        )  # fmt: skip
        with self._lock:
            self._codes[text] = code
            self._nonces.add(code.nonce)

    def take(self, text: str) -> Code | None:
        """Return a code that is valid, and only once, even if the request for its tokens then fails."""
        with self._lock:
            code = self._codes.pop(text, None)
        return code if code and self._clock.now() < code.expires else None

    def has_nonce(self, nonce: str) -> bool:
        """Return whether there was a code for a nonce."""
        with self._lock:
            return nonce in self._nonces


class Grants:
    """Registers the grant on Authlib's server."""

    def __init__(self, issuer: str, key: RSAKey, codes: Codes, clock: ClockFile) -> None:
        self._issuer, self._key, self._codes, self._clock = issuer, key, codes, clock

    def register(self, server: AuthorizationServer) -> None:
        """Register the code grant with PKCE and the id token."""
        codes = self._codes

        class CodeGrant(AuthorizationCodeGrant):
            def save_authorization_code(self, code: str, request: Any) -> None:
                codes.add(code, request)

            def query_authorization_code(self, code: str, _client: Any) -> Code | None:
                return codes.take(code)

            def delete_authorization_code(self, _code: Code) -> None:
                """Do nothing: `take` has removed it."""

            def authenticate_user(self, code: Code) -> User:
                return code.user

        server.register_grant(CodeGrant, [self._id_token(), CodeChallenge(required=True)])

    def _id_token(self) -> OpenIDCode:
        issuer, key, codes, clock = self._issuer, self._key, self._codes, self._clock

        class IdToken(OpenIDCode):
            def exists_nonce(self, nonce: str, _request: Any) -> bool:
                return codes.has_nonce(nonce)

            def resolve_client_private_key(self, _client: Any) -> RSAKey:
                return key

            def get_encode_header(self, _client: Any) -> dict[str, str]:
                return {"alg": "RS256", "kid": str(key.kid)}

            def get_client_claims(self, client: RegisteredClient) -> dict[str, Any]:
                now = clock.now()
                return {
                    "iss": issuer,
                    "aud": client.client_id,
                    "iat": int(now.timestamp()),
                    "auth_time": int(now.timestamp()),
                    "exp": int((now + _ID_TOKEN_LIFETIME).timestamp()),
                }

            def generate_user_info(self, user: User, _scope: str) -> dict[str, Any]:
                return {"sub": user.subject, **user.claims}

        return IdToken(require_nonce=True)
