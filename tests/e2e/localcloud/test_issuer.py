"""The development issuer believes what its form says, and checks everything that protects a sign-in."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from localcloud import LocalCloud
from tests.e2e.localcloud.front import front_cloud, published, send
from tests.e2e.localcloud.sign_in import SignIn, answer_parameters, challenge_of
from tests.e2e.localcloud.support import PROJECT


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with front_cloud(tmp_path_factory.mktemp("front")) as cloud:
        yield cloud


@pytest.fixture
def client(cloud: LocalCloud) -> SignIn:
    return SignIn.of(cloud)


def id_token(client: SignIn, code: str) -> Any:
    reply = client.tokens(code)
    assert reply.status == 200, reply
    keys = KeySet.import_key_set(send(client.issuer, "GET", "/jwks.json").json())
    return jwt.decode(reply.json()["id_token"], keys, algorithms=["RS256"])


def test_discovery_names_the_issuer_on_another_host(client: SignIn) -> None:
    document = send(client.issuer, "GET", "/.well-known/openid-configuration").json()
    assert document["issuer"] == client.issuer
    assert client.issuer.startswith("http://localhost:")
    assert client.redirect_uri.startswith("http://127.0.0.1:")
    assert document["code_challenge_methods_supported"] == ["S256"]
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        assert document[name].startswith(client.issuer)


def test_keys_are_public(client: SignIn) -> None:
    (key,) = send(client.issuer, "GET", "/jwks.json").json()["keys"]
    assert {"kty", "n", "e", "kid"} <= set(key)
    assert not {"d", "p", "q"} & set(key)


def test_form_has_a_label_for_each_field_and_keeps_the_request(client: SignIn) -> None:
    page = client.form()
    text = page.body.decode()
    fields = re.findall(r'<input id="(\w+)"', text)
    assert fields == ["email", "tenant", "groups", "name", "agent"]
    assert re.findall(r'<label for="(\w+)"', text) == fields
    assert '<html lang="en">' in text
    assert f'name="state" value="{client.state}"' in text


def test_request_is_shown_as_text(client: SignIn) -> None:
    text = client.form(state='"><script>alert(1)</script>').body.decode()
    assert "<script>" not in text


def test_id_token_says_what_the_form_said(client: SignIn) -> None:
    fields = {"email": " Kari@Acme.Example ", "tenant": "acme", "groups": " agents, team-leads ,", "agent": "kari7"}
    reply = client.submit(client.form(), **fields)
    assert reply.status == 302
    assert (reply.header("location") or "").startswith(f"{client.redirect_uri}?")
    parameters = answer_parameters(reply)
    assert parameters["state"] == [client.state]

    tokens = client.tokens(parameters["code"][0])
    keys = KeySet.import_key_set(send(client.issuer, "GET", "/jwks.json").json())
    token = jwt.decode(tokens.json()["id_token"], keys, algorithms=["RS256"])

    claims = dict(token.claims)
    assert token.header["alg"] == "RS256"
    assert (claims.pop("iss"), claims.pop("aud"), claims.pop("nonce")) == (
        client.issuer, client.client_id, client.nonce,
    )  # fmt: skip
    issued, expires = claims.pop("iat"), claims.pop("exp")
    assert issued <= time.time() < expires
    half = hashlib.sha256(tokens.json()["access_token"].encode()).digest()[:16]
    assert claims.pop("at_hash") == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    claims.pop("auth_time")
    assert claims == {
        "sub": "kari@acme.example", "email": "Kari@Acme.Example", "email_verified": True, "name": "Kari@Acme.Example",
        "tenant": "acme", "groups": ["agents", "team-leads"], "agent": "kari7",
    }  # fmt: skip


def test_empty_fields_are_no_claims(client: SignIn) -> None:
    claims = id_token(client, client.code(tenant="", groups=" , ", name="Kari")).claims
    assert {"tenant", "agent"} & set(claims) == set()
    assert (claims["groups"], claims["name"]) == ([], "Kari")


def test_form_without_an_e_mail_is_shown_again(client: SignIn) -> None:
    page = client.submit(client.form(), email=" ", tenant="acme")
    assert page.status == 400
    assert 'role="alert"' in page.body.decode()
    assert client.submit(page, email="a@acme.example", tenant="acme").status == 302


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "http://127.0.0.1:1/auth/callback"},
        {"redirect_uri": None},
        {"client_id": "other"},
        {"response_type": "token"},
        {"code_challenge": None},
        {"code_challenge": "short"},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"state": None},
        {"nonce": None},
        {"scope": "email"},
    ],
    ids=str,
)
def test_unfit_request_is_refused_without_a_redirect(client: SignIn, changes: dict[str, str | None]) -> None:
    for reply in (
        client.form(**changes),
        send(client.issuer, "POST", "/authorize", [], client.query(**changes).encode()),
    ):
        assert (reply.status, reply.header("location")) == (400, None)


def test_redirect_uri_must_be_exactly_the_callback(client: SignIn) -> None:
    for suffix in ("/", "?a=1", "#a", "/../callback"):
        assert client.form(redirect_uri=client.redirect_uri + suffix).status == 400


def test_code_is_for_one_exchange(client: SignIn) -> None:
    code = client.code()
    assert client.tokens(code).status == 200
    reply = client.tokens(code)
    assert (reply.status, reply.json()["error"]) == (400, "invalid_grant")


def test_code_is_for_one_exchange_even_at_once(client: SignIn) -> None:
    code = client.code()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: client.tokens(code).status, range(8)))
    assert sorted(statuses) == [200] + [400] * 7


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "A" * 43}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"redirect_uri": "http://127.0.0.1:1/auth/callback"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"code": "other"}, "invalid_grant"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    ],
    ids=str,
)
def test_exchange_that_does_not_fit_is_refused(client: SignIn, changes: dict[str, str | None], error: str) -> None:
    reply = client.tokens(client.code(), **changes)
    assert (reply.status, reply.json()["error"]) == (400, error)


def test_challenge_itself_is_no_verifier(client: SignIn) -> None:
    """As it would be by the method `plain`."""
    assert client.tokens(client.code(), code_verifier=challenge_of(client.verifier)).status == 400


def test_client_authenticates_by_header_or_form(client: SignIn) -> None:
    for basic in (True, False):
        client.nonce = client.nonce + "x"
        assert client.tokens(client.code(), basic=basic).status == 200
        client.nonce, client.secret = client.nonce + "x", client.secret + "x"
        reply = client.tokens(client.code(), basic=basic)
        assert reply.json()["error"] == "invalid_client"
        client.secret = client.secret.removesuffix("x")


def test_client_without_a_secret_is_refused(client: SignIn) -> None:
    reply = client.tokens(client.code(), basic=False, client_secret=None)
    assert reply.json()["error"] == "invalid_client"


def test_nonce_is_for_one_code(client: SignIn) -> None:
    client.code()
    assert client.form().status == 400


def test_issuer_goes_by_the_clock_file(client: SignIn, cloud: LocalCloud) -> None:
    clock = Path(published(cloud)["ClockFile"])
    code = client.code()
    clock.write_text(str(8 * 86400), encoding="utf-8")
    try:
        assert client.tokens(code).status == 400
        client.nonce += "x"
        assert id_token(client, client.code()).claims["iat"] >= time.time() + 7 * 86400
    finally:
        clock.unlink()


def test_request_for_another_host_is_refused(client: SignIn) -> None:
    host = client.issuer.removeprefix("http://").replace("localhost", "127.0.0.1")
    assert send(client.issuer, "GET", "/jwks.json", [("Host", host)]).status == 403


def test_own_issuer_replaces_the_development_one(tmp_path: Path) -> None:
    with front_cloud(tmp_path, parameters={"OidcIssuer": "https://login.example", "OidcClientId": "mine"}) as cloud:
        assert published(cloud)["OidcIssuer"] == "https://login.example"
        assert cloud.client("secretsmanager").list_secrets()["SecretList"] == []


UNUSED = """
import json, sys
from pathlib import Path
from tests.e2e.localcloud.front import front_cloud, published, send
with front_cloud(Path(sys.argv[1])) as cloud:
    before = "authlib" in sys.modules
    send(published(cloud)["OidcIssuer"], "GET", "/jwks.json")
    print(json.dumps([before, "authlib" in sys.modules]))
"""


def test_cloud_without_a_sign_in_does_not_import_authlib(tmp_path: Path) -> None:
    command = [sys.executable, "-c", UNUSED, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=True, timeout=300)
    assert json.loads(ran.stdout) == [False, True]
