"""Sign-in at a real issuer over HTTP: what is refused, the session's cookies, the terms, and the way back."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from localcloud.http.client import Client, Reply
from tests.e2e.archive.conftest import ACCESS, Archive

SESSION, LOGIN = "__Host-callseal", "__Host-callseal-login"


def host(archive: Archive) -> str:
    return urlsplit(archive.url).hostname or ""


def callback(archive: Archive, client: Client, **fields: str) -> str:
    """Sign in up to the issuer's redirect, and return its URL."""
    located: list[str] = []
    send = client.send

    def stop(method: str, path: str, data: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
        if urlsplit(path).path == "/auth/callback":
            located.append(path)
            return Reply(200, {}, b"", [])
        return send(method, path, data, headers)

    client.send = stop  # type: ignore[method-assign]
    try:
        client.sign_in("kari@acme.example", "acme", "officers", **fields)
    finally:
        client.send = send  # type: ignore[method-assign]
    return located[0]


def changed(url: str, **query: str) -> str:
    parts = urlsplit(url)
    found = {name: values[0] for name, values in parse_qs(parts.query).items()} | query
    return parts._replace(query=urlencode({name: value for name, value in found.items() if value})).geturl()


def test_sign_in_gives_a_session_that_scripts_cannot_read(archive: Archive) -> None:
    client = Client(archive.url)
    assert client.get("/api/me").error == (401, "NotSignedIn")

    answer = client.sign_in("Kari@ACME.example", "acme", " officers , leads,, ", name="Kari Nordmann")

    assert answer.status == 200 and b'content="0;url=/"' in answer.data
    (session,) = (cookie for cookie in answer.cookies if cookie.startswith(f"{SESSION}="))
    assert session.partition("; ")[2] == "Path=/; Secure; HttpOnly; SameSite=Strict"
    assert len(client.cookies[host(archive)][SESSION]) >= 43
    assert LOGIN not in client.cookies[host(archive)]
    me = client.get("/api/me").json
    assert me["user"] == {"email": "kari@acme.example", "name": "Kari Nordmann"}
    assert (me["tenant"], me["terms"], me["reason_for"]) == ("acme", None, [])
    assert me["may"] == ["search", "play", "download", "share", "audit"]


def test_login_goes_to_the_issuer_with_pkce(archive: Archive) -> None:
    login = Client(archive.url).get("/auth/login")
    query = {name: values[0] for name, values in parse_qs(urlsplit(login.headers["location"]).query).items()}
    assert login.headers["location"].startswith(archive.outputs["OidcIssuer"])
    assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
    assert query["redirect_uri"] == f"{archive.url}/auth/callback"
    assert len(query["state"]) >= 22 and len(query["nonce"]) >= 22 and len(query["code_challenge"]) == 43
    (cookie,) = login.cookies
    assert cookie.startswith(f"{LOGIN}=") and "; Secure; HttpOnly; SameSite=Lax; Max-Age=600" in cookie


@pytest.mark.parametrize("damage", [
    "no cookie", "another browser's cookie", "state", "no state", "code", "no code", "twice", "doubled", "error",
])  # fmt: skip
def test_callback_that_does_not_fit_is_refused_and_the_old_session_stays(archive: Archive, damage: str) -> None:
    client = archive.client(email="old@acme.example")
    old = client.cookies[host(archive)][SESSION]
    url = callback(archive, client)
    jar = client.cookies[host(archive)]
    if damage == "no cookie":
        del jar[LOGIN]
    elif damage == "another browser's cookie":
        other = Client(archive.url)
        other.get("/auth/login")
        jar[LOGIN] = other.cookies[host(archive)][LOGIN]
    elif damage == "twice":
        kept = dict(jar)
        assert client.send("GET", url).status == 200
        jar.update(kept)
    elif damage == "doubled":
        url += "&state=x"
    elif damage == "error":
        url = f"{archive.url}/auth/callback?error=access_denied&state={parse_qs(urlsplit(url).query)['state'][0]}"
    else:
        name = damage.removeprefix("no ")
        url = changed(url, **{name: "" if damage.startswith("no ") else "x" * 43})

    answer = client.send("GET", url)

    assert answer.error == (400, "SignInFailed")
    assert not any(cookie.startswith(f"{SESSION}=") for cookie in answer.cookies)
    assert client.cookies[host(archive)][SESSION] == old
    assert client.get("/api/me").json["user"]["email"] == "old@acme.example"


def test_browser_gets_a_page_for_a_refused_sign_in(archive: Archive) -> None:
    answer = Client(archive.url).get("/auth/callback", {"Accept": "text/html,*/*"}, code="x", state="y")
    assert answer.status == 400 and answer.headers["content-type"].startswith("text/html")
    assert b'href="/auth/login"' in answer.data


@pytest.mark.parametrize(("tenant", "groups"), [("", "officers"), ("ACME", "officers"), ("a/b", ""), ("x" * 65, "")])
def test_user_without_a_tenant_is_refused(archive: Archive, tenant: str, groups: str) -> None:
    assert Client(archive.url).sign_in("kari@acme.example", tenant, groups).error == (400, "SignInFailed")


def test_user_of_no_group_may_do_nothing(archive: Archive) -> None:
    client = archive.client("")
    assert client.get("/api/me").json["may"] == []
    assert client.get("/api/calls").error == (403, "NotAllowed")


@pytest.mark.parametrize(
    ("asked", "followed"),
    [
        ("/calls/abc?x=1&y=2#z", "/calls/abc?x=1&amp;y=2#z"), ("/", "/"), ("", "/"), ("//evil.example", "/"),
        ("https://evil.example", "/"), ("/\\evil.example", "/"), ("/\\/evil", "/"), ("calls", "/"), ("/a b", "/"),
        ("/<script>", "/&lt;script&gt;"), ('/"><img', "/&quot;&gt;&lt;img"), ("/\x00", "/"),
        ("javascript:alert(1)", "/"),
    ],
)  # fmt: skip
def test_sign_in_leads_back_within_the_site_only(archive: Archive, asked: str, followed: str) -> None:
    client = Client(archive.url)
    get = client.get
    client.get = lambda path, headers=None, **query: get(path, headers, **query, **{"return": asked})  # type: ignore[method-assign]
    answer = client.sign_in("kari@acme.example", "acme", "officers")
    assert f'content="0;url={followed}"' in answer.data.decode()


def test_logout_ends_the_session(archive: Archive) -> None:
    client = archive.client()
    kept = client.cookies[host(archive)][SESSION]

    answer = client.post("/auth/logout")

    assert answer.status == 204 and SESSION not in client.cookies[host(archive)]
    client.cookies[host(archive)][SESSION] = kept
    assert client.get("/api/me").error == (401, "NotSignedIn")
    assert Client(archive.url).post("/auth/logout").status == 204
    assert Client(archive.url).send("POST", "/auth/logout").error == (403, "CsrfRefused")


def test_terms_are_accepted_by_version_once_for_each_user(archive: Archive) -> None:
    archive.parameter("terms", "settings", {})
    archive.parameter("terms", "access", ACCESS | {"terms": {"version": "2026-11", "text": "Be kind.\nAlways."}})
    client = archive.client(tenant="terms", email="ola@terms.example")
    assert client.get("/api/me").json["terms"] == {"version": "2026-11", "text": "Be kind.\nAlways.", "accepted": False}
    assert client.get("/api/calls").error == (403, "TermsNotAccepted")
    assert client.get("/api/audit").error == (403, "TermsNotAccepted")
    assert client.post("/api/me/terms", {"version": "2025-01"}).error == (400, "InvalidRequest")
    assert client.post("/api/me/terms", {}).error == (400, "InvalidRequest")

    assert client.post("/api/me/terms", {"version": "2026-11"}).status == 204

    assert client.get("/api/me").json["terms"]["accepted"] is True
    assert client.get("/api/calls").status == 200
    again = archive.client(tenant="terms", email="OLA@terms.example")
    assert again.get("/api/calls").status == 200
    assert archive.client(tenant="terms", email="per@terms.example").get("/api/calls").error == (
        403,
        "TermsNotAccepted",
    )
    kinds = [event["kind"] for event in again.get("/api/audit", user="ola@terms.example").json["events"]]
    assert kinds.count("TermsAccepted") == 1 and kinds.count("ArchiveSignedIn") == 2


def test_sign_in_without_audit_gives_no_session(archive: Archive) -> None:
    client, switch = Client(archive.url), archive.state / "audit-refuse"
    url = callback(archive, client)
    switch.touch()
    try:
        answer = client.send("GET", url)
    finally:
        switch.unlink()
    assert answer.error == (503, "AuditUnavailable") and SESSION not in client.cookies[host(archive)]


def test_unknown_route_and_method_are_not_found(archive: Archive) -> None:
    client = archive.client()
    for method, path in (
        ("GET", "/api/nothing"),
        ("GET", "/auth/nothing"),
        ("GET", "/auth/logout"),
        ("PUT", "/api/me"),
    ):
        assert client.send(method, path, headers={"X-Callseal": "1"}).error == (404, "NotFound")


def test_every_answer_has_the_security_headers(archive: Archive) -> None:
    for answer in (
        Client(archive.url).get("/api/me"),
        Client(archive.url).get("/auth/login"),
        archive.client().get("/api/calls"),
    ):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
