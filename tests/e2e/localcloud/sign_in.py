"""An OpenID Connect client for the development issuer, which can leave out or change what it sends."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

from localcloud import LocalCloud
from tests.e2e.localcloud.front import Reply, published, send

FORM = ("Content-Type", "application/x-www-form-urlencoded")


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class SignIn:
    """One sign-in of the archive's client."""

    issuer: str
    redirect_uri: str
    client_id: str
    secret: str
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @classmethod
    def of(cls, cloud: LocalCloud) -> SignIn:
        secret = cloud.client("secretsmanager").get_secret_value(SecretId=f"{cloud.stack_name}/oidc-client-secret")
        url = cloud.outputs["ArchiveUrl"]
        return cls(published(cloud)["OidcIssuer"], f"{url}/auth/callback", "callseal-local", secret["SecretString"])

    def query(self, **changes: str | None) -> str:
        """Return the query string of the authorization request. None leaves a parameter out."""
        parameters: dict[str, str | None] = {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_uri,
            "scope": "openid email profile", "state": self.state, "nonce": self.nonce,
            "code_challenge": challenge_of(self.verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        return urlencode({name: value for name, value in (parameters | changes).items() if value is not None})

    def form(self, **changes: str | None) -> Reply:
        return send(self.issuer, "GET", f"/authorize?{self.query(**changes)}")

    def submit(self, page: Reply, **fields: str) -> Reply:
        """Fill in and send the form of a page."""
        content = hidden_fields(page) | fields
        return send(self.issuer, "POST", "/authorize", [FORM], urlencode(content).encode())

    def code(self, **fields: str) -> str:
        """Return the code of a user."""
        reply = self.submit(self.form(), **({"email": "a@acme.example", "tenant": "acme", "groups": ""} | fields))
        assert reply.status == 302, reply
        (code,) = answer_parameters(reply)["code"]
        return code

    def tokens(self, code: str, /, *, basic: bool = True, **changes: str | None) -> Reply:
        """Exchange a code."""
        content: dict[str, str | None] = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }  # fmt: skip
        headers = [FORM]
        if basic:
            pair = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
            headers.append(("Authorization", f"Basic {pair}"))
        else:
            content |= {"client_id": self.client_id, "client_secret": self.secret}
        sent = {name: value for name, value in (content | changes).items() if value is not None}
        return send(self.issuer, "POST", "/token", headers, urlencode(sent).encode())


def hidden_fields(page: Reply) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.body.decode())
    return {html.unescape(name): html.unescape(value) for name, value in found}


def answer_parameters(reply: Reply) -> dict[str, list[str]]:
    """Return the parameters of the redirect to the callback."""
    return parse_qs((reply.header("location") or "").partition("?")[2])
