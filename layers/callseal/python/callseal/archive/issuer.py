"""The issuer of identities, by OpenID Connect: its endpoints, the exchange of a code, and the check of an ID token.

OpenID Connect Core 1.0, section 3.1 (code flow), OpenID Connect Discovery 1.0, RFC 7636 (PKCE).
"""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from callseal.core.errors import CallsealError, TransientError

if TYPE_CHECKING:
    from urllib3 import PoolManager

    from callseal.core.clock import Clock

ALGORITHMS = ["RS256", "ES256"]
# Of the issuer's clock and ours.
LEEWAY_SECONDS = 60
CACHE_TIME = timedelta(hours=1)
TIMEOUT_SECONDS = 5.0
MAX_ANSWER_BYTES = 1024 * 1024


class SignInRefusedError(CallsealError):
    """The issuer's answer does not prove who signed in. The message holds nothing of the answer."""


@dataclass(frozen=True, slots=True)
class Client:
    """The stack as its issuer knows it. `secret` is None for a public client."""

    id: str
    secret: str | None
    redirect_uri: str


class Issuer:
    """One issuer. Its endpoints and keys are fetched at most once an hour, and its keys again for an unknown key."""

    def __init__(self, url: str, http: PoolManager, clock: Clock) -> None:
        """Take the issuer's URL, the HTTP client and the clock."""
        self._url, self._http, self._clock = url, http, clock
        self._documents: dict[str, tuple[Mapping[str, Any], datetime]] = {}

    def authorization_url(self, client: Client, state: str, nonce: str, verifier: str) -> str:
        """Return the URL at which the issuer asks the user. The code challenge is S256 of `verifier`."""
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": client.id,
            "redirect_uri": client.redirect_uri,
            "scope": "openid email profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        endpoint = self._endpoint("authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def claims(self, client: Client, code: str, verifier: str, nonce: str) -> Mapping[str, Any]:
        """Exchange a code, and return the claims of its ID token. Raise SignInRefusedError or TransientError."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if client.secret is None:
            form["client_id"] = client.id
        else:
            # In the header alone: some issuers refuse a client that is named in the body, too.
            # RFC 6749, section 2.3.1: both are encoded as in a form first.
            pair = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        answer = self._request("POST", self._endpoint("token_endpoint"), body=urlencode(form), headers=headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise SignInRefusedError("The issuer's answer has no ID token.")
        claims = self._verified(token, client, nonce)
        _check_access_token(claims, answer.get("access_token"))
        return claims

    def _verified(self, token: str, client: Client, nonce: str) -> Mapping[str, Any]:
        from joserfc.errors import JoseError
        from joserfc.jwt import JWTClaimsRegistry, decode

        try:
            claims = dict(decode(token, self._keys(token), algorithms=ALGORITHMS).claims)
            JWTClaimsRegistry(
                now=int(self._clock().timestamp()),
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": self._document("")["issuer"]},
                aud={"essential": True, "value": client.id},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
                sub={"essential": True},
            ).validate(claims)
        except (JoseError, ValueError) as exc:
            raise SignInRefusedError("The issuer's ID token is not valid for this sign-in.") from exc
        if claims.get("azp", client.id) != client.id:
            raise SignInRefusedError("The issuer's ID token is for another client.")
        return claims

    def _keys(self, token: str) -> Any:
        """Return the issuer's keys, fetched again if they do not have the one that the token names."""
        from joserfc.jwk import KeySet
        from joserfc.jws import extract_compact

        named = extract_compact(token.encode()).headers().get("kid")
        address = self._endpoint("jwks_uri")
        keys: Any = self._document(address)
        if named not in [key.get("kid") for key in keys.get("keys", [])]:
            self._documents.pop(address, None)
            keys = self._document(address)
        return KeySet.import_key_set(keys)

    def _endpoint(self, name: str) -> str:
        found = self._document("").get(name)
        if not isinstance(found, str):
            raise TransientError(f"The issuer's discovery document has no {name}.")
        return found

    def _document(self, address: str) -> Mapping[str, Any]:
        """Return a document of the issuer, by default its discovery document."""
        found, until = self._documents.get(address, (None, self._clock()))
        if found is not None and self._clock() < until:
            return found
        url = address or f"{self._url.rstrip('/')}/.well-known/openid-configuration"
        document = self._request("GET", url, headers={"Accept": "application/json"})
        if not address and document.get("issuer") != self._url:
            raise TransientError("The issuer's discovery document names another issuer than OidcIssuer.")
        self._documents[address] = document, self._clock() + CACHE_TIME
        return document

    def _request(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        """Return the issuer's JSON answer. Raise SignInRefusedError if it refuses, TransientError if it fails."""
        from urllib3.exceptions import HTTPError

        try:
            answer = self._http.request(method, url, timeout=TIMEOUT_SECONDS, redirect=False, retries=False, **options)
            document = json.loads(answer.data[:MAX_ANSWER_BYTES])
        except (HTTPError, OSError) as exc:
            raise TransientError(f"The issuer cannot be reached: {type(exc).__name__}.") from exc
        except ValueError as exc:
            raise TransientError(f"The issuer's answer is not JSON (status {answer.status}).") from exc
        if 400 <= answer.status < 500:
            raise SignInRefusedError(f"The issuer refuses the sign-in with status {answer.status}.")
        if answer.status != 200 or not isinstance(document, dict):
            raise TransientError(f"The issuer answers with status {answer.status}.")
        return document


def _check_access_token(claims: Mapping[str, Any], token: object) -> None:
    """Check `at_hash` if the ID token has one: both tokens are of one answer (OpenID Connect Core, 3.1.3.6)."""
    wanted = claims.get("at_hash")
    if wanted is None:
        return
    # Both of ALGORITHMS use SHA-256, of which the left half counts.
    digest = sha256(token.encode()).digest()[:16] if isinstance(token, str) else b""
    if urlsafe_b64encode(digest).decode().rstrip("=") != wanted:
        raise SignInRefusedError("The issuer's tokens do not belong together.")
